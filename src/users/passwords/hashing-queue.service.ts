import { Inject, Injectable } from '@nestjs/common';
import pLimit from 'p-limit';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { Overloaded } from '../../problems/overload.js';

/** Sign-ins that may wait for each one that is computed: a few seconds' worth. Beyond that an answer comes too late. */
const WAITING_PER_LANE = 64;

/**
 * Where hashes of passwords are computed, ours and foreign ones: at most ARGON2_CONCURRENCY at once, which bounds the
 * memory, and a bounded number waits.
 */
@Injectable()
export class HashingQueue {
  private readonly limit: ReturnType<typeof pLimit>;
  private readonly maxWaiting: number;

  constructor(@Inject(PASSWORD_CONFIG) config: PasswordConfig) {
    this.limit = pLimit(config.ARGON2_CONCURRENCY);
    this.maxWaiting = config.ARGON2_CONCURRENCY * WAITING_PER_LANE;
  }

  /** @throws Overloaded */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount >= this.maxWaiting) throw new Overloaded('too many hashes are waiting');
    return this.limit(work);
  }
}
