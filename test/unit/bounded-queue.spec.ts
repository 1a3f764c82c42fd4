import { describe, expect, it, jest } from '@jest/globals';
import { BoundedQueue } from '../../src/platform/problems/bounded-queue.js';
import { Overloaded } from '../../src/platform/problems/overload.js';

describe('queued work', () => {
  it('that takes long is refused by the expected wait, not by its number, and says when to retry [P12, fault 19]', async () => {
    const queue = new BoundedQueue(1);
    const turns: PromiseWithResolvers<void>[] = [];
    const run = () => {
      const turn = Promise.withResolvers<void>();
      turns.push(turn);
      return queue.run(() => turn.promise);
    };
    // One run of two and a half seconds makes the average; the clock is not the test's to wait for.
    jest.useFakeTimers({ advanceTimers: false, doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      const first = run();
      await Promise.resolve();
      jest.advanceTimersByTime(2_500);
      turns[0]?.resolve();
      await first;
      const waiting = [run(), run()];
      let refusal: unknown;
      try {
        void run();
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(Overloaded);
      expect((refusal as Overloaded).retryAfter).toBe(5);
      for (const turn of turns) turn.resolve();
      await Promise.all(waiting);
    } finally {
      jest.useRealTimers();
    }
  });

  it('that waited too long when its turn comes is refused without being computed [P12, fault 19]', async () => {
    const queue = new BoundedQueue(1);
    const slow = Promise.withResolvers<void>();
    let isComputed = false;
    jest.useFakeTimers({ advanceTimers: false, doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      const first = queue.run(() => slow.promise);
      const second = queue.run(async () => {
        isComputed = true;
      });
      await Promise.resolve();
      jest.advanceTimersByTime(10_000);
      slow.resolve();
      await first;
      await expect(second).rejects.toBeInstanceOf(Overloaded);
      expect(isComputed).toBe(false);
    } finally {
      jest.useRealTimers();
    }
  });
});
