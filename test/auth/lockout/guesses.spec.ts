import { describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { PresentedSessions } from '../../../src/auth/credentials/presented-sessions.service.js';
import { Overloaded } from '../../../src/platform/problems/overload.js';
import { Purger } from '../../../src/platform/retention/purger.service.js';
import { HashingQueue } from '../../../src/users/passwords/hashing-queue.service.js';
import { startApp } from '../../support/app.js';
import { PASSWORD, signIn } from '../../support/strategies.js';
import { addRecoveryCodes, codeOfNow, enrolled, mfaToken, wrongCode } from '../../support/totp.js';
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
  sibling,
  stranger,
  subject,
  type Counter,
} from '../../support/lockout.js';

bootTwoNodes();

/** Has both nodes open all the connections they may have, so that what comes at once is at once. */
async function openConnections(): Promise<void> {
  const nodes = [app, sibling].flatMap((node) => Array.from({ length: 20 }, () => node));
  await Promise.all(nodes.map((node) => node.query(sql`select pg_sleep(0.02)`)));
}

describe('guesses at a password', () => {
  it('of 500 concurrent guesses from 500 addresses at two nodes, about 20 are evaluated [L2]', async () => {
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, index) => guess(index % 2 ? sibling : app, { from: stranger(index) })),
    );
    // So many at once are more than the connections of a node can serve in time: some are turned away.
    const refused = replies.filter(({ status }) => status === 401);
    expect(replies.filter(({ status }) => status === 503)).toHaveLength(500 - refused.length);
    const reasons = refusals();
    expect(reasons).toHaveLength(refused.length);
    const evaluated = reasons.filter((reason) => reason === 'wrong').length;
    const counted = (await counters())[0]?.failures ?? 0;
    // The first delays are of seconds, and so many take some: on a slow machine a few pass meanwhile.
    expect(counted).toBeLessThanOrEqual(28);
    // What was counted and then turned away by a busy database was never evaluated.
    expect(evaluated).toBeLessThanOrEqual(counted);
    expect(evaluated).toBeGreaterThan(9);
    // Five hundred hashes, refused guesses included.
  }, 180_000);

  it('of 40 concurrent guesses after 79 in a row, exactly one is evaluated, and the right one is refused [L2]', async () => {
    await failBefore(79);
    await openConnections();
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => guess(index % 2 ? sibling : app, { from: stranger(index) })),
    );
    expect(refusals().filter((reason) => reason === 'wrong')).toHaveLength(1);
    expect((await counters()).filter(({ failures }) => failures > 0)).toMatchObject([
      { network: '', failures: 80 },
      { failures: 1 },
    ]);
    await pass();
    expectRefused(await enter(HOME));
  });

  it('of 30 concurrent guesses from one address at two nodes, exactly 10 are evaluated [L2]', async () => {
    await openConnections();
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => guess(index % 2 ? sibling : app, { from: HOME })),
    );
    const reasons = refusals();
    expect(reasons.filter((reason) => reason === 'wrong')).toHaveLength(10);
    expect(reasons.filter((reason) => reason === 'locked')).toHaveLength(20);
    expect(await counters()).toMatchObject([
      { network: '', failures: 10, locked_until: null },
      { network: HOME, failures: 10, locked_until: expect.any(Date) },
    ]);
    expectRefused(await enter(HOME));
    expect((await enter(OFFICE)).status).toBe(200);
  });

  it('guesses during a lock do not extend it and are not counted [pain 8]', async () => {
    await failBefore(9, HOME);
    await failBefore(24);
    expectRefused(await guess(app, { from: HOME }));
    const before = await counters();
    expect(before.map(({ left }) => Math.ceil(left ?? 0))).toEqual([32, 30]);
    for (const from of [HOME, OFFICE, stranger(1)]) {
      expectRefused(await guess(app, { from }));
      expectRefused(await guess(sibling, { from, password: PASSWORD }));
    }
    const unchanged = (all: readonly Counter[]) =>
      all
        .filter(({ failures }) => failures > 0)
        .map(({ network, failures, locked_until, updated_at }) => [
          network,
          failures,
          locked_until,
          updated_at,
        ]);
    expect(unchanged(await counters())).toEqual(unchanged(before));
    expect(refusals().filter((reason) => reason === 'locked')).toHaveLength(6);
  });

  it('delays double from 30 seconds for a network and from one second for the account, up to 15 minutes', async () => {
    const lefts: [number, number][] = [];
    await failBefore(9, HOME);
    await failBefore(19);
    for (let round = 0; round < 12; round += 1) {
      await pass();
      expectRefused(await guess(app, { from: HOME }));
      const [everywhere, here] = await counters();
      lefts.push([Math.ceil(everywhere?.left ?? 0), Math.ceil(here?.left ?? 0)]);
    }
    const doubling = (first: number) => Array.from({ length: 12 }, (_, n) => Math.min(900, first * 2 ** n));
    expect(lefts.map(([everywhere]) => everywhere)).toEqual(doubling(1));
    expect(lefts.map(([, here]) => here)).toEqual(doubling(30));
  });

  it('after a delay the right password signs in and resets the count', async () => {
    await failBefore(14, HOME);
    await failBefore(24);
    expectRefused(await guess(app, { from: HOME }));
    expectRefused(await enter(HOME));
    await pass();
    expect((await enter(HOME)).status).toBe(200);
    expect(await counters()).toEqual([]);
    for (let round = 0; round < 9; round += 1) expectRefused(await guess(app, { from: HOME }));
    expect((await enter(HOME)).status).toBe(200);
  });

  it('a locked network does not use up guesses of the account [pain 8]', async () => {
    for (let round = 0; round < 14; round += 1) await guess(round % 2 ? sibling : app, { from: stranger(7) });
    expect((await counters())[0]).toMatchObject({ network: '', failures: 10, locked_until: null });
    expect((await enter(HOME)).status).toBe(200);
  });

  it('all spellings of a network share one counter [L10, incident 14]', async () => {
    const spellings = [
      '2001:db8:1:2::1',
      '2001:DB8:1:2:0:0:0:1',
      '2001:db8:1:2:ffff::9',
      '2001:0db8:0001:0002::a',
    ];
    await Promise.all(
      Array.from({ length: 12 }, (_, index) => guess(app, { from: spellings[index % 4] as string })),
    );
    expect(await counters()).toMatchObject([
      { network: '', failures: 10 },
      { network: '2001:db8:1:2::/64', failures: 10 },
    ]);
    await guess(app, { from: '192.0.2.77' });
    await guess(app, { from: '::ffff:192.0.2.77' });
    expect((await counters()).find(({ network }) => network === '192.0.2.77')).toMatchObject({ failures: 2 });
  });

  it('all spellings of an address share one counter [incident 35]', async () => {
    await guess(app, { from: HOME, address: email.toUpperCase() });
    await guess(app, { from: HOME, address: `Victim@${email.split('@')[1]}` });
    expect((await counters())[0]).toMatchObject({ failures: 2 });
  });

  it('counters survive a restart of the nodes', async () => {
    const node = await startApp({ env: ROOM, sibling: app });
    await failBefore(9, HOME);
    await guess(node, { from: HOME });
    await node.close();
    const next = await startApp({ env: ROOM, sibling: app });
    try {
      expectRefused(await enter(HOME, next));
      expect(refusals(email, [next]).at(-1)).toBe('locked');
    } finally {
      await next.close();
    }
  });

  it('a guess that was not evaluated does not count', async () => {
    const node = await startApp({
      env: { ...ROOM, ARGON2_CONCURRENCY: '1' },
      sibling: app,
      // Cheap hashes would leave the queue before it is full.
      hashing: 'production',
    });
    try {
      const replies = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          guess(node, { from: stranger(index), address: `n${index}@overload.example` }),
        ),
      );
      const turnedAway = replies.flatMap(({ status }, index) => (status === 503 ? [index] : []));
      expect(turnedAway.length).toBeGreaterThan(0);
      for (const index of turnedAway.slice(0, 5))
        expect((await counters(`n${index}@overload.example`)).map(({ failures }) => failures)).toEqual([
          0, 0,
        ]);
    } finally {
      await node.close();
    }
  });
});

