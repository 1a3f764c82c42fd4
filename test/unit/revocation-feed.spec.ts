import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RevocationFeed } from '../../src/auth/revocation/revocation-feed.service.js';

/** What the documentation promises, in milliseconds: docs/adr/0012. */
const BOUND = 2_000;

/** A poll that is under way, to be answered by the test. */
let answer: (error?: Error) => void;
let feed: RevocationFeed;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  const query = () =>
    new Promise((resolve, reject) => {
      answer = (error) =>
        error ? reject(error) : resolve([{ now: Date.now(), snapshot: '1:1:', oldest: '1', notices: [] }]);
    });
  const database = {
    clock: { observe: () => undefined },
    openChannel: async () => ({ query, close: async () => undefined }),
  };
  const logger = { info: () => undefined, warn: () => undefined };
  feed = new RevocationFeed(database as never, logger as never);
});
afterEach(() => {
  jest.useRealTimers();
});

/** Polls; the answer arrives after so many milliseconds. */
async function poll(took = 0, error?: Error): Promise<void> {
  const polled = feed.catchUp();
  await new Promise(setImmediate);
  jest.advanceTimersByTime(took);
  answer(error);
  await polled;
}

describe('what a node remembers', () => {
  it('is not used before the first poll', () => {
    expect(feed.isFresh).toBe(false);
  });

  it('is used for two seconds after a poll, and no longer', async () => {
    await poll();
    expect(feed.isFresh).toBe(true);
    jest.advanceTimersByTime(BOUND);
    expect(feed.isFresh).toBe(true);
    jest.advanceTimersByTime(1);
    expect(feed.isFresh).toBe(false);
  });

  it('is used from the question of a poll, not from its answer: what was committed between them may be missing', async () => {
    await poll(1_500);
    jest.advanceTimersByTime(BOUND - 1_500);
    expect(feed.isFresh).toBe(true);
    jest.advanceTimersByTime(1);
    expect(feed.isFresh).toBe(false);
  });

  it('is not used any more after a poll failed', async () => {
    await poll();
    await poll(0, new Error('the connection is gone'));
    expect(feed.isFresh).toBe(false);
  });
});
