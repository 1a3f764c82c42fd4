import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Audit } from '../../../audit/audit.service.js';
import type { Columns } from '../../../platform/database/columns.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { Outbox } from '../../../mail/outbox.service.js';
import type { UsersTables } from '../../../users/users.tables.js';
import type { FactorsTables } from '../factors.tables.js';
import type { EndedActor } from '../../credentials/actor-lock.service.js';
import { FactorChanges, type FactorRequest } from '../factor-changes.service.js';
import { SecondFactors } from '../../assurance/second-factors.service.js';
import { newRecoveryCode, recoveryCodeHash } from './recovery-code.js';

/** The number of codes. */
const CODES = 10;

/** A request for new codes. */
export type RecoveryCodesRequest = Omit<FactorRequest, 'otherSessions'>;

/**
 * Codes to print, for users who lost their second factor. They are no factor on their own. The caller counts guesses:
 * `Lockout.admit` before, `Lockout.succeed` after.
 */
@Injectable()
export class RecoveryCodes {
  constructor(
    private readonly database: Database,
    private readonly factors: SecondFactors,
    private readonly changes: FactorChanges,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Creates new codes and deletes all others. Only hashes are stored, so the plain codes exist only in this result.
   *
   * @returns `no_second_factor` if the user has none that codes could replace.
   */
  replace(request: RecoveryCodesRequest): Promise<string[] | 'no_second_factor' | EndedActor> {
    const { userId } = request.actor.live;
    const codes = Array.from({ length: CODES }, newRecoveryCode);
    return this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, request);
      if (owner.status === 'ended') return owner;
      const { account } = owner;
      if (!(await this.factors.has(userId, tx))) return 'no_second_factor';
      await this.changes.contain(tx, account, { ...request, otherSessions: 'keep' });
      const table = tx.of<FactorsTables>();
      await table.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
      const rows = codes.map((code) => sql`(${recoveryCodeHash(code)}, ${userId})`);
      await tx.query(sql`insert into recovery_codes (code_hash, user_id) values ${sql.join(rows)}`);
      const change = { audit: 'recovery_codes_made', mail: 'recovery_codes_made' } as const;
      await this.changes.tell(tx, request, account.email, change);
      return codes;
    });
  }

  /** Whether a code is correct, without consuming it. */
  async isGood(userId: string, code: string, queries: Queries = this.database): Promise<boolean> {
    const hash = recoveryCodeHash(code);
    if (!hash) return false;
    const found = await queries
      .of<FactorsTables>()
      .selectFrom('recovery_codes')
      .select('user_id')
      .where('code_hash', '=', hash)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return found !== undefined;
  }

  /**
   * Consumes a code and notifies its owner by mail. Of concurrent calls on all nodes, one succeeds.
   *
   * @param tx the transaction that does what the code allows; it has locked the account row before.
   * @param client the client, for the mail and the audit trail.
   */
  async use(tx: Queries, userId: string, code: string, client?: Client): Promise<boolean> {
    const hash = recoveryCodeHash(code);
    if (!hash) return false;
    const used = await tx
      .of<FactorsTables>()
      .deleteFrom('recovery_codes')
      .where('code_hash', '=', hash)
      .where('user_id', '=', userId)
      .returning('user_id')
      .execute();
    if (used.length === 0) return false;
    const [owner] = await tx.query(
      sql<Columns<UsersTables, 'users', 'email'> & { left: number }>`select u.email,
          (select count(*)::int from recovery_codes r where r.user_id = u.id) as left
        from users u where u.id = ${userId}`,
    );
    const left = owner?.left ?? 0;
    await this.outbox.add(tx, {
      kind: 'recovery_code_used',
      userId,
      recipient: owner?.email ?? null,
      params: { left: String(left), ip: client?.ip ?? '', user_agent: client?.userAgent ?? '' },
    });
    await this.audit.record(
      { kind: 'recovery_code_used', userId, details: { left }, ...(client && { client }) },
      tx,
    );
    return true;
  }
}
