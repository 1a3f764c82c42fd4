import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { LiveCredentials } from '../src/auth/nodes/live-credentials.service.js';
import { Nodes } from '../src/auth/nodes/nodes.service.js';
import { StepRefused } from '../src/auth/nodes/step-refused.js';
import { strategyStatus } from '../src/auth/nodes/strategy-status.js';
import { stepsBeside, walk } from '../src/auth/nodes/strategy-steps.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { openShared, startApp, TEST_SECRET, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import { credentialIn, Holder } from './support/holder.js';
import { decodeToken } from './support/jwt.js';
import { endAllPrograms, startProgram, until } from './support/process.js';
import { PASSWORD, signIn, signUp, STRATEGIES, strategyOf } from './support/strategies.js';
import { Traffic } from './support/traffic.js';

type Value = (typeof STRATEGIES)[number]['strategy'];
type Shared = Awaited<ReturnType<typeof openShared>>;

/** Milliseconds from the use of a new credential to the end of the old one, on every node. */
const DEAD_WITHIN = 3_000;

/** The database of all nodes here; no node outlives its test. */
let shared: Shared;
const nodes: TestApp[] = [];
/** Begun first, because it takes ten seconds. */
let renewed: Promise<boolean>;
beforeAll(async () => {
  renewed = watchRenewal();
  shared = await openShared();
});
afterAll(async () => {
  await renewed;
  await shared.close();
});

async function stopAll(): Promise<void> {
  for (const app of nodes.splice(0)) await app.close();
}

async function start(strategy: Value, env = {}, force?: true): Promise<TestApp> {
  const options = { env: { AUTH_STRATEGY: strategy, ...env }, sibling: shared };
  const app = await startApp(force ? { ...options, force } : options);
  nodes.push(app);
  return app;
}

/** Why a node does not come up. */
function refusal(strategy: Value): Promise<unknown> {
  return start(strategy).then(
    () => null,
    (error: unknown) => error,
  );
}

function query<Row>(statement: RawBuilder<Row>): Promise<Row[]> {
  return shared.running.database.database.query(statement);
}

/** What `traffy strategy status` goes by. */
async function statusNow() {
  const { database } = shared.running.database;
  const status = strategyStatus(
    await new Nodes(database).listLive(),
    await new LiveCredentials(database, { SESSION_IDLE_TTL: 14 * 86_400 }).byKind(),
  );
  const kind = (name: string) => status.kinds.find((found) => found.kind === name);
  return { ...status, session: kind('session'), jwt: kind('jwt') };
}

describe('the count of credentials in use', () => {
  it('is right however many there are, in statements that are short, and ends when it is told to', async () => {
    const own = await openShared();
    const { database } = own.running.database;
    await database.query(
      sql`insert into users (id, email, email_canonical) values (gen_random_uuid(), 'many@example.com', 'many@example.com')`,
    );
    await database.query(
      sql`insert into sessions (id, user_id, strategy, methods, expires_at, last_used_at, revoked_at, revoked_reason)
          select gen_random_uuid(), u.id, case n % 3 when 0 then 'jwt' else 'session' end, '{pwd}', now() + make_interval(secs => 60 * n),
            now() - make_interval(days => (case when n % 10 = 1 then 20 else 1 end)), case when n % 10 = 2 then now() end,
            case when n % 10 = 2 then 'logout' end
          from users u, generate_series(1, 45000) as n`,
    );
    const credentials = new LiveCredentials(database, { SESSION_IDLE_TTL: 14 * 86_400 });
    let rests = 0;
    const inUse = await credentials.byKind(async () => void (rests += 1));
    // Of three, two are cookies; of ten, one idled out and one was ended.
    expect(inUse).toMatchObject([
      { kind: 'jwt', sessions: 12_000 },
      { kind: 'session', sessions: 24_000 },
    ]);
    expect(rests).toBe(2);
    const [{ goneAt = new Date(0) } = {}] = inUse;
    expect(goneAt.getTime() - Date.now()).toBeGreaterThan(44_000 * 60_000);
    const stopped = credentials.byKind(async () => Promise.reject(new Error('it stops')));
    await expect(stopped).rejects.toThrow('it stops');
    await own.close();
  });
});

