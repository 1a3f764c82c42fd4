import { BoundedQueue } from '../../platform/problems/bounded-queue.js';

/** Concurrent guesses with one key on this node: below the free guesses, or correct guesses would cause a lockout. */
const CONCURRENCY = 3;

interface Queue {
  readonly limit: BoundedQueue;
  users: number;
}

/**
 * Runs guesses with the same key a few at a time. Guesses are counted before they are evaluated: without the queue,
 * many concurrent correct guesses would count as failures.
 */
export class GuessQueue {
  private readonly queues = new Map<string, Queue>();

  /** @throws Overloaded if the turn of a guess with this key would come too late. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(key) ?? { limit: new BoundedQueue(CONCURRENCY), users: 0 };
    this.queues.set(key, queue);
    queue.users += 1;
    try {
      return await queue.limit.run(work);
    } finally {
      queue.users -= 1;
      if (queue.users === 0) this.queues.delete(key);
    }
  }
}
