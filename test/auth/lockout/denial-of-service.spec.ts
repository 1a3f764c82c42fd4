import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { clearGuesses } from '../../../src/auth/lockout/clear-guesses.js';
import { Purger } from '../../../src/platform/retention/purger.service.js';
import { startApp, type TestApp } from '../../support/app.js';
import { PASSWORD, type SignedIn, signIn, signUp, STRATEGIES, strategyOf } from '../../support/strategies.js';
import {
  ROOM,
  HOME,
  OFFICE,
  app,
  bootTwoNodes,
  counters,
  domains,
  email,
  enter,
  expectRefused,
  failBefore,
  guess,
  pass,
  refusals,
  stranger,
  subject,
} from '../../support/lockout.js';

bootTwoNodes();

describe('lockout as a denial of service', () => {
  it('the owner signs in from a known network while attackers keep the account locked [L4, pain 8]', async () => {
    expect((await enter(HOME)).status).toBe(200);
    await failBefore(29);
    expectRefused(await guess(app, { from: stranger(1) }));
    expect((await counters())[0]?.left).toBeGreaterThan(800);
    expectRefused(await enter(OFFICE));
    // A slip from there neither locks the owner out nor makes the others wait longer.
    const [before] = await counters();
    expectRefused(await guess(app, { from: HOME }));
    const [after] = await counters();
    expect(after?.failures).toBe(31);
    expect(after?.locked_until).toEqual(before?.locked_until);
    expect((await enter(HOME)).status).toBe(200);
    expect((await enter(OFFICE)).status).toBe(200);
  });

  it('a known network has a counter of its own, and stays known for 90 days', async () => {
    expect((await enter(HOME)).status).toBe(200);
    for (let round = 0; round < 10; round += 1) await guess(app, { from: HOME });
    expectRefused(await enter(HOME));
    await pass();
    await failBefore(25);
    await app.query(
      sql`update guess_counters set locked_until = now() + interval '1 minute' where subject = ${subject(email)} and network = ''`,
    );
    const seen = (days: number) =>
      app.query(
        sql`update known_devices set last_seen_at = now() - make_interval(days => ${days})
            where user_id = (select id from users where email_canonical = ${email})`,
      );
    await seen(91);
    expectRefused(await enter(HOME));
    await seen(89);
    expect((await enter(HOME)).status).toBe(200);
  });

  it('a known network of one account is unknown to another', async () => {
    expect((await enter(HOME)).status).toBe(200);
    const other = await signUp(app, `other@lockout${domains}.example`);
    await failBefore(80, '', other);
    expectRefused(await guess(app, { from: HOME, address: other, password: PASSWORD }));
  });

  it("unknown networks have 80 guesses in a row; the owner's networks have the rest, up to 100 [L1]", async () => {
    expect((await enter(HOME)).status).toBe(200);
    expect((await enter(OFFICE)).status).toBe(200);
    expect((await enter(stranger(300))).status).toBe(200);
    await failBefore(79);
    expectRefused(await guess(app, { from: stranger(1) }));
    await pass();
    await app.query(sql`update guess_counters set updated_at = now() - interval '400 days'`);
    await app.running.app.get(Purger, { strict: false }).purge();
    expectRefused(await enter(stranger(2)));
    expect(refusals().at(-1)).toBe('locked');
    // Of what is kept for known networks no single one has all.
    for (const [from, failures] of [
      [HOME, 89],
      [OFFICE, 99],
    ] as const) {
      await failBefore(failures);
      await failBefore(9, from);
      expectRefused(await guess(app, { from }));
      await pass();
      expectRefused(await enter(from));
    }
    expect((await counters())[0]?.failures).toBe(100);
    // The one left is known, and has used nothing: a hundred are enough all the same.
    expectRefused(await enter(stranger(300)));
    expect(refusals().filter((reason) => reason === 'wrong')).toHaveLength(3);
  });

  it('one bad known network leaves guesses to another after 80 guesses of attackers, and a success resets [L1]', async () => {
    expect((await enter(HOME)).status).toBe(200);
    expect((await enter(OFFICE)).status).toBe(200);
    await failBefore(80);
    for (let round = 0; round < 11; round += 1) {
      await pass();
      await guess(app, { from: OFFICE });
    }
    expect((await counters())[0]?.failures).toBe(90);
    await pass();
    expectRefused(await enter(OFFICE));
    expect((await enter(HOME)).status).toBe(200);
    await pass();
    expect((await enter(OFFICE)).status).toBe(200);
    expect((await enter(stranger(3))).status).toBe(200);
  });

  it('a recovered account is unlocked, for the password alone [L1, L4]', async () => {
    await failBefore(100);
    await failBefore(12, HOME);
    await app.query(
      sql`insert into guess_counters (authenticator, subject, network, is_account, failures)
          values ('totp', ${subject(email)}, '', true, 99)`,
    );
    expectRefused(await enter(HOME));
    await app.running.database.database.transaction((tx) => clearGuesses(tx, email, 'password'));
    // A mailbox that resets passwords again and again must not guess codes without end.
    expect(await counters()).toMatchObject([{ network: '', failures: 99 }]);
    expect((await enter(HOME)).status).toBe(200);
    await app.running.database.database.transaction((tx) => clearGuesses(tx, email, 'all'));
    expect(await counters()).toEqual([]);
  });
});