describe('the steps of AUTH_STRATEGY', () => {
  afterEach(stopAll);

  it.each(STRATEGIES)('beside $strategy may start what understands it, and nothing else', async (running) => {
    const first = await start(running.strategy);
    for (const { strategy, issues, accepts } of STRATEGIES) {
      const fit =
        (accepts as readonly string[]).includes(running.issues) &&
        (running.accepts as readonly string[]).includes(issues);
      const error = await refusal(strategy);
      expect({ strategy, isRefused: error instanceof StepRefused }).toEqual({ strategy, isRefused: !fit });
      if (error === null) await nodes.pop()?.close();
    }
    expect((await first.client.get('/health/ready')).status).toBe(200);
  });

  it('a refusal names the nodes, the way, what may start now, when a silent node stops counting, and --force', async () => {
    await start('session', { PORT: '8001' });
    await start('session,jwt');
    const { message } = (await refusal('jwt')) as Error;
    expect(message).toMatch(/^AUTH_STRATEGY=jwt does not fit/);
    expect(message).toMatch(new RegExp(`\\S:8001 \\(pid ${process.pid}\\) runs session: .*would not accept`));
    expect(message).toMatch(/runs session,jwt: /);
    expect(message).toContain('session → session,jwt → jwt,session → jwt');
    expect(message).toContain('may start: session or session,jwt.');
    expect(message).toContain('within 30 s');
    expect(message).toContain('npm start -- --force (in a clone), or traffy serve --force');
  });

  it('hold for any number of kinds', () => {
    expect(walk(['a'], ['c']).map(String)).toEqual(['a', 'a,c', 'c,a', 'c']);
    expect(walk(['a', 'b', 'c'], ['c']).map(String)).toEqual(['a,b,c', 'c,a', 'c']);
    expect(walk(['a'], ['a']).map(String)).toEqual(['a']);
    expect(stepsBeside([], ['a', 'b', 'c'])).toHaveLength(15);
    expect(
      stepsBeside(
        [
          ['a', 'b'],
          ['b', 'a'],
        ],
        ['a', 'b', 'c'],
      ).map(String),
    ).toEqual(['a,b', 'b,a', 'a,b,c', 'a,c,b', 'b,a,c', 'b,c,a']);
  });

  it('with --force it starts all the same, and the log warns', async () => {
    await start('session');
    const forced = await start('jwt', {}, true);
    expect(forced.logs).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        event: 'strategy_step_forced',
        misfits: [expect.stringContaining('runs session')],
      }),
    );
    expect(await statusNow()).toMatchObject({
      isFitting: false,
      values: ['session', 'jwt'],
      nextSteps: [],
      waysOut: [
        { stop: ['jwt'], mayStart: ['session', 'session,jwt'] },
        { stop: ['session'], mayStart: ['jwt', 'jwt,session'] },
      ],
    });
  });

  it('of two nodes that start at once and do not fit, at most one comes up', async () => {
    for (let round = 0; round < 3; round += 1) {
      const starts = await Promise.allSettled(
        (['session', 'jwt,session', 'session', 'jwt'] as const).map((strategy) => start(strategy)),
      );
      const up = starts.filter(({ status }) => status === 'fulfilled').length;
      const status = await statusNow();
      expect(status).toMatchObject({ isFitting: true });
      expect(status.nodes).toHaveLength(up);
      expect(up).toBeGreaterThan(0);
      expect(up).toBeLessThan(3);
      await stopAll();
    }
  });

  it('a node whose PUBLIC_URL or AUTH_AUDIENCE is not that of the others starts, and its log and status name them', async () => {
    const env = { PORT: '8001', PUBLIC_URL: 'http://localhost:8001' };
    const first = await start('jwt', env);
    const second = await start('jwt', { AUTH_AUDIENCE: env.PUBLIC_URL });
    const differences = (app: TestApp) => app.logs.filter(({ event }) => event === 'nodes_differ');
    expect(differences(first)).toEqual([]);
    expect(differences(second)).toEqual([
      expect.objectContaining({
        level: 'warn',
        setting: 'PUBLIC_URL',
        value: 'http://localhost:8000',
        others: [expect.stringMatching(/:8001 \(pid \d+\) has http:\/\/localhost:8001$/)],
      }),
    ]);
    const settings = async () => (await statusNow()).differences.map(({ setting }) => setting);
    expect(await settings()).toEqual(['PUBLIC_URL']);
    await start('jwt', { ...env, AUTH_AUDIENCE: 'others' });
    expect(await settings()).toEqual(['PUBLIC_URL', 'AUTH_AUDIENCE']);
  });

  it('a node that drops a kind of which credentials are alive says how many, and until when', async () => {
    const before = await start('session');
    await signIn(before);
    await signIn(before);
    await nodes.pop()?.close();
    const after = await start('jwt');
    const warning = await until(() =>
      after.logs.find(({ event }) => event === 'live_credentials_not_accepted'),
    );
    expect(warning).toMatchObject({ level: 'warn', kind: 'session', sessions: 2 });
    const days = (Date.parse(String(warning['until'])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
  });
});

