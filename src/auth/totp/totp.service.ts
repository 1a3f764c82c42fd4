import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Database, type Queries } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';
import { stepOf } from './totp-code.js';
import { TotpSeeds } from './totp-seeds.service.js';

/** A code that is right and was not used up when it was looked at. */
export interface TotpMatch {
  /** The time step that it belongs to. */
  readonly step: number;
  /** The authenticator's seed, as it is stored. */
  readonly sealed: Buffer;
}

interface AuthenticatorRow {
  seed: Uint8Array;
  last_step: string | number;
  now: number;
}

/**
 * Codes of authenticator apps (RFC 6238), judged by the database's clock. A code can be used once, and with it all older
 * ones are used up. Guesses are counted by whoever asks: `Lockout.admit` before, `Lockout.succeed` after.
 */
@Injectable()
export class Totp {
  constructor(
    private readonly database: Database,
    private readonly seeds: TotpSeeds,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Whether a code is right, and uses it up: of many at once, on any nodes, one is told so.
   *
   * @param queries the transaction that does what the code allows; it has locked the account's row before.
   * @returns false also where there is no confirmed authenticator.
   */
  async verify(userId: string, code: string, queries: Queries = this.database): Promise<boolean> {
    const match = await this.match(userId, code, queries);
    return match !== null && (await this.useUp(queries, userId, match));
  }

  /** Looks at a code without using it up; null if it is wrong, used, or there is no confirmed authenticator. */
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
    return step === null || step <= Number(row.last_step) ? null : { step, sealed: Buffer.from(row.seed) };
  }

  /** Uses up a code and all older ones; false if that happened meanwhile, or the authenticator is another one. */
  async useUp(queries: Queries, userId: string, { step, sealed }: TotpMatch): Promise<boolean> {
    const rows = await queries.query(
      sql`update totp_authenticators set last_step = ${step}
          where user_id = ${userId} and last_step < ${step} and seed = ${sealed} returning 1`,
    );
    return rows.length === 1;
  }
}
