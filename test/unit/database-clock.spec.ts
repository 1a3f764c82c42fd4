import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DatabaseClock } from '../../src/platform/database/database-clock.js';

/** Any moment, by the clock of the database. */
const T = 1_800_000_000_000;

let monotonic = 0;
let clock: DatabaseClock;
beforeEach(() => {
  monotonic = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => monotonic);
  clock = new DatabaseClock();
});

/** The database says a time; question and answer took this long together. */
function observe(databaseMs: number, took: number): void {
  const askedAt = monotonic;
  monotonic += took;
  clock.observe(databaseMs, askedAt, monotonic);
}

describe('the clock of the database, as a node keeps it', () => {
  it('is the middle between question and answer', () => {
    observe(T, 10);
    expect(clock.now()).toBe(T + 5);
  });

  it('advances with the monotonic clock', () => {
    observe(T, 0);
    monotonic += 60_000;
    expect(clock.now()).toBe(T + 60_000);
  });

  it('is set by each answer that is at least as quick', () => {
    observe(T, 10);
    observe(T + 12, 10);
    expect(clock.now()).toBe(T + 17);
  });

  it('is not set by a slow answer that agrees within its uncertainty', () => {
    observe(T, 2);
    const before = clock.now();
    // It was read 900 ms after the middle of a second: that is possible, and says less than the quick answer.
    observe(T + 400, 1_000);
    expect(clock.now()).toBe(before + 1_000);
  });

  it.each([
    ['ahead', 3_600_000],
    ['behind', -3_600_000],
  ])('is set by a slow answer that contradicts it: the database went %s', (_where, step) => {
    observe(T, 2);
    observe(T + step, 1_000);
    expect(clock.now()).toBe(T + step + 500);
  });

  it('is set by the next quick answer after a slow one', () => {
    observe(T, 2);
    observe(T + 3_600_000, 1_000);
    observe(T + 3_600_700, 4);
    expect(clock.now()).toBe(T + 3_600_702);
  });
});
