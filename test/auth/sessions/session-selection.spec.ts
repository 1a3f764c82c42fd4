import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { selectSessions, type SessionSelection } from '../../../src/auth/sessions/session-selection.js';
import { startApp, type TestApp } from '../../support/app.js';
import { given } from '../../support/given.js';
import { idOf } from '../../support/second-factors.js';
import { signIn } from '../../support/strategies.js';

const HOUR = 3_600_000;

let app: TestApp;
let ada: string;
let bob: string;
/** When the sessions were created, by name: hours ago. */
const CREATED = { oldest: 5, older: 4, idle: 3, newer: 2, newest: 1 };
const sessions: Record<string, string> = {};
/** A time so many hours ago. */
const ago = (hours: number) => new Date(Date.now() - hours * HOUR);

beforeAll(async () => {
  app = await startApp({ env: { AUTH_STRATEGY: 'jwt', SESSION_IDLE_TTL: '2h' } });
  const first = await signIn(app);
  const second = await signIn(app);
  ada = await idOf(app, first.email);
  bob = await idOf(app, second.email);
  const of = async (email: string) => (await signIn(app, email)).sessionId;
  Object.assign(sessions, {
    oldest: first.sessionId,
    older: second.sessionId,
    idle: await of(first.email),
    newer: await of(second.email),
    newest: await of(first.email),
    ended: await of(first.email),
    expired: await of(first.email),
  });
  for (const [name, hours] of Object.entries(CREATED))
    await app.query(
      sql`update sessions set created_at = now() - make_interval(hours => ${hours}) where id = ${sessions[name]}`,
    );
  await given.unusedSession(app, sessions['idle'] ?? '', '2 hours 1 minute');
  await given.endedSession(app, sessions['ended'] ?? '');
  await given.expiredSession(app, sessions['expired'] ?? '');
  await given.sessionFrom(app, sessions['older'] ?? '', '203.0.113.7');
  await given.sessionFrom(app, sessions['newest'] ?? '', '::ffff:203.0.113.200');
  await given.sessionFrom(app, sessions['newer'] ?? '', '203.0.114.7');
});
afterAll(() => app.close());

async function select(selection: SessionSelection): Promise<string[]> {
  const found = await selectSessions(app.running.database.database, selection, 2 * 3600);
  const names = new Map(Object.entries(sessions).map(([name, id]) => [id, name]));
  return found.map(({ sessionId }) => names.get(sessionId) ?? 'another');
}

describe('a selection of sessions', () => {
  it('has all that did not end, the oldest first, also those past their idle timeout', async () => {
    expect(await select({})).toEqual(['oldest', 'older', 'idle', 'newer', 'newest']);
  });

  it('has the facts of each session', async () => {
    const found = await selectSessions(app.running.database.database, { userId: bob }, 2 * 3600);
    expect(found).toEqual([
      {
        sessionId: sessions['older'],
        userId: bob,
        strategy: 'jwt',
        createdAt: expect.any(Date),
        ip: '203.0.113.7',
        isLive: true,
      },
      expect.objectContaining({ sessionId: sessions['newer'], ip: '203.0.114.7' }),
    ]);
    const [first] = found;
    expect(Math.abs((first?.createdAt.getTime() ?? 0) - ago(4).getTime())).toBeLessThan(HOUR / 2);
  });

  it('says which are past their idle timeout', async () => {
    const found = await selectSessions(app.running.database.database, { userId: ada }, 2 * 3600);
    expect(found.map(({ isLive }) => isLive)).toEqual([true, false, true]);
  });

  it.each<[string, () => SessionSelection, string[]]>([
    ['a user', () => ({ userId: ada }), ['oldest', 'idle', 'newest']],
    ['a time or later', () => ({ since: ago(2.5) }), ['newer', 'newest']],
    ['before a time', () => ({ before: ago(2.5) }), ['oldest', 'older', 'idle']],
    ['between two times', () => ({ since: ago(4.5), before: ago(2.5) }), ['older', 'idle']],
    ['a network, in either spelling', () => ({ network: '203.0.113.0/24' }), ['older', 'newest']],
    ['a network without sessions', () => ({ network: '198.51.100.0/24' }), []],
    ['a user and a network', () => ({ userId: bob, network: '203.0.113.0/24' }), ['older']],
    ['a key that never signed', () => ({ kid: 'unknown' }), []],
  ])('by %s', async (_what, selection, expected) => {
    expect(await select(selection())).toEqual(expected);
  });

  it('by a key has the sessions that had an access token while it signed', async () => {
    const [key] = await app.query(sql<{ kid: string }>`select kid from signing_keys where state = 'current'`);
    const kid = key?.kid ?? '';
    const span = (from: number, to: number | null) =>
      app.query(
        sql`update signing_keys set promoted_at = now() - make_interval(hours => ${from}),
              demoted_at = now() - make_interval(hours => ${to}) where kid = ${kid}`,
      );
    await app.query(sql`update sessions set access_expires_at = created_at + interval '15 minutes'`);
    try {
      await span(6, null);
      expect(await select({ kid })).toEqual(['oldest', 'older', 'idle', 'newer', 'newest']);
      await span(3, null);
      expect(await select({ kid })).toEqual(['idle', 'newer', 'newest']);
      await span(6, 3);
      expect(await select({ kid })).toEqual(['oldest', 'older', 'idle']);
    } finally {
      await span(0, null);
    }
  });
});
