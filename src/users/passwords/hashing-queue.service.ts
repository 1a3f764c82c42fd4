import { Inject, Injectable } from '@nestjs/common';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { BoundedQueue } from '../../platform/problems/bounded-queue.js';

/** Computes all password hashes: at most ARGON2_CONCURRENCY concurrently, which bounds the memory. */
@Injectable()
export class HashingQueue extends BoundedQueue {
  constructor(@Inject(PASSWORD_CONFIG) config: PasswordConfig) {
    super(config.ARGON2_CONCURRENCY);
  }
}
