import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { TEST_SECRET, type TestApp } from '../../support/app.js';
import type { Reply } from '../../support/client.js';
import { credentialIn, Holder } from '../../support/holder.js';
import { decodeToken } from '../../support/jwt.js';
import { onServer } from '../../support/database.js';
import { untilBlocked } from '../../support/locks.js';
import { until } from '../../support/process.js';
import { PASSWORD, signUp, STRATEGIES, strategyOf } from '../../support/strategies.js';
import { Traffic } from '../../support/traffic.js';
import {
  nodes,
  openDatabase,
  query,
  shared,
  start,
  statusNow,
  stopAll,
  type Value,
} from '../../support/strategy-change.js';

openDatabase();

/** Milliseconds from the use of a new credential to the end of the old one, on every node. */
const DEAD_WITHIN = 3_000;

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

    it('accepts its own kind only [pain 14]', async () => {
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

  it('issues nothing to holders of the issuing kind', async () => {
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

  it('requires a signed-in user and the own origin', async () => {
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
] as const)('exchange from $from to $to', ({ from, to, before, after }) => {
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
    'issues by %s what a sign-in would, for the same session [pain 13]',
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
    'keeps the old credential until the new one (%s) is used, then revokes it on every node',
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

  it('clears the replaced cookies; leftover ones do no harm [pain 15]', async () => {
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

  it('can be reversed immediately and repeatedly without a refusal', async () => {
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

  it('gives twenty concurrent requests on two nodes the same credential [F3]', async () => {
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

  it('is repeatable on any node after a lost response, and stores only hashes [F4, S1]', async () => {
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

  it('extends no session and keeps its id [S2]', async () => {
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

  it('is refused immediately after the session has ended, whatever a node cached [pain 4]', async () => {
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

  it('cannot be started by a credential that an exchange has revoked', async () => {
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

  it('is refused if another one completed while it waited [pain 4]', async () => {
    const holder = await Holder.signIn(old);
    expect((await holder.open(now)).status).toBe(200);
    let waiting: Promise<Reply> | undefined;
    await shared.running.database.database.transaction(async (tx) => {
      await tx.query(
        sql`update sessions set strategy = ${to}, secret_hash = null where id = ${holder.sessionId}`,
      );
      waiting = holder.exchange(now);
      // The embedded database has one connection: the exchange waits for that.
      if (onServer) await untilBlocked(1, (statement) => tx.query(sql.raw(statement)));
    });
    expect((await waiting)?.body).toMatchObject(WITHDRAWN);
  });

  it('that is reversed keeps the old credential valid if the new one was never used', async () => {
    const holder = await Holder.signIn(old);
    await holder.exchange(now);
    const again = await holder.exchange(old);
    expect(again.status).toBe(200);
    expect(credentialIn(again)).toBeUndefined();
    expect((await holder.open(old)).status).toBe(200);
  });

  it('that began under a secret unknown to a node is 503 there, and the same elsewhere', async () => {
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

describe('refresh tokens of an exchanged session', () => {
  let cookies: TestApp;
  let tokens: TestApp;
  beforeAll(async () => {
    cookies = await start('session,jwt');
    tokens = await start('jwt,session');
  });
  afterAll(stopAll);

  it('the first refresh with a new token revokes the cookie in its transaction', async () => {
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

  it('an old token is unknown after an exchange for a cookie: an old tab signs no user out', async () => {
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

  it('refreshes concurrent with the first use of the cookie end nothing', async () => {
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

  it('access tokens from before an exchange and back stay dead, and new ones work immediately', async () => {
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

  it('the log has the exchange without the credential', async () => {
    const holder = await Holder.signIn(cookies);
    const given = credentialIn(await holder.exchange(tokens));
    const event = { event: 'exchange', session: holder.sessionId, from: 'session', to: 'jwt' };
    expect(tokens.logs).toContainEqual(expect.objectContaining(event));
    expect(tokens.logText()).not.toContain(given);
  });
});

describe('change of strategy on three nodes under traffic [pain 13]', () => {
  // Status counts everybody's credentials.
  beforeAll(() => query(sql`delete from users`));
  afterAll(stopAll);

  it('from session to jwt and back, node by node, signs no user out and refuses no request', async () => {
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
        await traffic.more(40);
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
