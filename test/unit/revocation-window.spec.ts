import { describe, expect, it } from '@jest/globals';
import type { Database } from '../../src/platform/database/database.js';
import { RevocationWindow } from '../../src/services/revocation-window.js';

interface Answer {
  readonly server: string;
  readonly now: number;
  readonly oldest: string;
  readonly revocations: readonly Record<string, unknown>[];
}

const session = (seq: number, exp: number) => ({
  seq: String(seq),
  xact: String(seq),
  at: 100,
  last: exp,
  kind: 'session',
  sid: `s${seq}`,
  sub: null,
  before: null,
  exp,
});

/** A window over a database that gives these answers, one a read. */
function windowOver(answers: Answer[]): RevocationWindow {
  const database = { query: async () => [answers.shift()] } as unknown as Pick<Database, 'query'>;
  return new RevocationWindow(database, 600);
}

const sids = (snapshot: { revocations: readonly { entry: object }[] }) =>
  snapshot.revocations.map(({ entry }) => (entry as { sid?: string }).sid);

/** Reads share an answer for a second. */
const nextRead = (window: RevocationWindow) => {
  (window as unknown as { lookedAt: number }).lookedAt = Number.NEGATIVE_INFINITY;
  return window.read();
};

describe('the window of live revocations', () => {
  it('adds what is new, newest first, and keeps what it read twice once', async () => {
    const window = windowOver([
      { server: 'a', now: 100, oldest: '5', revocations: [session(2, 900), session(1, 900)] },
      { server: 'a', now: 101, oldest: '9', revocations: [session(3, 900), session(2, 900)] },
    ]);
    expect(sids(await window.read())).toEqual(['s2', 's1']);
    expect(sids(await nextRead(window))).toEqual(['s3', 's2', 's1']);
  });

  it('drops expired entries at the next step of time', async () => {
    const window = windowOver([
      { server: 'a', now: 100, oldest: '5', revocations: [session(1, 119), session(2, 900)] },
      { server: 'a', now: 119, oldest: '5', revocations: [] },
      { server: 'a', now: 121, oldest: '5', revocations: [] },
    ]);
    expect(sids(await window.read())).toHaveLength(2);
    expect(sids(await nextRead(window))).toHaveLength(2);
    expect(sids(await nextRead(window))).toEqual(['s2']);
  });

  it.each([
    ['another server', { server: 'b', oldest: '9' }],
    ['a smaller transaction number', { server: 'a', oldest: '3' }],
  ])('starts again after %s', async (_what, changed) => {
    const window = windowOver([
      { server: 'a', now: 100, oldest: '5', revocations: [session(1, 900)] },
      { now: 101, revocations: [], ...changed },
      { now: 101, revocations: [session(7, 900)], ...changed },
    ]);
    await window.read();
    expect(sids(await nextRead(window))).toEqual(['s7']);
  });

  it('lists 50,000 entries and covers older ones by one cut-off with a margin', async () => {
    const revocations = Array.from({ length: 50_001 }, (_, index) => session(50_001 - index, 900));
    const window = windowOver([{ server: 'a', now: 100, oldest: '5', revocations }]);
    const snapshot = await window.read();
    expect(snapshot.revocations).toHaveLength(50_000);
    expect(sids(snapshot)).not.toContain('s1');
    expect(snapshot.cutOff).toEqual({ before: 110, exp: 900 });
  });
});
