import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { validate as isUuid } from 'uuid';
import { Audit } from '../../../audit/audit.service.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import type { UsersTables } from '../../../users/users.tables.js';
import type { FactorsTables } from '../factors.tables.js';
import type { EndedActor } from '../../credentials/actor-lock.service.js';
import { FactorChanges, type FactorRequest } from '../factor-changes.service.js';
import { removeStrandedRecoveryCodes } from '../remove-factors.js';
import { SecondFactors } from '../../assurance/second-factors.service.js';

/** A passkey as its owner sees it. */
export interface PasskeyListing {
  readonly id: string;
  readonly credentialId: Buffer;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  /** Whether it was backed up at its last use. */
  readonly isBackedUp: boolean;
  readonly transports: readonly string[];
  /** The model of the authenticator, as it reports it; zeros if it does not. */
  readonly aaguid: string;
  /** Why it no longer signs in (`KeyFlaw`); null if it does. */
  readonly keyFlaw: string | null;
}

/** A user's management of their own passkeys. */
@Injectable()
export class PasskeyManagement {
  constructor(
    private readonly database: Database,
    private readonly factors: SecondFactors,
    private readonly changes: FactorChanges,
    private readonly audit: Audit,
  ) {}

  /** All passkeys of a user, oldest first. */
  list(userId: string): Promise<PasskeyListing[]> {
    return passkeysOf(this.database, userId).orderBy('created_at').orderBy('id').execute();
  }

  /** The WebAuthn user handle; null before the first registration. */
  async handleOf(userId: string): Promise<Buffer | null> {
    const user = await this.database
      .of<UsersTables>()
      .selectFrom('users')
      .select('webauthn_handle')
      .where('id', '=', userId)
      .executeTakeFirst();
    return user?.webauthn_handle ?? null;
  }

  /** A passkey of a user; null if the user has no such passkey. */
  async find(userId: string, id: string, queries: Queries): Promise<PasskeyListing | null> {
    const passkey = await passkeysOf(queries, userId).where('id', '=', id).executeTakeFirst();
    return passkey ?? null;
  }

  /** Renames a passkey of a user; null if the user has no such passkey. */
  async rename(
    request: Pick<FactorRequest, 'actor' | 'client'>,
    id: string,
    name: string,
  ): Promise<PasskeyListing | EndedActor | null> {
    if (!isUuid(id)) return null;
    const { actor, client } = request;
    const { userId, sessionId } = actor.live;
    return this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, request);
      if (owner.status === 'ended') return owner;
      const renamed = await tx
        .of<FactorsTables>()
        .updateTable('passkeys')
        .set({ name })
        .where('id', '=', id)
        .where('user_id', '=', userId)
        .returning('id')
        .execute();
      if (renamed.length === 0) return null;
      const details = { passkey: id };
      await this.audit.record({ kind: 'passkey_renamed', userId, sessionId, client, details }, tx);
      return this.find(userId, id, tx);
    });
  }

  /** Removes a passkey of a user, unless the user could not sign in without it. */
  async remove(
    request: FactorRequest,
    id: string,
  ): Promise<'removed' | 'not_found' | 'last_login_method' | EndedActor> {
    const { userId } = request.actor.live;
    if (!isUuid(id)) return 'not_found';
    return this.database.transaction(async (tx) => {
      // Of two concurrent removals of the last two passkeys, the second sees under this lock that one is left.
      const owner = await this.changes.lockOwner(tx, request);
      if (owner.status === 'ended') return owner;
      const { account } = owner;
      const passkey = await this.find(userId, id, tx);
      if (!passkey) return 'not_found';
      const [left] = await tx.query(
        sql`select 1 from users u where u.id = ${userId} and (u.password_hash is not null
          or exists (select 1 from passkeys p where p.user_id = u.id and p.id <> ${id} and p.key_flaw is null))`,
      );
      if (!left) return 'last_login_method';
      await this.changes.contain(tx, account, request);
      await tx
        .of<FactorsTables>()
        .deleteFrom('passkeys')
        .where('id', '=', id)
        .where('user_id', '=', userId)
        .execute();
      await removeStrandedRecoveryCodes(tx, userId, this.factors);
      await this.changes.tell(tx, request, account.email, {
        audit: 'passkey_removed',
        mail: 'factor_removed',
        params: { factor: 'passkey', name: passkey.name },
        details: { passkey: id },
      });
      return 'removed';
    });
  }
}

function passkeysOf(queries: Queries, userId: string) {
  return queries
    .of<FactorsTables>()
    .selectFrom('passkeys')
    .select([
      'id',
      'credential_id as credentialId',
      'name',
      'created_at as createdAt',
      'last_used_at as lastUsedAt',
    ])
    .select(['is_backed_up as isBackedUp', 'transports', 'aaguid', 'key_flaw as keyFlaw'])
    .where('user_id', '=', userId);
}
