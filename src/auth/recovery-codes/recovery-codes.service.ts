import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { Outbox } from '../../mail/outbox.service.js';
import { FactorChanges, type FactorRequest } from '../mfa/factor-changes.service.js';
import { SecondFactors } from '../mfa/second-factors.service.js';
import { newRecoveryCode, recoveryCodeHash } from './recovery-code.js';

/** How many codes there are. */
const CODES = 10;

/** Who asked for new codes, and from where. */
export type RecoveryCodesRequest = Omit<FactorRequest, 'otherSessions'>;

/**
 * Codes on paper, for whoever lost the second factor. They are no factor by themselves. Guesses are counted by whoever
 * asks: `Lockout.admit` before, `Lockout.succeed` after.
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
   * Makes new codes in place of all others. They are kept as hashes, so this is the only time that they are known.
   *
   * @returns `no_second_factor` if there is none that they could stand in for.
   */
  replace(request: RecoveryCodesRequest): Promise<string[] | 'no_second_factor' | 'session_ended'> {
    const { userId } = request;
    const codes = Array.from({ length: CODES }, newRecoveryCode);
    return this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, request);
      if (!owner) return 'session_ended';
      if (!(await this.factors.has(userId, tx))) return 'no_second_factor';
      await tx.query(sql`delete from recovery_codes where user_id = ${userId}`);
      const rows = codes.map((code) => sql`(${recoveryCodeHash(code)}, ${userId})`);
      await tx.query(sql`insert into recovery_codes (code_hash, user_id) values ${sql.join(rows)}`);
      const change = { audit: 'recovery_codes_made', mail: 'recovery_codes_made' } as const;
      await this.changes.tell(tx, request, owner.email, change);
      return codes;
    });
  }

  /** Whether a code is right, without using it up. */
  async isGood(userId: string, code: string, queries: Queries = this.database): Promise<boolean> {
    const hash = recoveryCodeHash(code);
    if (!hash) return false;
    const rows = await queries.query(
      sql`select 1 from recovery_codes where code_hash = ${hash} and user_id = ${userId}`,
    );
    return rows.length === 1;
  }

  /**
   * Uses up a code, and tells its owner by mail; of many at once, on any nodes, one is told that it was right.
   *
   * @param tx the transaction that does what the code allows; it has locked the account's row before.
   * @param client where it came from, for the mail and the audit trail.
   */
  async use(tx: Queries, userId: string, code: string, client?: Client): Promise<boolean> {
    const hash = recoveryCodeHash(code);
    if (!hash) return false;
    const used = await tx.query(
      sql`delete from recovery_codes where code_hash = ${hash} and user_id = ${userId} returning 1`,
    );
    if (used.length === 0) return false;
    const [owner] = await tx.query(
      sql<{ email: string; left: number }>`select u.email,
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