describe('known devices', () => {
  const from = async (ip: string, agent: string) => {
    const reply = await app.client.send(
      'POST',
      '/login',
      { email, password: PASSWORD },
      { 'user-agent': agent },
      ip,
    );
    expect(reply.status).toBe(200);
    const [event] = await app.query(
      sql<{ device: string }>`select details->>'device' as device from audit_events
        where kind = 'login' and session_id = ${reply.body['session'].id}`,
    );
    return event?.device;
  };

  it('a device is new if neither its network nor its user agent was seen, except the first one [L8]', async () => {
    expect(await from(HOME, 'agent one')).toBe('known');
    expect(await from(HOME, 'agent one')).toBe('known');
    expect(await from(HOME, 'agent two')).toBe('known');
    expect(await from(OFFICE, 'agent two')).toBe('known');
    expect(await from(stranger(1), 'agent three')).toBe('new');
    expect(await from(stranger(1), 'agent three')).toBe('known');
    const mails = await app.query(
      sql<{
        kind: string;
      }>`select kind from outbox_mails where recipient = ${email} and kind <> 'verify_email'`,
    );
    expect(mails).toEqual([{ kind: 'new_device' }]);
  });

  it('devices not seen for 400 days are purged at the next sign-in, except the last one', async () => {
    const seen = (days: number) =>
      app.query(
        sql`update known_devices set last_seen_at = now() - make_interval(days => ${days})
            where user_id = (select id from users where email_canonical = ${email})`,
      );
    const networks = () =>
      app.query(
        sql`select network from known_devices k join users u on u.id = k.user_id
            where u.email_canonical = ${email} order by last_seen_at`,
      );
    await from(HOME, 'agent one');
    await seen(401);
    expect(await from(OFFICE, 'agent two')).toBe('new');
    expect(await networks()).toEqual([{ network: OFFICE }]);
    await seen(399);
    expect(await from(stranger(1), 'agent two')).toBe('known');
    expect(await networks()).toEqual([{ network: OFFICE }, { network: stranger(1) }]);
  });

  it('50 devices per user are kept, and the oldest goes', async () => {
    expect(await from(HOME, 'the first')).toBe('known');
    await app.query(
      sql`insert into known_devices (user_id, network, agent_hash, last_seen_at)
          select u.id, '203.0.113.' || n, sha256('x'), now() - make_interval(days => n) from users u, generate_series(1, 60) n
          where u.email_canonical = ${email}`,
    );
    await from(OFFICE, 'the first');
    const rows = await app.query(
      sql<{ network: string }>`select network from known_devices k join users u on u.id = k.user_id
          where u.email_canonical = ${email} order by last_seen_at desc`,
    );
    expect(rows.map(({ network }) => network)).toEqual([
      OFFICE,
      HOME,
      ...Array.from({ length: 48 }, (_, index) => `203.0.113.${index + 1}`),
    ]);
  });
});

describe.each(STRATEGIES)('while an account is locked, with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let node: TestApp;
  beforeAll(async () => {
    node = await startApp({ env: { ...ROOM, AUTH_STRATEGY: strategy }, sibling: app, force: true });
  });
  afterAll(() => node.close());

  it('live sessions continue and refresh [L4]', async () => {
    const signedIn = await signIn(node, email);
    const { client } = signedIn;
    await failBefore(100);
    expectRefused(await guess(node, { from: HOME, password: PASSWORD }));
    expectRefused(await guess(node, { from: '127.0.0.1', password: PASSWORD }));
    expect((await client.get('/users/me')).status).toBe(200);
    expect((await client.get('/me')).body).toEqual({ logged_in: true, email });
    const renewed = node.client.with(await renew(node, signedIn));
    expect((await renewed.get('/users/me')).status).toBe(200);
    expect((await client.post('/logout')).status).toBe(200);
  });
});

/** The headers of a sign-in once its tokens were refreshed; the same ones where there are none. */
async function renew(node: TestApp, { reply, headers }: SignedIn): Promise<Readonly<Record<string, string>>> {
  if (strategyOf(node).issues === 'session') return headers;
  const refreshed = await node.client.post('/refresh', { refresh_token: reply.body['refresh_token'] });
  if (refreshed.status !== 200) throw new Error(`not refreshed: ${refreshed.text}`);
  return strategyOf(node).credentialOf(refreshed);
}
