import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { Lockout } from '../src/auth/lockout/lockout.service.js';
import { PresentedSessions } from '../src/auth/presented-sessions.service.js';
import { Overloaded } from '../src/problems/overload.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { HashingQueue } from '../src/users/passwords/hashing-queue.service.js';
import { startApp, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { PASSWORD, type SignedIn, signIn, signUp, STRATEGIES, strategyOf } from './support/strategies.js';
import { addRecoveryCodes, codeOfNow, enrolled, mfaToken, wrongCode } from './support/totp.js';

/** Room for many hashes to wait: what is counted here is guesses. */
const ROOM = { ARGON2_CONCURRENCY: '16' };
const WRONG = 'a wrong passphrase of some length';
/** Networks that nobody signed in from. */
const HOME = '192.0.2.10';
const OFFICE = '192.0.2.20';
const stranger = (index: number) => `198.51.${index >> 8}.${index & 255}`;

let app: TestApp;
let sibling: TestApp;
beforeAll(async () => {
  app = await startApp({ env: ROOM });
  sibling = await startApp({ env: ROOM, sibling: app });
});
afterAll(async () => {
  await sibling.close();
  await app.close();
});

let domains = 0;
let email = '';
/** Every test has an account whose masked address is its own. */
beforeEach(async () => {
  domains += 1;
  email = await signUp(app, `victim@lockout${domains}.example`);
});

const guess = (
  node: TestApp,
  { from, password = WRONG, address = email }: { from: string; password?: string; address?: string },
): Promise<Reply> => node.client.send('POST', '/login', { email: address, password }, {}, from);

/** The right password from a place. */
const enter = (from: string, node = app): Promise<Reply> => guess(node, { from, password: PASSWORD });

interface Counter {
  readonly network: string;
  readonly failures: number;
  readonly locked_until: string | null;
  /** Seconds that it is still locked; null for an open one. */
  readonly left: number | null;
  readonly updated_at: string;
}

const subject = (address: string) => sql`sha256(convert_to(${address}, 'UTF8'))`;

/** The counters of an address, the one over all networks first. */
function counters(address = email): Promise<Counter[]> {
  return app.query(
    sql<Counter>`select network, failures, locked_until, updated_at,
        case when locked_until > now() then extract(epoch from locked_until - now())::float8 end as left
      from guess_counters where subject = ${subject(address)} order by network`,
  );
}

/** Lets all delays of an address pass. */
async function pass(address = email): Promise<void> {
  await app.query(
    sql`update guess_counters set locked_until = now() - interval '1 second' where subject = ${subject(address)} and locked_until is not null`,
  );
}

/** As if so many guesses from elsewhere had been wrong, a while ago. */
async function failBefore(failures: number, network = '', address = email): Promise<void> {
  await app.query(
    sql`insert into guess_counters (authenticator, subject, network, is_account, failures)
        values ('password', ${subject(address)}, ${network}, true, ${failures})
        on conflict (authenticator, subject, network) do update set failures = ${failures}, locked_until = null`,
  );
}

/** Why sign-ins were refused, in order, first at one node, then at the other. The log has every one. */
function refusals(address = email, nodes = [app, sibling]): unknown[] {
  return nodes
    .flatMap(({ logs }) => logs)
    .filter((line) => line['event'] === 'login_failed' && isAt(line['email'], address))
    .map(({ reason }) => reason);
}

/** Whether a masked address is of the same domain. */
const isAt = (masked: unknown, address: string) => String(masked).split('@')[1] === address.split('@')[1];

async function locks(address = email): Promise<Record<string, unknown>[]> {
  const rows = await app.query(
    sql<{ user_id: string; details: Record<string, unknown> }>`select user_id, details from audit_events
      where kind = 'authenticator_locked' and details->>'email' like ${`%@${address.split('@')[1]}`} order by at`,
  );
  return rows.map(({ user_id, details }) => ({ ...details, user_id }));
}

/** Has both nodes open all the connections they may have, so that what comes at once is at once. */
async function openConnections(): Promise<void> {
  const nodes = [app, sibling].flatMap((node) => Array.from({ length: 20 }, () => node));
  await Promise.all(nodes.map((node) => node.query(sql`select pg_sleep(0.02)`)));
}

function expectRefused(reply: Reply): void {
  expect(reply.status).toBe(401);
  expect(reply.body['code']).toBe('invalid_credentials');
}

describe('guesses at a password', () => {
  it('L2: of 500 at once from 500 addresses at two nodes about 20 are evaluated', async () => {
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

  it('L2: of 40 at once behind 79 in a row exactly one is evaluated, and the right one is refused', async () => {
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

  it('L2: of 30 at once from one address at two nodes exactly 10 are evaluated', async () => {
    await openConnections();
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => guess(index % 2 ? sibling : app, { from: HOME })),
    );
    const reasons = refusals();
    expect(reasons.filter((reason) => reason === 'wrong')).toHaveLength(10);
    expect(reasons.filter((reason) => reason === 'locked')).toHaveLength(20);
    expect(await counters()).toMatchObject([
      { network: '', failures: 10, locked_until: null },
      { network: HOME, failures: 10, locked_until: expect.any(String) },
    ]);
    expectRefused(await enter(HOME));
    expect((await enter(OFFICE)).status).toBe(200);
  });

  it('pain 8: a lock is not made longer by guesses while it lasts, and they are not counted', async () => {
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

  it('when a delay is over the right password opens, and counting begins anew', async () => {
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

  it('pain 8: a network that is locked uses up nothing of the account', async () => {
    for (let round = 0; round < 14; round += 1) await guess(round % 2 ? sibling : app, { from: stranger(7) });
    expect((await counters())[0]).toMatchObject({ network: '', failures: 10, locked_until: null });
    expect((await enter(HOME)).status).toBe(200);
  });

  it('incident 14 (L10): however a network is spelled, it is one', async () => {
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

  it('incident 35: an address in another spelling is counted as the same account', async () => {
    await guess(app, { from: HOME, address: email.toUpperCase() });
    await guess(app, { from: HOME, address: `Victim@${email.split('@')[1]}` });
    expect((await counters())[0]).toMatchObject({ failures: 2 });
  });

  it('what is counted outlives the nodes that counted', async () => {
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

  it('a guess that was never evaluated does not count', async () => {
    const node = await startApp({ env: { ...ROOM, ARGON2_CONCURRENCY: '1' }, sibling: app });
    try {
      const replies = await Promise.all(
        Array.from({ length: 68 }, (_, index) =>
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

describe('what happens while a password is checked', () => {
  it('a proof that was not evaluated is not counted as a guess', async () => {
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
  ])('an account %s meanwhile is not signed in to', async (_what, column) => {
    const presented = app.running.app.get(PresentedSessions, { strict: false });
    const idsOf = presented.idsOf.bind(presented);
    // The last step before the account is locked.
    jest.spyOn(presented, 'idsOf').mockImplementationOnce(async (brought) => {
      await app.query(sql`update users set ${column} = now() where email = ${email}`);
      return idsOf(brought);
    });
    const reply = await enter(HOME);
    expect([reply.status, reply.body['code']]).toEqual([401, 'invalid_credentials']);
    const sessions = await app.query(
      sql`select 1 from sessions where user_id = (select id from users where email = ${email})`,
    );
    expect(sessions).toEqual([]);
  });
});

describe('a lock is no weapon', () => {
  it('pain 8, L4: the owner signs in from a known network while strangers keep the account locked', async () => {
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

  it('a known network has a counter of its own, and is one for 90 days', async () => {
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

  it('a network that is known for one account is a stranger to another', async () => {
    expect((await enter(HOME)).status).toBe(200);
    const other = await signUp(app, `other@lockout${domains}.example`);
    await failBefore(80, '', other);
    expectRefused(await guess(app, { from: HOME, address: other, password: PASSWORD }));
  });

  it('L1: strangers have 80 guesses in a row, whatever time passes; the owner’s networks have the rest, up to 100', async () => {
    expect((await enter(HOME)).status).toBe(200);
    expect((await enter(OFFICE)).status).toBe(200);
    expect((await enter(stranger(300))).status).toBe(200);
    await failBefore(79);
    expectRefused(await guess(app, { from: stranger(1) }));
    await pass();
    await app.query(sql`update guess_counters set updated_at = now() - interval '400 days'`);
    await app.running.app.get(Sweeper, { strict: false }).sweep();
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

  it('L1: behind 80 guesses of strangers, one bad neighbour leaves guesses to another known network, and a success ends it', async () => {
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

  it('L1, L4: what recovers an account opens it again, and for the password alone', async () => {
    await failBefore(100);
    await failBefore(12, HOME);
    await app.query(
      sql`insert into guess_counters (authenticator, subject, network, is_account, failures)
          values ('totp', ${subject(email)}, '', true, 99)`,
    );
    expectRefused(await enter(HOME));
    const lockout = app.running.app.get(Lockout);
    await app.running.database.database.transaction((tx) => lockout.clear(tx, email));
    // A mailbox that resets passwords again and again must not guess codes without end.
    expect(await counters()).toMatchObject([{ network: '', failures: 99 }]);
    expect((await enter(HOME)).status).toBe(200);
    await app.running.database.database.transaction((tx) => lockout.clearAll(tx, email));
    expect(await counters()).toEqual([]);
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

  it('incident 23, L3, T4: every pathway, challenge and node counts, and neither the right password nor a new challenge resets', async () => {
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

describe('what others see of it', () => {
  it('L5: every negative answer is the same, byte for byte', async () => {
    const strict = await startApp({ env: { ...ROOM, AUTH_REQUIRE_VERIFIED_EMAIL: 'true' }, sibling: app });
    try {
      const at = (name: string) => `${name}@answers.example`;
      for (const name of ['wrong', 'locked', 'disabled', 'unverified', 'nopassword', 'slow'])
        await signUp(app, at(name));
      await app.query(
        sql`update users set email_verified_at = now() where email_canonical like '%@answers.example' and email_canonical not like 'unverified%'`,
      );
      await app.query(sql`update users set disabled_at = now() where email_canonical = ${at('disabled')}`);
      await app.query(sql`update users set password_hash = null where email_canonical = ${at('nopassword')}`);
      await failBefore(80, '', at('locked'));
      await failBefore(9, HOME, at('slow'));
      const cases = [
        { address: at('unknown'), password: WRONG },
        { address: at('unknown'), password: PASSWORD },
        { address: at('wrong'), password: WRONG },
        { address: at('wrong'), password: '' },
        { address: at('locked'), password: WRONG },
        { address: at('locked'), password: PASSWORD },
        { address: at('disabled'), password: PASSWORD },
        { address: at('unverified'), password: PASSWORD },
        { address: at('nopassword'), password: PASSWORD },
        { address: at('slow'), password: WRONG },
        { address: at('slow'), password: PASSWORD },
      ];
      const seen = new Set<string>();
      for (const { address, password } of cases) {
        const { status, headers, text, body } = await guess(strict, { from: HOME, address, password });
        const { date: _, 'x-request-id': id, ...others } = headers;
        expect(body['request_id']).toBe(id);
        seen.add(JSON.stringify([status, others, text.replace(String(id), '')]));
      }
      expect([...seen]).toHaveLength(1);
      expect([...seen][0]).toContain('invalid_credentials');
      const reasons = refusals(at('any'), [strict]).reduce<Record<string, number>>(
        (counts, reason) => ({ ...counts, [String(reason)]: (counts[String(reason)] ?? 0) + 1 }),
        {},
      );
      expect(reasons).toEqual({ wrong: 6, locked: 3, disabled: 1, unverified: 1 });
    } finally {
      await strict.close();
    }
  });

  it('L4: what was guessed before there was an account does not lock it, and what is guessed afterwards does', async () => {
    const newcomer = `newcomer@lockout${domains}.example`;
    for (let round = 0; round < 12; round += 1)
      expectRefused(await guess(app, { from: HOME, address: newcomer }));
    await app.query(
      sql`update guess_counters set failures = 80, locked_until = now() + interval '15 minutes'
          where subject = ${subject(newcomer)}`,
    );
    expectRefused(await guess(app, { from: OFFICE, address: newcomer, password: PASSWORD }));
    await signUp(app, newcomer);
    for (let round = 0; round < 11; round += 1)
      expectRefused(await guess(app, { from: OFFICE, address: newcomer }));
    expect((await counters(newcomer)).map(({ network, failures }) => [network, failures])).toEqual([
      ['', 10],
      [HOME, 80],
      [OFFICE, 10],
    ]);
    const replies = [OFFICE, HOME].map((from) => guess(app, { from, address: newcomer, password: PASSWORD }));
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([401, 200]);
  });

  it('L5: an address that nobody has is counted and locked like one that somebody has', async () => {
    const unknown = `nobody@lockout${domains}.example`;
    const counted: unknown[] = [];
    for (const address of [email, unknown]) {
      for (let round = 0; round < 12; round += 1) expectRefused(await guess(app, { from: HOME, address }));
      counted.push(
        (await counters(address)).map(({ network, failures, left }) => [network, failures, left !== null]),
      );
    }
    expect(counted[0]).toEqual([
      ['', 10, false],
      [HOME, 10, true],
    ]);
    expect(counted[1]).toEqual(counted[0]);
  });

  it('a lock is recorded once, when it begins, in the audit trail and the log', async () => {
    for (let round = 0; round < 12; round += 1) await guess(app, { from: HOME });
    const [user] = await app.query(
      sql<{ id: string }>`select id from users where email_canonical = ${email}`,
    );
    const event = { authenticator: 'password', locked: ['network'], failures: 10, user_id: user?.id };
    expect(await locks()).toMatchObject([event]);
    const masked = `v***@${email.split('@')[1]}`;
    const lines = app.logs.filter(
      (line) => line['event'] === 'authenticator_locked' && line['email'] === masked,
    );
    expect(lines).toMatchObject([
      { ip: HOME, user: user?.id, locked: ['network'], authenticator: 'password' },
    ]);
    await pass();
    await guess(app, { from: HOME });
    expect(await locks()).toHaveLength(2);
    expect((await enter(OFFICE)).status).toBe(200);
    await failBefore(25);
    await guess(app, { from: stranger(1) });
    // A slip from a known network begins no lock while there is one.
    await guess(app, { from: OFFICE });
    expect((await locks()).slice(2)).toMatchObject([{ locked: ['account'], failures: 26 }]);
    expect(app.logText()).not.toContain(WRONG);
  });

  it('L8: a success after five wrong guesses or more is told to the owner, with their number', async () => {
    const mails = () =>
      app.query(
        sql<{
          kind: string;
          params: Record<string, string>;
        }>`select kind, params from outbox_mails
          where recipient = ${email} and kind <> 'verify_email' order by created_at`,
      );
    await failBefore(3);
    await guess(app, { from: stranger(1) });
    expect((await enter(HOME)).status).toBe(200);
    expect(await mails()).toEqual([]);
    await failBefore(6);
    await guess(app, { from: stranger(1) });
    expect((await enter(HOME)).status).toBe(200);
    expect(await mails()).toMatchObject([
      { kind: 'sign_in_after_failures', params: { failures: '7', ip: HOME } },
    ]);
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

  it('L8: a device is new when neither its network nor its agent was seen, and the first one of all is not', async () => {
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

  it('those not seen for 400 days go at the next sign-in, but the last one tells a new one from a first one', async () => {
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

  it('50 of a person are remembered, and the one not seen for longest goes', async () => {
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

describe('counters that have served', () => {
  it('go a day after the last guess, but what is counted of an account stays', async () => {
    const unknown = `nobody@swept${domains}.example`;
    for (const address of [email, unknown]) {
      await guess(app, { from: HOME, address });
      await guess(app, { from: OFFICE, address });
    }
    const age = (address: string, hours: number) =>
      app.query(
        sql`update guess_counters set updated_at = now() - make_interval(hours => ${hours}) where subject = ${subject(address)}`,
      );
    await Promise.all([age(email, 23), age(unknown, 23)]);
    const sweep = () => app.running.app.get(Sweeper, { strict: false }).sweep();
    await sweep();
    expect(await counters()).toHaveLength(3);
    expect(await counters(unknown)).toHaveLength(3);
    await Promise.all([age(email, 25), age(unknown, 25)]);
    await Promise.all([sweep(), sibling.running.app.get(Sweeper, { strict: false }).sweep()]);
    expect(await counters()).toMatchObject([{ network: '', failures: 2 }]);
    expect(await counters(unknown)).toEqual([]);
  });
});

it('P10: a password does not grow old: an account of 400 days signs in', async () => {
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

describe.each(STRATEGIES)('while an account is locked, with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let node: TestApp;
  beforeAll(async () => {
    node = await startApp({ env: { ...ROOM, AUTH_STRATEGY: strategy }, sibling: app, force: true });
  });
  afterAll(() => node.close());

  it('L4: sessions that live go on, and are refreshed', async () => {
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
