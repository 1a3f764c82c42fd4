import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Columns } from '../../../platform/database/columns.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import type { FactorsTables } from '../factors.tables.js';
import { stepOf } from './totp-code.js';
import { TotpSeeds } from './totp-seeds.service.js';

/** A correct code that was not consumed yet when it was checked. */
export interface TotpMatch {
  /** The time step of the code. */
  readonly step: number;
  /** The authenticator's seed, as stored. */
  readonly sealed: Buffer;
}

type AuthenticatorRow = Columns<FactorsTables, 'totp_authenticators', 'last_step'> & {
  readonly seed: Buffer;
  readonly now: number;
};

/**
 * Codes of authenticator apps (RFC 6238), checked by the database's clock. A code can be used once and consumes all
 * older ones. The caller counts guesses: `Lockout.admit` before, `Lockout.succeed` after.
 */
@Injectable()
export class Totp {
  constructor(
    private readonly database: Database,
    private readonly seeds: TotpSeeds,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Whether a code is correct; consumes it. Of concurrent calls on all nodes, one returns true.
   *
   * @param queries the transaction that does what the code allows; it has locked the account row before.
   * @returns false also without a confirmed authenticator.
   */
  async verify(userId: string, code: string, queries: Queries = this.database): Promise<boolean> {
    const match = await this.match(userId, code, queries);
    return match !== null && (await this.useUp(queries, userId, match));
  }

  /** Checks a code without consuming it; null if it is wrong or used, or no authenticator is confirmed. */
  async match(userId: string, code: string, queries: Queries = this.database): Promise<TotpMatch | null> {
    const [row] = await queries.query(
      sql<AuthenticatorRow>`select seed, last_step, extract(epoch from clock_timestamp())::float8 as now
        from totp_authenticators where user_id = ${userId} and confirmed_at is not null`,
    );
    if (!row) return null;
    const seed = this.seeds.unseal(userId, row.seed);
    if (!seed) {
      this.logger.error({ event: 'totp_seed_unopened', user: userId });
      return null;
    }
    const step = stepOf(seed, code, row.now);
    return step === null || step <= row.last_step ? null : { step, sealed: row.seed };
  }

  /** Consumes a code and all older ones; false if a concurrent call did, or the authenticator was replaced. */
  async useUp(queries: Queries, userId: string, { step, sealed }: TotpMatch): Promise<boolean> {
    const rows = await queries.query(
      sql`update totp_authenticators set last_step = ${step}
          where user_id = ${userId} and last_step < ${step} and seed = ${sealed} returning 1`,
    );
    return rows.length === 1;
  }
}
