import { describe, expect, it, jest } from '@jest/globals';
import { DatabaseProbe } from '../../src/platform/database/database-probe.js';

describe('the probe of the database', () => {
  it('is one for all callers of a second [fault 3]', async () => {
    let asked = 0;
    const probe = new DatabaseProbe(async () => void (asked += 1));
    await Promise.all(Array.from({ length: 1_500 }, () => probe.check()));
    expect(asked).toBe(1);
  });

  it('is not asked again while it has no answer, and counts as down then [fault 3]', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    try {
      let asked = 0;
      const answer = Promise.withResolvers<void>();
      const heard: boolean[] = [];
      const probe = new DatabaseProbe(() => {
        asked += 1;
        return answer.promise;
      });
      probe.onChange((failure) => heard.push(failure === null));
      const first = probe.check();
      first.catch(() => undefined);
      for (let second = 0; second < 5; second += 1) {
        await jest.advanceTimersByTimeAsync(1_100);
        await expect(probe.check()).rejects.toThrow('did not answer in time');
      }
      expect(asked).toBe(1);
      answer.resolve();
      await jest.advanceTimersByTimeAsync(1_100);
      await probe.check();
      expect(asked).toBe(2);
      expect(heard).toEqual([false, true]);
    } finally {
      jest.useRealTimers();
    }
  });
});
