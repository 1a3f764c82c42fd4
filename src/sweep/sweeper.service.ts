import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Database } from '../database/database.js';
import { LOGGER } from '../logging/logger.js';
import { BatchSize } from './batch-size.js';
import type { Sweep, Swept } from './sweep.js';

/** Any number will do, as long as every version takes the same: whoever sweeps holds it. */
const SWEEP_LOCK = 7_236_339_205;
/** Milliseconds from the end of a round to the next one. */
const INTERVAL = 60_000;
/** Seconds between two looks for rows of a kind, where it does not say otherwise. */
const EVERY = 60;
/** How much longer than a batch the pause behind it is, and its least milliseconds: others have four fifths of the time. */
const PAUSES = 4;
const PAUSE_MIN = 20;
/** Milliseconds that a stop waits for the batch under way. What is not done then, another node does. */
const STOP_PATIENCE = 2_000;

/** A kind of rows, and how far its sweeping is. */
interface Kind {
  readonly sweep: Sweep;
  readonly size: BatchSize;
  /** By the monotonic clock. */
  dueAt: number;
}

/**
 * Deletes rows whose time is over, in rounds: a few at a time, with pauses, and one node at a time. docs/adr/0025 has the
 * reasons, and which rows go when.
 */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly kinds: Kind[] = [];
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isFailing = false;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Has rows of some kinds deleted from now on. */
  add(...sweeps: readonly Sweep[]): void {
    for (const sweep of sweeps) this.kinds.push({ sweep, size: new BatchSize(), dueAt: 0 });
  }

  onApplicationBootstrap(): void {
    // Nodes that start at once do not come at once.
    this.goOn(Math.random() * INTERVAL);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await Promise.race([this.round, pause(STOP_PATIENCE, undefined, { ref: false })]);
  }

  /**
   * Deletes all that is over by now, behind a round under way. Leaves it to another node if one is at it, and for the next
   * time if the database is away; so it never throws.
   */
  sweep(): Promise<void> {
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
      await this.sweepDue(counts);
      if (this.isFailing) this.logger.info({ event: 'sweep_restored' });
      this.isFailing = false;
    } catch (error) {
      const isNews = !this.isFailing && !this.stopping.signal.aborted;
      if (isNews) this.logger.warn({ event: 'sweep_delayed', err: error });
      this.isFailing = true;
    }
    if (Object.keys(counts).length > 0) this.logger.info({ event: 'swept', ...counts });
  }

  /** A batch of each kind in turn, so that none waits for the end of another, until no kind is due. */
  private async sweepDue(counts: Record<string, number>): Promise<void> {
    const failures: unknown[] = [];
    for (let due = this.due(); due.length > 0; due = this.due()) {
      for (const kind of due) {
        if (this.stopping.signal.aborted) return;
        const outcome = await this.sweepKind(kind, counts).catch((error: unknown) => {
          // Fewer the next time, for it may have been too many at once. The other kinds go on.
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

  private async sweepKind(kind: Kind, counts: Record<string, number>): Promise<'held' | 'swept'> {
    const { sweep, size } = kind;
    const since = performance.now();
    const swept = await this.sweepBatch(sweep, size.rows);
    if (swept === 'held') return 'held';
    const took = performance.now() - since;
    if (swept.count > 0) counts[sweep.rows] = (counts[sweep.rows] ?? 0) + swept.count;
    if (swept.hasMore) {
      size.took(took);
      await this.rest(Math.max(PAUSE_MIN, took * PAUSES));
    } else {
      // A little less than its time, so that the round does not just miss it.
      kind.dueAt = since + (sweep.every ?? EVERY) * 1000 - INTERVAL / 2;
    }
    return 'swept';
  }

  /** @returns `held` if another node is at it. */
  private sweepBatch(sweep: Sweep, limit: number): Promise<Swept | 'held'> {
    return this.database.transaction(async (tx) => {
      const [lock] = await tx.query(
        sql<{ is_held: boolean }>`select pg_try_advisory_xact_lock(${SWEEP_LOCK}) as is_held`,
      );
      return lock?.is_held ? sweep.batch(tx, limit) : 'held';
    });
  }

  private async rest(milliseconds: number): Promise<void> {
    const { signal } = this.stopping;
    await pause(milliseconds, undefined, { ref: false, signal }).catch(() => undefined);
  }
}