describe('concurrent changes during a password check', () => {
  it('a check that was not evaluated does not count as a guess', async () => {
    const person = await signIn(app, email);
    const queue = app.running.app.get(HashingQueue, { strict: false });
    const lanes = Promise.withResolvers<void>();
    const held: Promise<void>[] = [];
    const fill = () => {
      for (;;) held.push(queue.run(() => lanes.promise));
    };
    expect(fill).toThrow(Overloaded);
    const busy = await person.client.post('/reauthenticate', { password: PASSWORD });
    lanes.resolve();
    await Promise.all(held);
    expect(busy.status).toBe(503);
    expect((await counters()).map(({ failures }) => failures)).toEqual([0, 0]);
    expect((await person.client.post('/reauthenticate', { password: PASSWORD })).status).toBe(204);
  });

  it.each([
    ['that is disabled', sql`disabled_at`],
    ['whose password is marked as compromised', sql`password_compromised_at`],
  ])('an account %s during the check is not signed in to', async (_what, column) => {
    const presented = app.running.app.get(PresentedSessions, { strict: false });
    const idsOf = presented.idsOf.bind(presented);
    // The last step before the account is locked.
    jest.spyOn(presented, 'idsOf').mockImplementationOnce(async (credentials) => {
      await app.query(sql`update users set ${column} = now() where email = ${email}`);
      return idsOf(credentials);
    });
    const reply = await enter(HOME);
    expect([reply.status, reply.body['code']]).toEqual([401, 'invalid_credentials']);
    const sessions = await app.query(
      sql`select 1 from sessions where user_id = (select id from users where email = ${email})`,
    );
    expect(sessions).toEqual([]);
  });
});

