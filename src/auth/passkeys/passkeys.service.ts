import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { validate as isUuid } from 'uuid';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import { FactorChanges, type FactorRequest } from '../mfa/factor-changes.service.js';
import { SecondFactors } from '../mfa/second-factors.service.js';

/** A passkey as its owner sees it. */
export interface PasskeyListing {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  /** Whether there is a copy elsewhere, as at its last use. */
  readonly isBackedUp: boolean;
  readonly transports: readonly string[];
  /** The model of the authenticator, as it says; zeros where it does not. */
  readonly aaguid: string;
}

interface ListingRow {
  id: string;
  name: string;
  created_at: Date | string;
  last_used_at: Date | string | null;
  is_backed_up: boolean;
  transports: string[];
  aaguid: string;
}

/** One's own passkeys. */
@Injectable()
export class Passkeys {
  constructor(
    private readonly database: Database,
    private readonly factors: SecondFactors,
    private readonly changes: FactorChanges,
    private readonly audit: Audit,
  ) {}

  /** All of a person, the oldest first. */
  list(userId: string): Promise<PasskeyListing[]> {
    return listWhere(this.database, sql`user_id = ${userId}`);
  }

  /** One of a person; null if they have no such passkey. */
  async find(userId: string, id: string, queries: Queries): Promise<PasskeyListing | null> {
    const [passkey] = await listWhere(queries, sql`user_id = ${userId} and id = ${id}`);
    return passkey ?? null;
  }

  /** Calls a passkey of a person something else; null if they have no such one. */
  async rename(
    { userId, sessionId, client }: Pick<FactorRequest, 'userId' | 'sessionId' | 'client'>,
    id: string,
    name: string,
  ): Promise<PasskeyListing | null> {
    if (!isUuid(id)) return null;
    return this.database.transaction(async (tx) => {
      const renamed = await tx.query(
        sql`update passkeys set name = ${name} where id = ${id} and user_id = ${userId} returning 1`,
      );
      if (renamed.length === 0) return null;
      const details = { passkey: id };
      await this.audit.record({ kind: 'passkey_renamed', userId, sessionId, client, details }, tx);
      return this.find(userId, id, tx);
    });
  }

  /** Removes a passkey of a person at once, unless nothing else would let them sign in. */
  async remove(
    request: FactorRequest,
    id: string,
  ): Promise<'removed' | 'not_found' | 'last_login_method' | 'session_ended'> {
    const { userId } = request;
    if (!isUuid(id)) return 'not_found';
    return this.database.transaction(async (tx) => {
      // Behind this lock, of two that remove the last two at once the second sees that one is left.
      const owner = await this.changes.lockOwner(tx, request);
      if (!owner) return 'session_ended';
      const passkey = await this.find(userId, id, tx);
      if (!passkey) return 'not_found';
      const [left] = await tx.query(
        sql`select 1 from users u where u.id = ${userId} and (u.password_hash is not null
          or exists (select 1 from passkeys p where p.user_id = u.id and p.id <> ${id}))`,
      );
      if (!left) return 'last_login_method';
      await this.changes.endOtherSessions(tx, request);
      await tx.query(sql`delete from passkeys where id = ${id} and user_id = ${userId}`);
      await this.factors.dropStrandedRecoveryCodes(tx, userId);
      await this.changes.tell(tx, request, owner.email, {
        audit: 'passkey_removed',
        mail: 'factor_removed',
        params: { factor: 'passkey', name: passkey.name },
        details: { passkey: id },
      });
      return 'removed';
    });
  }
}

async function listWhere(queries: Queries, condition: RawBuilder<unknown>): Promise<PasskeyListing[]> {
  const rows = await queries.query(
    sql<ListingRow>`select id, name, created_at, last_used_at, is_backed_up, transports, aaguid
      from passkeys where ${condition} order by created_at, id`,
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    createdAt: new Date(row.created_at),
    lastUsedAt: row.last_used_at === null ? null : new Date(row.last_used_at),
    isBackedUp: row.is_backed_up,
    transports: row.transports,
    aaguid: row.aaguid,
  }));
}
