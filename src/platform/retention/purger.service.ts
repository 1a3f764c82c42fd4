import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Database } from '../database/database.js';
import { LOGGER } from '../logging/logger.js';
import { BatchSize } from './batch-size.js';
import type { Purge, PurgedBatch } from './purge.js';

/** Key of the advisory lock of a purge: any number, the same in every version. */
const PURGE_LOCK = 7_236_339_205;
/** Milliseconds from the end of a round to the next. */
const INTERVAL = 60_000;
/** Default seconds between two rounds of one kind of rows. */
const EVERY = 60;
/**
 * The pause after a batch as a multiple of its duration, and its minimum in milliseconds: others get four fifths of
 * the time.
 */
const PAUSES = 4;
const PAUSE_MIN = 20;
/** Milliseconds that a shutdown waits for the running batch. Another node does the rest. */
const STOP_PATIENCE = 2_000;

/** A kind of rows and the state of its purge. */
interface Kind {
  readonly purge: Purge;
  readonly size: BatchSize;
  /** By the monotonic clock. */
  dueAt: number;
}

/**
 * Purges expired rows in rounds: small batches with pauses, one node at a time. docs/adr/0025 explains which rows
 * expire when.
 */
@Injectable()
export class Purger implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly kinds: Kind[] = [];
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isFailing = false;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Adds kinds of rows to purge. */
  add(...purges: readonly Purge[]): void {
    for (const purge of purges) this.kinds.push({ purge, size: new BatchSize(), dueAt: 0 });
  }

  onApplicationBootstrap(): void {
    // Spread the first round of nodes that start together.
    this.goOn(Math.random() * INTERVAL);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await Promise.race([this.round, pause(STOP_PATIENCE, undefined, { ref: false })]);
  }

  /**
   * Purges all rows that have expired by now, after a running round. Skips the purge if another node runs it or the
   * database is unavailable; never throws.
   */
  purge(): Promise<void> {
    for (const kind of this.kinds) kind.dueAt = 0;
    this.round = this.round.then(() => this.makeRound());
    return this.round;
  }

  private goOn(delay: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.round = this.round.then(() => this.makeRound()).finally(() => this.goOn(INTERVAL));
    }, delay).unref();
  }

  private async makeRound(): Promise<void> {
    const counts: Record<string, number> = {};
    try {
      await this.purgeDue(counts);
      if (this.isFailing) this.logger.info({ event: 'purge_restored' });
      this.isFailing = false;
    } catch (error) {
      const isNews = !this.isFailing && !this.stopping.signal.aborted;
      if (isNews) this.logger.warn({ event: 'purge_delayed', err: error });
      this.isFailing = true;
    }
    if (Object.keys(counts).length > 0) this.logger.info({ event: 'purged', ...counts });
  }

  /** Alternates between the kinds, so that none waits for another, until no kind is due. */
  private async purgeDue(counts: Record<string, number>): Promise<void> {
    const failures: unknown[] = [];
    for (let due = this.due(); due.length > 0; due = this.due()) {
      for (const kind of due) {
        if (this.stopping.signal.aborted) return;
        const outcome = await this.purgeKind(kind, counts).catch((error: unknown) => {
          // Halve the batch: it may have been too large. The other kinds continue.
          kind.size.failed();
          kind.dueAt = performance.now() + INTERVAL / 2;
          failures.push(error);
        });
        if (outcome === 'held') return;
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  private due(): Kind[] {
    return this.kinds.filter(({ dueAt }) => dueAt <= performance.now());
  }

  private async purgeKind(kind: Kind, counts: Record<string, number>): Promise<'held' | 'purged'> {
    const { purge, size } = kind;
    const since = performance.now();
    const purged = await this.purgeBatch(purge, size.rows);
    if (purged === 'held') return 'held';
    const took = performance.now() - since;
    if (purged.count > 0) counts[purge.rows] = (counts[purge.rows] ?? 0) + purged.count;
    if (purged.hasMore) {
      size.took(took);
      await this.rest(Math.max(PAUSE_MIN, took * PAUSES));
    } else {
      // Slightly less than the interval, so that the round does not just miss it.
      kind.dueAt = since + (purge.every ?? EVERY) * 1000 - INTERVAL / 2;
    }
    return 'purged';
  }

  /** @returns `held` if another node is purging. */
  private purgeBatch(purge: Purge, limit: number): Promise<PurgedBatch | 'held'> {
    return this.database.transaction(async (tx) => {
      const [lock] = await tx.query(
        sql<{ is_held: boolean }>`select pg_try_advisory_xact_lock(${PURGE_LOCK}) as is_held`,
      );
      return lock?.is_held ? purge.batch(tx, limit) : 'held';
    });
  }

  private async rest(milliseconds: number): Promise<void> {
    const { signal } = this.stopping;
    await pause(milliseconds, undefined, { ref: false, signal }).catch(() => undefined);
  }
}
