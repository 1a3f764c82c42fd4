import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { LOGGER } from '../../logging/logger.js';
import { SessionsService } from './sessions.service.js';

/** Milliseconds between two writes. */
const INTERVAL = 60_000;
/** Sessions in one statement, and the most that are remembered while the database is away. */
const BATCH = 5_000;
const REMEMBERED_MAX = 500_000;

/**
 * Remembers which sessions were used and writes it down in batches, outside the requests: reading who somebody is
 * never writes, and yet whoever is active does not idle out.
 */
@Injectable()
export class SessionActivity implements OnApplicationShutdown {
  /** When each session was last used, in milliseconds of the monotonic clock. */
  private used = new Map<string, number>();
  private readonly timer = setInterval(() => void this.flush(), INTERVAL).unref();

  constructor(
    private readonly sessions: SessionsService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Notes that a session was used now. */
  note(sessionId: string): void {
    if (this.used.size < REMEMBERED_MAX || this.used.has(sessionId))
      this.used.set(sessionId, performance.now());
  }

  /** Writes down what was noted. What cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    const noted = [...this.used];
    this.used = new Map();
    for (let start = 0; start < noted.length; start += BATCH) {
      const batch = noted.slice(start, start + BATCH);
      const now = performance.now();
      try {
        await this.sessions.markUsed(
          batch.map(([sessionId, usedAt]) => ({ sessionId, secondsAgo: (now - usedAt) / 1000 })),
        );
      } catch (error) {
        for (const [sessionId, usedAt] of batch) {
          if (!this.used.has(sessionId)) this.used.set(sessionId, usedAt);
        }
        this.logger.warn({ event: 'session_activity_delayed', err: error });
      }
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }
}