describe('the list of nodes', () => {
  afterEach(stopAll);

  const rows = () =>
    query(
      sql<{ id: string; strategy: string; pid: number; host: string; age: number }>`
        select id, strategy, pid, host, extract(epoch from now() - seen_at)::float8 as age from nodes order by started_at`,
    );
  const age = (row: { id: string } | undefined, seconds: number) =>
    query(
      sql`update nodes set seen_at = now() - make_interval(secs => ${seconds}) where id = ${row?.id ?? ''}`,
    );

  it('has a node from its start to its clean stop', async () => {
    await start('session,jwt');
    expect(await rows()).toEqual([
      expect.objectContaining({
        strategy: 'session,jwt',
        pid: process.pid,
        host: expect.stringMatching(/./),
      }),
    ]);
    await stopAll();
    expect(await rows()).toEqual([]);
  });

  it('does not count a node that said nothing for 30 s, and forgets it after a day', async () => {
    await start('session');
    const [row] = await rows();
    // Some seconds before the bound: a slow machine takes its time.
    await age(row, 20);
    expect(await refusal('jwt')).toBeInstanceOf(StepRefused);
    await age(row, 31);
    expect((await statusNow()).nodes).toEqual([]);
    await start('jwt');
    expect(await rows()).toHaveLength(2);
    await age(row, 86_401);
    const { running } = await start('jwt');
    await running.app.get(Sweeper, { strict: false }).sweep();
    expect((await rows()).map(({ strategy }) => strategy)).toEqual(['jwt', 'jwt']);
  });

  it('is renewed every ten seconds, also where a row has gone', async () => {
    expect(await renewed).toBe(true);
  });

  it('a node stops in time when its database has gone', async () => {
    const app = await startApp();
    await app.running.database.close();
    const startedAt = performance.now();
    await app.running.app.close();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect(app.logs.filter(({ event }) => event === 'node_registration_failed')).toHaveLength(1);
    await app.testDatabase.drop();
  });
});

async function watchRenewal(): Promise<boolean> {
  const app = await startApp();
  const other = await startApp({ sibling: app });
  const [row] = await app.query(sql<{ id: string }>`select id from nodes order by started_at`);
  await app.query(sql`update nodes set seen_at = now() - interval '25 seconds'`);
  await app.query(sql`delete from nodes where id = ${row?.id ?? ''}`);
  try {
    return await until(async () => {
      const fresh = await app.query(sql`select id from nodes where seen_at > now() - interval '5 seconds'`);
      return fresh.length === 2 || undefined;
    }, 15_000);
  } finally {
    await other.close();
    await app.close();
  }
}

/** Waits until every node refuses a credential, and gives the code. */
async function deadOn(apps: readonly TestApp[], holder: Holder): Promise<unknown> {
  const startedAt = performance.now();
  const codes = await Promise.all(
    apps.map((app) =>
      until(async () => {
        const { status, body } = await holder.open(app);
        return status === 401 ? { code: body['code'], action: body['action'] } : undefined;
      }, DEAD_WITHIN),
    ),
  );
  expect(performance.now() - startedAt).toBeLessThan(DEAD_WITHIN);
  expect(new Set(codes.map((code) => JSON.stringify(code))).size).toBe(1);
  return codes[0];
}

const WITHDRAWN = { code: 'credential_invalid', action: 'login' };

describe.each(STRATEGIES.filter(({ accepts }) => accepts.length === 1))(
  'POST /session/exchange with AUTH_STRATEGY=$strategy',
  ({ strategy, issues }) => {
    afterAll(stopAll);

    it('pain 14: knows only the kind that it accepts', async () => {
      const app = await start(strategy);
      const other = await start(issues === 'session' ? 'jwt' : 'session', {}, true);
      for (const transport of ['bearer', 'cookie'] as const) {
        const reply = await (await Holder.signIn(other, undefined, transport)).exchange(app);
        expect(reply.status).toBe(401);
        expect(reply.body).toMatchObject(WITHDRAWN);
      }
    });
  },
);

describe.each(STRATEGIES)('POST /session/exchange with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await start(strategy);
  });
  afterAll(stopAll);

  it('gives no other credential to whoever holds the kind that is issued', async () => {
    for (const transport of ['bearer', 'cookie'] as const) {
      const holder = await Holder.signIn(app, undefined, transport);
      const reply = await holder.exchange(app, transport);
      expect(reply.status).toBe(200);
      expect(Object.keys(reply.body).toSorted()).toEqual(['email', 'session', 'success']);
      expect(reply.body['session']).toMatchObject({ id: holder.sessionId, strategy: issues });
      expect(reply.setCookies).toEqual([]);
      expect((await holder.open(app)).status).toBe(200);
    }
  });

  it('is for whoever is signed in, and for pages of this origin', async () => {
    const holder = await Holder.signIn(app, undefined, 'cookie');
    const stranger = await Holder.signIn(app, undefined, 'cookie');
    const both = { cookie: `${holder.headers['cookie']}; ${stranger.headers['cookie']}` };
    expect((await app.client.post('/session/exchange')).body['code']).toBe('authentication_required');
    expect((await app.client.post('/session/exchange', {}, both)).body['code']).toBe(
      'conflicting_credentials',
    );
    const foreign = { ...holder.headers, origin: 'https://evil.example' };
    expect((await app.client.post('/session/exchange', {}, foreign)).body['code']).toBe('cross_site_request');
    const wrong = await app.client.post('/session/exchange', { transport: 'pigeon' }, holder.headers);
    expect(wrong.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'transport' }] });
  });
});