describe('guesses at second factors', () => {
  const failures = async (of: string) => {
    const rows = await app.query(
      sql<{ authenticator: string; failures: number }>`select authenticator, failures from guess_counters
        where subject = ${subject(of)} and network = ''`,
    );
    return Object.fromEntries(rows.map(({ authenticator, failures: count }) => [authenticator, count]));
  };

  it('are counted over every path, challenge and node; neither the right password nor a new challenge resets them [L3, T4, incident 23]', async () => {
    const person = await enrolled(app);
    const codes = await addRecoveryCodes(person.client);
    const wrong = await wrongCode(app, person.secret);
    for (const node of [app, sibling, app]) {
      const mfa_token = await mfaToken(node, person.email);
      expect((await node.client.post('/mfa', { mfa_token, code: wrong })).status).toBe(401);
    }
    const elsewhere = await person.client.post('/reauthenticate', { password: PASSWORD, code: wrong });
    expect(elsewhere.status).toBe(403);
    const mfa_token = await mfaToken(sibling, person.email);
    const guessed = await sibling.client.post('/mfa', {
      mfa_token,
      recovery_code: 'AAAAA-BBBBB-CCCCC-DDDDD',
    });
    expect(guessed.status).toBe(401);
    expect(await failures(person.email)).toEqual({ password: 0, totp: 4, recovery_code: 1 });

    await app.query(
      sql`update guess_counters set failures = 100 where authenticator = 'totp' and subject = ${subject(person.email)} and network = ''`,
    );
    const right = { mfa_token, code: await codeOfNow(app, person.secret) };
    expect((await sibling.client.post('/mfa', right)).status).toBe(401);
    const again = { password: PASSWORD, code: await codeOfNow(app, person.secret) };
    expect((await person.client.post('/reauthenticate', again)).status).toBe(403);
    // The lock of one leaves the other, and the sessions, alone.
    expect((await person.client.get('/users/me')).status).toBe(200);
    const opened = await sibling.client.post('/mfa', { mfa_token, recovery_code: codes[0] });
    expect(opened.status).toBe(200);
    expect(await failures(person.email)).toEqual({ totp: 100 });
  });
});

describe('expired counters', () => {
  it('are purged a day after the last guess, except those of accounts', async () => {
    const unknown = `nobody@purged${domains}.example`;
    for (const address of [email, unknown]) {
      await guess(app, { from: HOME, address });
      await guess(app, { from: OFFICE, address });
    }
    const age = (address: string, hours: number) =>
      app.query(
        sql`update guess_counters set updated_at = now() - make_interval(hours => ${hours}) where subject = ${subject(address)}`,
      );
    await Promise.all([age(email, 23), age(unknown, 23)]);
    const purge = () => app.running.app.get(Purger, { strict: false }).purge();
    await purge();
    expect(await counters()).toHaveLength(3);
    expect(await counters(unknown)).toHaveLength(3);
    await Promise.all([age(email, 25), age(unknown, 25)]);
    await Promise.all([purge(), sibling.running.app.get(Purger, { strict: false }).purge()]);
    expect(await counters()).toMatchObject([{ network: '', failures: 2 }]);
    expect(await counters(unknown)).toEqual([]);
  });
});

it('a password does not expire: an account of 400 days signs in [P10]', async () => {
  const { sessionId } = await signIn(app, email);
  await app.query(
    sql`update users set created_at = now() - interval '400 days', updated_at = now() - interval '400 days' where email_canonical = ${email}`,
  );
  await app.query(
    sql`update sessions set created_at = now() - interval '400 days', last_used_at = now() - interval '399 days',
          expires_at = now() - interval '370 days' where id = ${sessionId}`,
  );
  await app.query(
    sql`update known_devices set first_seen_at = now() - interval '400 days', last_seen_at = now() - interval '400 days'`,
  );
  const { client } = await signIn(app, email);
  expect((await client.get('/users/me')).status).toBe(200);
});
