import { Injectable } from '@nestjs/common';
import type { SessionPurge } from './expired-sessions.js';

/**
 * Deletions by other rooms of the many rows that belong to one session: run in batches before the session row is
 * deleted.
 */
@Injectable()
export class SessionPurges {
  private readonly purges: SessionPurge[] = [];

  /** Adds a deletion to run before the session row is deleted. */
  add(...purges: readonly SessionPurge[]): void {
    this.purges.push(...purges);
  }

  /** All added deletions, including those added after this call. */
  get all(): readonly SessionPurge[] {
    return this.purges;
  }
}