/** Two nodes in the middle of a change of strategy: one issues cookies, the other tokens, both take either. */
describe.each([
  { from: 'session', to: 'jwt', before: 'session,jwt', after: 'jwt,session' },
  { from: 'jwt', to: 'session', before: 'jwt,session', after: 'session,jwt' },
] as const)('an exchange from $from to $to', ({ from, to, before, after }) => {
  let old: TestApp;
  let now: TestApp;
  let all: TestApp[];
  beforeAll(async () => {
    old = await start(before);
    now = await start(after);
    all = [old, now, await start(after)];
  });
  afterAll(stopAll);

  it.each(['bearer', 'cookie'] as const)(
    'pain 13: gives by %s what a sign-in would give, for the same session',
    async (transport) => {
      const holder = await Holder.signIn(old, undefined, transport);
      const reply = await holder.exchange(now, transport);
      expect(reply.status).toBe(200);
      const login = await now.client.post('/login', { email: holder.email, password: PASSWORD, transport });
      expect(Object.keys(reply.body)).toEqual(Object.keys(login.body));
      const set = ({ setCookies }: Reply) =>
        setCookies.filter((line) => !line.includes('Max-Age=0')).map((line) => line.split('=')[0]);
      expect(set(reply)).toEqual(set(login));
      expect(reply.headers['cache-control']).toBe('no-store');
      expect(reply.body).toMatchObject({
        success: true,
        email: holder.email,
        session: { id: holder.sessionId, strategy: to },
      });
      holder.take(reply);
      expect((await now.client.get('/sessions', holder.headers)).body['sessions']).toContainEqual(
        expect.objectContaining({ id: holder.sessionId, current: true }),
      );
    },
  );

  it.each(['bearer', 'cookie'] as const)(
    'leaves the old credential good until the new one (%s) is used, and then ends it on every node',
    async (transport) => {
      const holder = await Holder.signIn(old, undefined, transport);
      const earlier = holder.copy();
      holder.take(await holder.exchange(now, transport));
      expect(holder.kind).toBe(to);
      await pause(700);
      for (const app of all) expect((await earlier.open(app)).status).toBe(200);
      expect((await statusNow())[from]?.sessions).toBeGreaterThan(0);
      expect((await holder.open(old)).status).toBe(200);
      expect(await deadOn(all, earlier)).toEqual(WITHDRAWN);
      for (const app of all) {
        expect((await app.client.get('/me', earlier.headers)).body).toEqual({
          logged_in: false,
          action: 'login',
        });
        expect((await holder.open(app)).status).toBe(200);
      }
      const { sessions } = (await now.client.get('/sessions', holder.headers)).body;
      expect(sessions).toEqual([expect.objectContaining({ id: holder.sessionId, strategy: to })]);
    },
  );

  it('pain 15: clears the cookies that it replaces; left over beside the new ones they do no harm', async () => {
    const holder = await Holder.signIn(old, undefined, 'cookie');
    const earlier = holder.copy();
    const reply = await holder.exchange(now, 'cookie');
    const cleared = reply.setCookies.filter((line) => line.includes('Max-Age=0'));
    const names = from === 'session' ? ['session'] : ['access_token', 'refresh_token'];
    expect(cleared.map((line) => line.split('=')[0]).toSorted()).toEqual(
      names.flatMap((name) => [`__Host-${name}`, name]).toSorted(),
    );
    holder.take(reply);
    const both = { cookie: `${earlier.headers['cookie']}; ${holder.headers['cookie']}` };
    expect((await now.client.get('/users/me', both)).status).toBe(200);
    await deadOn(all, earlier);
    for (const app of all) expect((await app.client.get('/users/me', both)).status).toBe(200);
    expect(credentialIn(await now.client.post('/session/exchange', undefined, both))).toBeUndefined();
  });

  it('goes back at once, and to and fro, without a refusal', async () => {
    const holder = await Holder.signIn(old);
    for (let round = 0; round < 6; round += 1) {
      for (const app of [now, old]) {
        holder.take(await holder.exchange(app));
        expect(holder.kind).toBe(strategyOf(app).issues);
        for (const node of all) expect((await holder.open(node)).status).toBe(200);
        if (holder.kind === 'jwt' && round % 2) holder.take(await holder.refresh(app));
      }
    }
    expect((await holder.open(old)).status).toBe(200);
  });

  it('F3: twenty at once on two nodes get one and the same credential', async () => {
    const holder = await Holder.signIn(old);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => holder.exchange(all[1 + (i % 2)] as TestApp)),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    const credentials = new Set(replies.map(credentialIn));
    expect(credentials.size).toBe(1);
    for (const reply of replies) {
      const client = holder.copy();
      client.take(reply);
      expect((await client.open(old)).status).toBe(200);
    }
    const tokens = await query(sql`select 1 from refresh_tokens where session_id = ${holder.sessionId}`);
    expect(tokens.length).toBeLessThanOrEqual(1);
  });

  it('F4: a lost answer is repeated by any node, and S1: only hashes of it are kept', async () => {
    const holder = await Holder.signIn(old);
    const lost = credentialIn(await holder.exchange(now)) ?? '';
    expect(credentialIn(await holder.exchange(all[2] as TestApp, 'cookie'))).toBe(lost);
    expect(lost).toMatch(to === 'jwt' ? /^trf_rt_/ : /^trf_st_/);
    const [row] = await query(
      sql<{
        dump: string;
      }>`select concat((select json_agg(s) from sessions s), (select json_agg(r) from refresh_tokens r)) as dump`,
    );
    for (const form of [lost, lost.slice(7), Buffer.from(lost.slice(7), 'base64url').toString('hex')])
      expect(row?.dump).not.toContain(form);
  });

  it('does not prolong the session, and S2: keeps its id', async () => {
    const holder = await Holder.signIn(old);
    await query(
      sql`update sessions set expires_at = now() + interval '90 seconds' where id = ${holder.sessionId}`,
    );
    const end = () =>
      query(
        sql<{ end: string }>`select expires_at::text as end from sessions where id = ${holder.sessionId}`,
      );
    const before = await end();
    const sessionId = holder.sessionId;
    const reply = await holder.exchange(now);
    expect(reply.body['session'].id).toBe(sessionId);
    holder.take(reply);
    expect((await holder.open(now)).status).toBe(200);
    expect(await end()).toEqual(before);
    const left =
      to === 'jwt'
        ? reply.body['expires_in']
        : Number(/Max-Age=(\d+)/.exec(reply.setCookies.at(-1) ?? '')?.[1]);
    expect(left).toBeLessThanOrEqual(90);
    expect(left).toBeGreaterThan(60);
  });

  it('pain 4: is refused the moment the session has ended, whatever a node remembers', async () => {
    for (const [end, code] of [
      [sql`update sessions set revoked_at = now(), revoked_reason = 'logout'`, 'credential_revoked'],
      [
        sql`update sessions set created_at = now() - interval '2 days', expires_at = now() - interval '1 day'`,
        'credential_expired',
      ],
    ] as const) {
      const holder = await Holder.signIn(old);
      expect((await holder.open(now)).status).toBe(200);
      await query(sql`${end} where id = ${holder.sessionId}`);
      const reply = await holder.exchange(now);
      expect(reply.status).toBe(401);
      expect(reply.body).toMatchObject({ code, action: 'login' });
      expect(credentialIn(reply)).toBeUndefined();
    }
  });

  it('ends with the session: signing out by either credential ends both', async () => {
    for (const byNew of [true, false]) {
      const holder = await Holder.signIn(old);
      const earlier = holder.copy();
      holder.take(await holder.exchange(now));
      const { headers } = byNew ? holder : earlier;
      expect((await now.client.post('/logout', undefined, headers)).status).toBe(200);
      for (const client of [earlier, holder]) {
        await deadOn(all, client);
        expect((await client.exchange(now)).status).toBe(401);
      }
    }
  });

  it('is not begun by a credential that an exchange has ended', async () => {
    const holder = await Holder.signIn(old);
    const earlier = holder.copy();
    holder.take(await holder.exchange(now));
    await holder.open(now);
    await until(async () => {
      const [row] = await query(
        sql<{ exchange_to: string | null }>`select exchange_to from sessions where id = ${holder.sessionId}`,
      );
      return row?.exchange_to === null || undefined;
    });
    expect((await earlier.exchange(all[2] as TestApp)).body).toMatchObject(WITHDRAWN);
  });

  it('pain 4: is refused where another one was settled while it waited', async () => {
    const holder = await Holder.signIn(old);
    expect((await holder.open(now)).status).toBe(200);
    let waiting: Promise<Reply> | undefined;
    await shared.running.database.database.transaction(async (tx) => {
      await tx.query(
        sql`update sessions set strategy = ${to}, secret_hash = null where id = ${holder.sessionId}`,
      );
      waiting = holder.exchange(now);
      await pause(100);
    });
    expect((await waiting)?.body).toMatchObject(WITHDRAWN);
  });

  it('that is taken back leaves whoever never used the new credential with the old one', async () => {
    const holder = await Holder.signIn(old);
    await holder.exchange(now);
    const again = await holder.exchange(old);
    expect(again.status).toBe(200);
    expect(credentialIn(again)).toBeUndefined();
    expect((await holder.open(old)).status).toBe(200);
  });

  it('that was begun under a secret which a node does not have yet is 503 there, and the same elsewhere', async () => {
    const secrets = `b8Jw3nZ6yR1tQ9mK4vX7cL2pH5sD0fGaUeIo,${TEST_SECRET}`;
    const renewed = await start(after, { AUTH_SECRETS: secrets });
    const holder = await Holder.signIn(old);
    const given = credentialIn(await holder.exchange(renewed));
    const elsewhere = await holder.exchange(now);
    expect(elsewhere.status).toBe(503);
    expect(Number(elsewhere.headers['retry-after'])).toBeGreaterThan(0);
    expect(credentialIn(await holder.exchange(renewed))).toBe(given);
    const earlier = await Holder.signIn(old);
    const first = credentialIn(await earlier.exchange(now));
    expect(credentialIn(await earlier.exchange(renewed))).toBe(first);
  });
});

