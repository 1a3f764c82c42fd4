import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../platform/database/database.js';
import { LOGGER } from '../../platform/logging/logger.js';

/** The minimum of seconds between two writes; with a short idle timeout, a quarter of that. */
const INTERVAL_MAX = 60;
/** A use that is newer than the recorded one by less than this share of the interval is not written. */
const ALMOST = 0.9;
/** Sessions in one statement, and the maximum kept in memory while the database is unavailable. */
const BATCH = 5_000;
const REMEMBERED_MAX = 500_000;

/**
 * Records uses of sessions in memory and writes them in batches, outside the requests: authentication never writes,
 * yet active sessions do not time out.
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

  /** Records that a session is used now. */
  note(sessionId: string): void {
    if (this.used.size < REMEMBERED_MAX || this.used.has(sessionId))
      this.used.set(sessionId, performance.now());
  }

  /** Writes the recorded uses. What cannot be written is kept for the next run. */
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
   * Stores the times of use. A session that was not live at that time stays ended.
   *
   * @param uses the ids, each with the seconds since its use.
   */
  private async write(
    uses: readonly { readonly sessionId: string; readonly secondsAgo: number }[],
  ): Promise<void> {
    const ids = uses.map(({ sessionId }) => sessionId);
    const ages = uses.map(({ secondsAgo }) => secondsAgo);
    await this.database.query(
      // Locks rows in id order to avoid deadlocks.
      sql`update sessions s set last_used_at = use.at
          from (select noted.id, now() - make_interval(secs => noted.age) as at
                from unnest(${ids}::uuid[], ${ages}::float8[]) as noted(id, age)
                join sessions locked on locked.id = noted.id order by locked.id for no key update of locked) as use
          where s.id = use.id and s.revoked_at is null and s.expires_at > use.at
            and s.last_used_at > use.at - make_interval(secs => ${this.idleTtl})
            and s.last_used_at < use.at - make_interval(secs => ${this.interval * ALMOST})`,
    );
  }
}
