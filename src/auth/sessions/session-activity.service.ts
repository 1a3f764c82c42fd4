import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';

/** Seconds between two writes at most; where sessions idle out sooner, a quarter of that time. */
const INTERVAL_MAX = 60;
/** A use that is newer than the recorded one by less than this share of the interval is not worth a write. */
const ALMOST = 0.9;
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
  /** Seconds. */
  private readonly interval: number;
  private readonly idleTtl: number;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.idleTtl = config.SESSION_IDLE_TTL;
    this.interval = Math.min(INTERVAL_MAX, config.SESSION_IDLE_TTL / 4);
    this.timer = setInterval(() => void this.flush(), this.interval * 1000).unref();
  }

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
        await this.write(
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

  /**
   * Records when sessions were used. One that was not live at that time stays dead.
   *
   * @param uses the ids, each with how many seconds ago it was used.
   */
  private async write(
    uses: readonly { readonly sessionId: string; readonly secondsAgo: number }[],
  ): Promise<void> {
    const ids = uses.map(({ sessionId }) => sessionId);
    const ages = uses.map(({ secondsAgo }) => secondsAgo);
    await this.database.query(
      sql`update sessions s set last_used_at = use.at
          from (select id, now() - make_interval(secs => age) as at
                from unnest(${ids}::uuid[], ${ages}::float8[]) as noted(id, age)) as use
          where s.id = use.id and s.revoked_at is null and s.expires_at > use.at
            and s.last_used_at > use.at - make_interval(secs => ${this.idleTtl})
            and s.last_used_at < use.at - make_interval(secs => ${this.interval * ALMOST})`,
    );
  }
}
