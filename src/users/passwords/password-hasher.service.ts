import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import argon2 from 'argon2';
import pLimit from 'p-limit';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { Overloaded } from '../../problems/overload.js';

/** Sign-ins that may wait for each one that is computed: a few seconds' worth. Beyond that an answer comes too late. */
const WAITING_PER_LANE = 64;

/**
 * Argon2id (RFC 9106) in the PHC string format, with the configured parameters. Passwords are compared in NFC
 * (NIST SP 800-63B-4 §3.1.1.2) and otherwise exactly as typed: never trimmed, folded or cut.
 *
 * At most ARGON2_CONCURRENCY hashes run at once, which bounds the memory, and a bounded number waits.
 */
@Injectable()
export class PasswordHasher implements OnModuleInit {
  private readonly limit: ReturnType<typeof pLimit>;
  private readonly maxWaiting: number;
  private readonly options: { type: 2; memoryCost: number; timeCost: number; parallelism: number };
  private decoy = '';

  constructor(@Inject(PASSWORD_CONFIG) config: PasswordConfig) {
    this.limit = pLimit(config.ARGON2_CONCURRENCY);
    this.maxWaiting = config.ARGON2_CONCURRENCY * WAITING_PER_LANE;
    this.options = {
      type: argon2.argon2id,
      memoryCost: config.ARGON2_MEMORY_KIB,
      timeCost: config.ARGON2_PASSES,
      parallelism: config.ARGON2_PARALLELISM,
    };
  }

  async onModuleInit(): Promise<void> {
    this.decoy = await this.hash(randomBytes(32).toString('base64'));
  }

  /** @throws Overloaded */
  hash(password: string): Promise<string> {
    return this.queue(() => argon2.hash(password.normalize('NFC'), this.options));
  }

  /**
   * Compares a password with a stored hash, or, with `null`, with one that nobody knows the password of: an
   * account that does not exist costs as much as one that does.
   *
   * @throws Overloaded
   */
  async verify(hash: string | null, password: string): Promise<boolean> {
    const matches = await this.queue(() => argon2.verify(hash ?? this.decoy, password.normalize('NFC')));
    return matches && hash !== null;
  }

  /** Whether a hash was made with other parameters than the configured ones. */
  needsRehash(hash: string): boolean {
    return argon2.needsRehash(hash, this.options);
  }

  private queue<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount >= this.maxWaiting) throw new Overloaded('too many hashes are waiting');
    return this.limit(work);
  }
}
