import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { seal, sealedUnder, unseal } from '../../secrets/secrets.js';

const PURPOSE = 'totp-seed';
/** Rows in one transaction: each is locked until it ends. */
const BATCH = 500;

/** What sealing the seeds anew came to. */
export interface SeedRewrapping {
  /** Seeds that were under another secret, and are under the first one now. */
  readonly rewrapped: number;
  /** Seeds that no secret opens: left as they are. */
  readonly unopened: number;
}

interface SeedRow {
  user_id: string;
  seed: Uint8Array | null;
  pending_seed: Uint8Array | null;
}

/** The seeds of authenticator apps at rest: encrypted under AUTH_SECRETS, each for its owner alone. */
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

  /** The seed of this person; null if no secret opens it. */
  unseal(userId: string, sealed: Uint8Array): Buffer | null {
    return unseal(this.config.AUTH_SECRETS, PURPOSE, userId, Buffer.from(sealed));
  }

  /** Seals every seed under the first of AUTH_SECRETS that is under another one, confirmed or not. */
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

  /** @param after the last account of the batch before. */
  private rewrapBatch(after: string | null): Promise<SeedRewrapping & { readonly last: string | null }> {
    return this.database.transaction(async (tx) => {
      const rows = await tx.query(
        sql<SeedRow>`select user_id, seed, pending_seed from totp_authenticators
          where ${after}::uuid is null or user_id > ${after}::uuid order by user_id limit ${BATCH} for update`,
      );
      const count = { rewrapped: 0, unopened: 0 };
      for (const { user_id: userId, seed, pending_seed } of rows) {
        const renewed = [seed, pending_seed].map((sealed) => this.renew(userId, sealed, count));
        await tx.query(
          sql`update totp_authenticators set seed = ${renewed[0]}, pending_seed = ${renewed[1]} where user_id = ${userId}`,
        );
      }
      return { ...count, last: rows.at(-1)?.user_id ?? null };
    });
  }

  private renew(
    userId: string,
    sealed: Uint8Array | null,
    count: { rewrapped: number; unopened: number },
  ): Buffer | null {
    if (sealed === null) return null;
    const current = Buffer.from(sealed);
    if (sealedUnder(this.config.AUTH_SECRETS, PURPOSE, userId, current) === 0) return current;
    const seed = this.unseal(userId, current);
    count[seed ? 'rewrapped' : 'unopened'] += 1;
    return seed ? this.seal(userId, seed) : current;
  }
}