describe('the refresh tokens of a session that is exchanged', () => {
  let cookies: TestApp;
  let tokens: TestApp;
  beforeAll(async () => {
    cookies = await start('session,jwt');
    tokens = await start('jwt,session');
  });
  afterAll(stopAll);

  it('the first refresh with a new one ends the cookie, in its own transaction', async () => {
    const holder = await Holder.signIn(cookies);
    const earlier = holder.copy();
    holder.take(await holder.exchange(tokens));
    holder.take(await holder.refresh(tokens));
    const [row] = await query(
      sql<{ exchange_to: string | null; secret_hash: unknown }>`select exchange_to, secret_hash from sessions
        where id = ${holder.sessionId}`,
    );
    expect(row).toEqual({ exchange_to: null, secret_hash: null });
    expect(await deadOn([cookies, tokens], earlier)).toEqual(WITHDRAWN);
    expect((await holder.open(cookies)).status).toBe(200);
  });

  it('an old one is unknown behind an exchange for a cookie: an old tab does not sign the person out', async () => {
    const holder = await Holder.signIn(tokens);
    const [tab, olderTab] = [holder.copy(), holder.copy()];
    tab.take(await tab.refresh(tokens));
    holder.take(await tab.exchange(cookies));
    expect((await holder.open(cookies)).status).toBe(200);
    await deadOn([cookies, tokens], tab);
    for (const old of [tab, olderTab]) {
      const reply = await old.refresh(tokens);
      expect(reply.body).toMatchObject({ code: 'refresh_invalid', action: 'login' });
    }
    expect((await holder.open(tokens)).status).toBe(200);
  });

  it('refreshes that race with the first use of the cookie end nothing', async () => {
    const people = await Promise.all(Array.from({ length: 8 }, () => Holder.signIn(tokens)));
    await Promise.all(
      people.map(async (holder) => {
        const tab = holder.copy();
        holder.take(await holder.exchange(cookies));
        const endless = Array.from({ length: 12 }, async (_, i) => {
          await pause(i * 70);
          if (i === 1) await holder.open(cookies);
          const reply = await tab.refresh(i % 2 ? cookies : tokens);
          if (reply.status === 200) tab.take(reply);
          return reply.status === 200 ? 'refreshed' : reply.body['code'];
        });
        expect(['refreshed', 'refresh_invalid']).toEqual(
          expect.arrayContaining([...new Set(await Promise.all(endless))]),
        );
        for (const app of [cookies, tokens]) expect((await holder.open(app)).status).toBe(200);
      }),
    );
  });

  it('access tokens from before an exchange and back stay dead, and new ones are good at once', async () => {
    const holder = await Holder.signIn(tokens);
    const earlier = holder.copy();
    holder.take(await holder.exchange(cookies));
    await holder.open(cookies);
    await deadOn([cookies, tokens], earlier);
    holder.take(await holder.exchange(tokens));
    expect((await holder.open(tokens)).status).toBe(200);
    expect((await holder.open(cookies)).status).toBe(200);
    expect(await deadOn([cookies, tokens], earlier)).toEqual(WITHDRAWN);
    const [row] = await query(
      sql<{ from: number }>`select extract(epoch from tokens_valid_from)::float8 as from from sessions
        where id = ${holder.sessionId}`,
    );
    expect(decodeToken(holder.bearer).claims['iat']).toBeGreaterThanOrEqual(row?.from ?? Infinity);
  });

  it('an exchange is in the log, without the credential', async () => {
    const holder = await Holder.signIn(cookies);
    const given = credentialIn(await holder.exchange(tokens));
    const event = { event: 'exchange', session: holder.sessionId, from: 'session', to: 'jwt' };
    expect(tokens.logs).toContainEqual(expect.objectContaining(event));
    expect(tokens.logText()).not.toContain(given);
  });
});

