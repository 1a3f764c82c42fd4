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
  private used = new Set<string>();
  private readonly timer = setInterval(() => void this.flush(), INTERVAL).unref();

  constructor(
    private readonly sessions: SessionsService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Notes that a session was used now. */
  note(sessionId: string): void {
    if (this.used.size < REMEMBERED_MAX) this.used.add(sessionId);
  }

  /** Writes down what was noted. What cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    const ids = [...this.used];
    this.used = new Set();
    for (let start = 0; start < ids.length; start += BATCH) {
      const batch = ids.slice(start, start + BATCH);
      try {
        await this.sessions.markUsed(batch);
      } catch (error) {
        for (const id of batch) this.note(id);
        this.logger.warn({ event: 'session_activity_delayed', err: error });
      }
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }
}
