import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type {
  RevocationListener,
  RevocationNotice,
} from '../../src/auth/revocation/revocation-feed.service.js';
import type { LiveSession } from '../../src/auth/sessions/session-state.js';

// The cache takes its clock when it is loaded: it is the one that these tests advance.
jest.useFakeTimers();
const { VerifiedCredentials } = await import('../../src/auth/sessions/verified-credentials.service.js');

const HOUR = 3_600_000;
const MINUTE = 60_000;
const SESSION = { sessionId: 'a session', userId: 'a user' };

let listener: RevocationListener;
let feed: { isFresh: boolean };
let verified: InstanceType<typeof VerifiedCredentials>;

beforeEach(() => {
  // A cache takes zero for no time at all.
  jest.advanceTimersByTime(1_000);
  feed = Object.assign({ isFresh: true }, { subscribe: (one: RevocationListener) => (listener = one) });
  const database = { clock: { now: () => Date.now() } };
  verified = new VerifiedCredentials(feed as never, database as never);
});

function live(changes: Partial<LiveSession> = {}): LiveSession {
  const later = new Date(Date.now() + HOUR);
  return { ...SESSION, expiresAt: later, idlesAt: later, ...changes } as LiveSession;
}

/** Caches what was read since `reading`. */
function remember(reading: number, session = live(), expiresAt = session.expiresAt) {
  verified.remember(reading, 'session', 'a cookie', session, expiresAt);
}

const found = () => verified.find('session', 'a cookie') !== null;

const REVOCATIONS: Readonly<Record<string, readonly RevocationNotice[] | 'lost'>> = {
  'its session': [{ kind: 'session', sessionId: SESSION.sessionId, userId: SESSION.userId }],
  'its credential': [{ kind: 'credential', sessionId: SESSION.sessionId, userId: null }],
  'its user': [{ kind: 'user', sessionId: null, userId: SESSION.userId }],
  'all users': [{ kind: 'all', sessionId: null, userId: null }],
  'a signing key': [{ kind: 'key', sessionId: null, userId: null }],
  'what the feed may have missed': 'lost',
};

describe.each(Object.entries(REVOCATIONS))('the revocation of %s', (_what, notices) => {
  it('while a verdict is read keeps it out of the cache', () => {
    const reading = verified.begin();
    jest.advanceTimersByTime(5);
    listener(notices);
    jest.advanceTimersByTime(5);
    remember(reading);
    expect(found()).toBe(false);
  });

  it('in the millisecond in which the lookup began keeps the verdict out of the cache', () => {
    const reading = verified.begin();
    listener(notices);
    remember(reading);
    expect(found()).toBe(false);
  });

  it('is remembered for as long as a slow lookup takes', () => {
    const reading = verified.begin();
    jest.advanceTimersByTime(5);
    listener(notices);
    jest.advanceTimersByTime(30_000);
    remember(reading);
    expect(found()).toBe(false);
  });

  it('removes a cached verdict', () => {
    remember(verified.begin());
    expect(found()).toBe(true);
    jest.advanceTimersByTime(5);
    listener(notices);
    expect(found()).toBe(false);
  });

  it('before a lookup began does not keep its verdict out', () => {
    listener(notices);
    jest.advanceTimersByTime(5);
    remember(verified.begin());
    expect(found()).toBe(true);
  });
});

describe('a verdict', () => {
  it('is kept out of the cache also if far more sessions are revoked while it is read', () => {
    const reading = verified.begin();
    jest.advanceTimersByTime(5);
    listener(REVOCATIONS['its session'] ?? []);
    const others = Array.from({ length: 200_000 }, (_, n) => ({ sessionId: `another ${n}`, userId: null }));
    listener(others.map((ids) => ({ kind: 'session', ...ids })));
    remember(reading);
    expect(found()).toBe(false);
  });

  it('is not affected by the revocation of another session of its user', () => {
    const reading = verified.begin();
    listener([{ kind: 'session', sessionId: 'another', userId: SESSION.userId }]);
    remember(reading);
    expect(found()).toBe(true);
  });

  it('is not used while the feed is stale', () => {
    remember(verified.begin());
    feed.isFresh = false;
    expect(found()).toBe(false);
  });

  const soon = () => new Date(Date.now() + 60_000);
  it.each([
    ['its credential expires', () => remember(verified.begin(), live(), soon())],
    ['its session expires', () => remember(verified.begin(), live({ expiresAt: soon() }), soon())],
    ['its session reaches the idle timeout', () => remember(verified.begin(), live({ idlesAt: soon() }))],
  ])('is not used after %s', (_when, cache) => {
    cache();
    jest.advanceTimersByTime(59_000);
    expect(found()).toBe(true);
    jest.advanceTimersByTime(1_000);
    expect(found()).toBe(false);
  });

  it('is not used after five minutes, although nothing else ends it', () => {
    remember(verified.begin());
    jest.advanceTimersByTime(5 * MINUTE);
    expect(found()).toBe(true);
    jest.advanceTimersByTime(2);
    expect(found()).toBe(false);
  });

  it('that is verified again is used for another five minutes', () => {
    remember(verified.begin());
    jest.advanceTimersByTime(4 * MINUTE);
    remember(verified.begin());
    jest.advanceTimersByTime(4 * MINUTE);
    expect(found()).toBe(true);
  });

  it('is not kept longer by its use', () => {
    remember(verified.begin());
    jest.advanceTimersByTime(4 * MINUTE);
    expect(found()).toBe(true);
    jest.advanceTimersByTime(MINUTE + 2);
    expect(found()).toBe(false);
  });

  it('does not answer for the same text as another kind of credential', () => {
    remember(verified.begin());
    expect(verified.find('jwt', 'a cookie')).toBeNull();
  });
});