describe('pain 13: a change of strategy over three nodes under traffic', () => {
  // Status counts everybody's credentials.
  beforeAll(() => query(sql`delete from users`));
  afterAll(stopAll);

  it('walks from session to jwt and back, node by node, and nobody is signed out or refused', async () => {
    const traffic = new Traffic();
    for (let i = 0; i < 3; i += 1) traffic.add(await start('session'));
    const emails: string[] = [];
    for (let i = 0; i < 4; i += 1) emails.push(await signUp(nodes[0] as TestApp));
    for (const email of emails) await traffic.signIn(email, 'bearer');
    const workers = Array.from({ length: 4 }, () => traffic.run());

    const step = async (value: Value) => {
      const status = await statusNow();
      expect(status.isFitting).toBe(true);
      expect(status.nextSteps.map(({ strategy }) => strategy)).toContain(value);
      for (const app of nodes.splice(0)) {
        await traffic.drain(app);
        await app.close();
        traffic.add(await start(value));
        expect((await statusNow()).isFitting).toBe(true);
      }
      expect(await statusNow()).toMatchObject({ values: [value], nodes: { length: 3 } });
      await traffic.signIn(emails[nodes.length] ?? emails[0] ?? '', 'cookie');
      await traffic.signIn(emails[1] ?? '', 'bearer');
    };
    /** The last step to a kind: once status says that the other one can be dropped. */
    const drop = async (kind: 'session' | 'jwt', value: Value) => {
      const before = (await statusNow())[kind];
      expect(before?.isSafeToDrop).toBe(false);
      expect(before?.safeAt?.getTime()).toBeGreaterThan(Date.now());
      await traffic.exchangeAll(kind === 'session' ? 'jwt' : 'session');
      await until(async () => (await statusNow())[kind]?.isSafeToDrop || undefined);
      await step(value);
      await pause(200);
    };

    try {
      await step('session,jwt');
      await step('jwt,session');
      await drop('session', 'jwt');
      await step('jwt,session');
      await step('session,jwt');
      await drop('jwt', 'session');
    } finally {
      await traffic.end(workers);
    }
    expect(traffic.refused).toEqual([]);
    const ended = await query(
      sql`select id, revoked_reason from sessions where id = any(${traffic.sessionIds}::uuid[]) and revoked_at is not null`,
    );
    expect(ended).toEqual([]);
    const { open, me, refresh, exchange, login } = traffic.counts;
    expect(open + me).toBeGreaterThan(500);
    expect(refresh).toBeGreaterThan(20);
    expect(exchange).toBeGreaterThan(20);
    expect(login).toBe(16);
  });
});

