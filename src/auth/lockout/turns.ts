import pLimit, { type LimitFunction } from 'p-limit';
import { Overloaded } from '../../problems/overload.js';

/** Guesses of one kind that this node evaluates at once: far below what is free, or right ones would count as too many. */
const AT_ONCE = 3;
/** As many as may wait for one lane of hashing: for whoever comes later, an answer would come too late. */
const WAITING_MAX = 64;

interface Queue {
  readonly limit: LimitFunction;
  users: number;
}

/**
 * Lets what has the same key take turns. Guesses are counted before they are evaluated; without turns, many right ones
 * at once would be taken for many wrong ones.
 */
export class Turns {
  private readonly queues = new Map<string, Queue>();

  /** @throws Overloaded when too many wait already. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(key) ?? { limit: pLimit(AT_ONCE), users: 0 };
    if (queue.limit.pendingCount >= WAITING_MAX) throw new Overloaded('too many guesses are waiting');
    this.queues.set(key, queue);
    queue.users += 1;
    try {
      return await queue.limit(work);
    } finally {
      queue.users -= 1;
      if (queue.users === 0) this.queues.delete(key);
    }
  }
}
