import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Database } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';

/** Milliseconds between two looks. */
const INTERVAL = 600_000;
/** Hours after the last guess: far longer than the longest delay, so that leaving a lock to be swept gains nothing. */
const KEPT_HOURS = 24;
const BATCH = 5_000;

/**
 * Drops counters that have served: those of networks, and those of addresses that nobody has, which anybody could make
 * without end. What is counted of an account stays until a success: guesses in a row are not forgotten because they are slow.
 */
@Injectable()
export class GuessSweep implements OnApplicationShutdown {
  private readonly timer: NodeJS.Timeout;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.timer = setInterval(() => {
      this.sweeping = this.sweep().catch((error: unknown) => {
        this.logger.warn({ event: 'guess_sweep_failed', err: error });
      });
    }, INTERVAL).unref();
  }

  /** Drops all that are old enough, in batches, and leaves those that another node drops at this moment. */
  async sweep(): Promise<void> {
    let dropped = BATCH;
    while (dropped === BATCH) {
      const rows = await this.database.query(
        sql`delete from guess_counters where (authenticator, subject, network) in (
              select authenticator, subject, network from guess_counters
              where (network <> '' or not is_account) and updated_at < now() - make_interval(hours => ${KEPT_HOURS})
              order by updated_at limit ${BATCH} for update skip locked)
            returning 1`,
      );
      dropped = rows.length;
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }
}