/** Runs a command of the command line to its end. */
async function traffy(args: string[], env: Readonly<Record<string, string>>) {
  const program = startProgram({ args: ['traffy', ...args], env: { AUTH_SECRETS: TEST_SECRET, ...env } });
  const { code } = await program.exit;
  return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
}

describe('processes', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await endAllPrograms();
    await database.drop();
  });

  const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);

  it('traffy strategy status tells of credentials by kind, and that nobody serves', async () => {
    const app = await startApp({ database, env: { AUTH_STRATEGY: 'jwt,session' } });
    await signIn(app);
    await signIn(app);
    await app.close();
    const { code, out, err } = await traffy(['strategy', 'status', '--json'], {
      ...database.env,
      SESSION_IDLE_TTL: '2d',
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { credentials, ...rest } = JSON.parse(out);
    expect(rest).toEqual({
      configuration: { AUTH_STRATEGY: 'session', SESSION_IDLE_TTL: '2d' },
      nodes: [],
      values: [],
      nodes_fit: true,
      next_steps: [
        { strategy: 'session', sessions_lost: 2 },
        { strategy: 'jwt', sessions_lost: 0 },
        { strategy: 'session,jwt', sessions_lost: 0 },
        { strategy: 'jwt,session', sessions_lost: 0 },
      ],
      ways_out: [],
      differing_settings: [],
    });
    expect(credentials).toEqual([
      {
        kind: 'session',
        sessions: 0,
        last_used_at: null,
        issued_by: [],
        accepted: false,
        safe_to_drop: true,
        reasons: [],
        safe_if_unused_at: null,
        safe_at: null,
      },
      {
        kind: 'jwt',
        sessions: 2,
        last_used_at: TIME,
        issued_by: [],
        accepted: false,
        safe_to_drop: false,
        reasons: ['2 live sessions hold one'],
        safe_if_unused_at: TIME,
        safe_at: TIME,
      },
    ]);
    const days = (time: string) => Math.round((Date.parse(time) - Date.now()) / 86_400_000);
    expect([days(credentials[1].safe_if_unused_at), days(credentials[1].safe_at)]).toEqual([2, 30]);
    const { out: text } = await traffy(['strategy', 'status'], database.env);
    // Without a node nothing is accepted or refused.
    expect(text).toMatch(/^session +0 +never +yes$/m);
    expect(text).toMatch(/^jwt +2 .* no: 2 live sessions hold one; from /m);
    expect(text).toContain('may start with: session (ends 2 sign-ins) or jwt or session,jwt or jwt,session.');
  });

  (onServer ? describe : describe.skip)('on a server', () => {
    it('traffy strategy status shows which node runs what, and ends with 1 if they do not fit', async () => {
      const app = await startApp({ database, env: { AUTH_STRATEGY: 'session,jwt' } });
      const other = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt,session' } });
      await signIn(app);
      const fitting = await traffy(['strategy', 'status', '--json'], database.env);
      expect({ code: fitting.code, err: fitting.err }).toEqual({ code: 0, err: '' });
      const status = JSON.parse(fitting.out);
      const row = {
        id: expect.any(String),
        public_url: 'http://localhost:8000',
        audience: 'http://localhost:8000',
        host: expect.any(String),
        port: null,
        pid: process.pid,
        version: '0.1.0',
      };
      expect(status.nodes).toEqual([
        { ...row, strategy: 'session,jwt', started_at: TIME, seen_at: TIME },
        { ...row, strategy: 'jwt,session', started_at: TIME, seen_at: TIME },
      ]);
      expect(status).toMatchObject({
        values: ['session,jwt', 'jwt,session'],
        nodes_fit: true,
        next_steps: [
          { strategy: 'session,jwt', sessions_lost: 0 },
          { strategy: 'jwt,session', sessions_lost: 0 },
        ],
        credentials: [
          {
            kind: 'session',
            sessions: 1,
            issued_by: [status.nodes[0].id],
            safe_to_drop: false,
            reasons: [expect.stringContaining(`(pid ${process.pid}) issues it`), '1 live session holds one'],
            safe_at: null,
          },
          { kind: 'jwt', sessions: 0, issued_by: [status.nodes[1].id], safe_to_drop: false, safe_at: null },
        ],
      });
      const forced = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt' }, force: true });
      const stranger = await startApp({
        sibling: app,
        env: { AUTH_STRATEGY: 'jwt,session', PORT: '8003', PUBLIC_URL: 'http://localhost:8003' },
      });
      const { code, out, err } = await traffy(['strategy', 'status'], database.env);
      expect(code).toBe(1);
      expect(err).toMatch(
        /^traffy: nodes run values of AUTH_STRATEGY that do not fit.*; nodes differ in PUBLIC_URL/,
      );
      for (const text of [
        'session,jwt ',
        'never while a node issues it',
        'AUTH_STRATEGY=session and',
        'Nodes do not fit: some refuse what others issue. Ways out:\n  Stop those that run jwt; then a node may start with session,jwt or jwt,session.',
        `:8003 (pid ${process.pid}) has http://localhost:8003`,
      ])
        expect(out).toContain(text);
      for (const node of [stranger, forced, other, app]) await node.close();
    });

    it('a start that skips a step is refused, forced by --force, and free 30 s after a SIGKILL', async () => {
      const env = { ...database.env, AUTH_SECRETS: TEST_SECRET };
      const jwt = { ...env, AUTH_STRATEGY: 'jwt' };
      const killed = startProgram({ env: { ...env, AUTH_STRATEGY: 'session' } });
      await killed.ready();
      await killed.kill('SIGKILL');
      const refused = startProgram({ env: jwt });
      expect((await refused.exit).code).toBe(1);
      expect(refused.stderr()).toMatch(/^Traffy cannot start: AUTH_STRATEGY=jwt does not fit/m);
      expect(refused.stderr()).toContain(`(pid ${killed.pid}) runs session`);
      const forced = startProgram({ args: ['traffy', 'serve', '--port', '0', '--force'], env: jwt });
      await forced.ready();
      expect((await forced.kill('SIGTERM')).code).toBe(0);
      expect(forced.stdout()).toContain('"event":"strategy_step_forced"');
      const client = new pg.Client({ connectionString: database.env['DATABASE_URL'] });
      await client.connect();
      const { rowCount } = await client.query("update nodes set seen_at = now() - interval '31 seconds'");
      await client.end();
      expect(rowCount).toBe(1);
      const free = startProgram({ env: jwt });
      await free.ready();
      expect((await free.kill('SIGTERM')).code).toBe(0);
    });
  });

  (onServer ? describe.skip : describe)('on the embedded database', () => {
    it('a process that was killed counts no more on the embedded database', async () => {
      const env = { ...database.env, AUTH_SECRETS: TEST_SECRET };
      const killed = startProgram({ env: { ...env, AUTH_STRATEGY: 'session' } });
      await killed.ready();
      await killed.kill('SIGKILL');
      const next = startProgram({ env: { ...env, AUTH_STRATEGY: 'jwt' }, args: ['--force'] });
      await next.ready();
      expect((await next.kill('SIGTERM')).code).toBe(0);
      expect(next.stdout()).not.toContain('strategy_step_forced');
    });
  });
});
