import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../../config/tokens.config.js';
import type { Columns } from '../../../platform/database/columns.js';
import { Database } from '../../../platform/database/database.js';
import { seal, sealedUnder, unseal } from '../../../platform/secrets/secrets.js';
import type { FactorsTables } from '../factors.tables.js';

const PURPOSE = 'totp-seed';
/** Rows in one transaction: each stays locked until it ends. */
const BATCH = 500;

/** The result of re-encrypting the seeds. */
export interface SeedRewrapping {
  /** Seeds that were encrypted under another secret. */
  readonly rewrapped: number;
  /** Seeds that no secret decrypts: unchanged. */
  readonly unopened: number;
}

type SeedRow = Columns<FactorsTables, 'totp_authenticators', 'user_id' | 'seed' | 'pending_seed'>;

/** The seeds of authenticator apps at rest: encrypted under AUTH_SECRETS and bound to their owner. */
@Injectable()
export class TotpSeeds {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /** Encrypts a seed under the first secret. */
  seal(userId: string, seed: Buffer): Buffer {
    return seal(this.config.AUTH_SECRETS, PURPOSE, userId, seed);
  }

  /** Decrypts the seed of a user; null if no secret decrypts it. */
  unseal(userId: string, sealed: Buffer): Buffer | null {
    return unseal(this.config.AUTH_SECRETS, PURPOSE, userId, sealed);
  }

  /** Re-encrypts all seeds, pending ones too, under the first of AUTH_SECRETS. */
  async rewrap(): Promise<SeedRewrapping> {
    const total = { rewrapped: 0, unopened: 0 };
    let last: string | null = null;
    do {
      const batch = await this.rewrapBatch(last);
      total.rewrapped += batch.rewrapped;
      total.unopened += batch.unopened;
      last = batch.last;
    } while (last !== null);
    return total;
  }

  /** @param after the last account of the previous batch. */
  private rewrapBatch(after: string | null): Promise<SeedRewrapping & { readonly last: string | null }> {
    return this.database.transaction(async (tx) => {
      const rows = await tx.query(
        sql<SeedRow>`select user_id, seed, pending_seed from totp_authenticators
          where ${after}::uuid is null or user_id > ${after}::uuid order by user_id limit ${BATCH} for update`,
      );
      const count = { rewrapped: 0, unopened: 0 };
      for (const { user_id: userId, seed, pending_seed } of rows) {
        const renewed = {
          seed: this.renew(userId, seed, count),
          pending_seed: this.renew(userId, pending_seed, count),
        };
        await tx
          .of<FactorsTables>()
          .updateTable('totp_authenticators')
          .set(renewed)
          .where('user_id', '=', userId)
          .execute();
      }
      return { ...count, last: rows.at(-1)?.user_id ?? null };
    });
  }

  private renew(
    userId: string,
    sealed: Buffer | null,
    count: { rewrapped: number; unopened: number },
  ): Buffer | null {
    if (sealed === null) return null;
    if (sealedUnder(this.config.AUTH_SECRETS, PURPOSE, userId, sealed) === 0) return sealed;
    const seed = this.unseal(userId, sealed);
    count[seed ? 'rewrapped' : 'unopened'] += 1;
    return seed ? this.seal(userId, seed) : sealed;
  }
}
