import pLimit from 'p-limit';
import { Overloaded } from './overload.js';

/** Milliseconds that work waits at most. Later answers would be too late: clients and proxies have given up. */
const WAIT_MAX = 4_000;
/** Work that waits for each lane, however fast it is: bounds the memory. */
const WAITING_PER_LANE = 64;
/** The weight of the last duration in the average: a change of load is noticed within some ten runs. */
const WEIGHT = 0.2;

/**
 * Runs work in a few lanes. Work is refused if its turn is not expected in time, or does not come in time, so that each
 * caller has an answer within seconds.
 */
export class BoundedQueue {
  private readonly limit: ReturnType<typeof pLimit>;
  /** The average duration of a run in milliseconds: 0 before the first. */
  private average = 0;

  constructor(private readonly lanes: number) {
    this.limit = pLimit(lanes);
  }

  /** @throws Overloaded */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.expectedWait() > WAIT_MAX || this.limit.pendingCount >= this.lanes * WAITING_PER_LANE)
      throw this.refusal();
    const arrivedAt = performance.now();
    return this.limit(async () => {
      const startedAt = performance.now();
      // The estimate was wrong: slow work is ahead, or the machine became busy.
      if (startedAt - arrivedAt > WAIT_MAX) throw this.refusal();
      try {
        return await work();
      } finally {
        this.note(performance.now() - startedAt);
      }
    });
  }

  /** Milliseconds until the turn of new work. */
  private expectedWait(): number {
    const { pendingCount, activeCount } = this.limit;
    return (Math.max(0, activeCount + pendingCount + 1 - this.lanes) / this.lanes) * this.average;
  }

  private note(duration: number): void {
    this.average = this.average === 0 ? duration : this.average + WEIGHT * (duration - this.average);
  }

  private refusal(): Overloaded {
    return new Overloaded('too much work is waiting', Math.max(1, Math.ceil(this.expectedWait() / 1000)));
  }
}
