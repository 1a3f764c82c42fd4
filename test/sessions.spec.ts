import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { ServiceClients } from '../src/auth/clients/service-clients.service.js';
import { RevocationFeed } from '../src/auth/sessions/revocation-feed.service.js';
import { SessionActivity } from '../src/auth/sessions/session-activity.service.js';
import { startApp, TEST_SECRET, type TestApp } from './support/app.js';
import { cookieValue } from './support/client.js';
import { PASSWORD, signIn, STRATEGIES } from './support/strategies.js';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';

describe.each(STRATEGIES)('sessions with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it('S6: lists the live ones of the caller, the newest first, and says which is this one', async () => {
    const first = await signIn(app);
    const second = await signIn(app, first.email);
    const ended = await signIn(app, first.email);
    await ended.client.post('/logout');
    await signIn(app);
    const { status, body } = await first.client.get('/sessions');
    expect(status).toBe(200);
    const device = (id: string, current: boolean) => ({
      id,
      current,
      strategy: issues,
      created_at: expect.stringMatching(/Z$/),
      last_used_at: expect.stringMatching(/Z$/),
      ip: '127.0.0.1',
      user_agent: 'lightMyRequest',
    });
    expect(body).toEqual({ sessions: [device(second.sessionId, false), device(first.sessionId, true)] });
  });

  it.each([
    [FIREFOX, 'Firefox 133 on Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
      'Safari 18 on iOS',
    ],
    ['curl/8.9.1', 'curl/8.9.1'],
    ['\u00e9trange <b>agent</b>', '\u00e9trange <b>agent</b>'],
  ])('shows the user agent %s as %s', async (userAgent, shown) => {
    const { email } = await signIn(app);
    const reply = await app.client.post('/login', { email, password: PASSWORD }, { 'user-agent': userAgent });
    const { client } = await signIn(app, email);
    const { sessions } = (await client.get('/sessions')).body;
    const mine = sessions.find(({ id }: { id: string }) => id === reply.body['session'].id);
    expect(mine.user_agent).toBe(shown);
  });

  it('S6: ends one of the caller’s own, and that one alone', async () => {
    const first = await signIn(app);
    const second = await signIn(app, first.email);
    const reply = await first.client.send('DELETE', `/sessions/${second.sessionId}`);
    expect(reply.status).toBe(204);
    expect(reply.text).toBe('');
    expect(reply.setCookies).toEqual([]);
    expect((await second.client.get('/users/me')).status).toBe(401);
    expect((await first.client.get('/users/me')).status).toBe(200);
  });

  it('ends the session that it is called with, and clears the cookies', async () => {
    const { client, sessionId } = await signIn(app);
    const reply = await client.send('DELETE', `/sessions/${sessionId}`);
    expect(reply.status).toBe(204);
    expect(reply.setCookies.every((line) => line.includes('Max-Age=0'))).toBe(true);
    expect(reply.setCookies).toHaveLength(6);
    expect((await client.get('/users/me')).status).toBe(401);
  });

  it('S6: a foreign, an ended, an unknown and a malformed id are 404 alike', async () => {
    const { client, email } = await signIn(app);
    const ended = await signIn(app, email);
    await ended.client.post('/logout');
    const foreign = await signIn(app);
    for (const id of [
      foreign.sessionId,
      ended.sessionId,
      crypto.randomUUID(),
      'x',
      "'; drop table sessions --",
    ]) {
      const reply = await client.send('DELETE', `/sessions/${encodeURIComponent(id)}`);
      expect({ id, status: reply.status, code: reply.body['code'] }).toEqual({
        id,
        status: 404,
        code: 'not_found',
      });
    }
    expect((await foreign.client.get('/users/me')).status).toBe(200);
  });

  it('S7: records the last use in batches outside the request, at most once a minute a session', async () => {
    const { client, sessionId } = await signIn(app);
    const activity = app.running.app.get(SessionActivity, { strict: false });
    const lastUse = async () =>
      (
        await app.query(
          sql<{
            age: number;
          }>`select extract(epoch from now() - last_used_at)::float8 as age from sessions where id = ${sessionId}`,
        )
      )[0]?.age;
    await app.query(
      sql`update sessions set last_used_at = now() - interval '13 days' where id = ${sessionId}`,
    );
    await client.get('/me');
    expect(await lastUse()).toBeGreaterThan(86_400);
    await activity.flush();
    expect(await lastUse()).toBeLessThan(30);
    await app.query(
      sql`update sessions set last_used_at = now() - interval '40 seconds' where id = ${sessionId}`,
    );
    await client.get('/me');
    await activity.flush();
    expect(await lastUse()).toBeGreaterThan(30);
  });

  it('S7: a late note of use does not bring back a session that idled out', async () => {
    const { client, sessionId } = await signIn(app);
    await client.get('/me');
    await app.query(
      sql`update sessions set last_used_at = now() - interval '15 days' where id = ${sessionId}`,
    );
    await app.running.app.get(SessionActivity, { strict: false }).flush();
    // The row was changed behind the service's back: it hears of it in a moment.
    await app.running.app.get(RevocationFeed, { strict: false }).catchUp();
    expect((await client.get('/users/me')).body['code']).toBe('credential_expired');
  });
});

describe('a short SESSION_IDLE_TTL', () => {
  it('S7: ends a session that is not used, and not one that is used all the time', async () => {
    const app = await startApp({ env: { SESSION_IDLE_TTL: '4s' } });
    const active = await signIn(app);
    const idle = await signIn(app);
    const until = Date.now() + 7_000;
    while (Date.now() < until) {
      expect((await active.client.get('/users/me')).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect((await idle.client.get('/users/me')).body['code']).toBe('credential_expired');
    expect((await active.client.get('/users/me')).status).toBe(200);
    await app.close();
  });
});

describe('a session that services ask about, and nobody uses', () => {
  it('S7: idles out all the same: what is remembered for a question does not outlive it', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'session', SESSION_IDLE_TTL: '20s' } });
    const { reply, sessionId } = await signIn(app);
    const service = await app.running.app
      .get(ServiceClients, { strict: false })
      .add('resource-server', ['introspect']);
    const ask = async () =>
      (
        await app.client.post('/introspect', `token=${cookieValue(reply, 'session')}`, {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${btoa(`${service?.id}:${service?.secret}`)}`,
        })
      ).body['active'];
    // Two seconds are left of it when it is asked about and remembered.
    await app.query(
      sql`update sessions set last_used_at = now() - interval '18 seconds' where id = ${sessionId}`,
    );
    expect(await ask()).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await ask()).toBe(false);
    await app.close();
  });
});

describe('SESSIONS_PER_USER=1', () => {
  it('S9: parallel sign-ins on two nodes all succeed, and one session is left', async () => {
    const env = { SESSIONS_PER_USER: '1' };
    const app = await startApp({ env });
    const other = await startApp({ env, sibling: app });
    const { email } = await signIn(app);
    const signIns = Array.from({ length: 24 }, (_, i) => signIn(i % 2 ? app : other, email));
    const clients = (await Promise.all(signIns)).map(({ client }) => client);
    const statuses = await Promise.all(clients.map(async (client) => (await client.get('/users/me')).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    await other.close();
    await app.close();
  });
});

describe('several refresh tokens in one request', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt', REFRESH_REUSE_GRACE: '0s' } });
  });
  afterAll(() => app.close());

  const signInByCookie = async (email?: string, headers = {}) => {
    const address = email ?? (await signIn(app)).email;
    const body = { email: address, password: PASSWORD, transport: 'cookie' };
    const reply = await app.client.post('/login', body, headers);
    return {
      email: address,
      access: `access_token=${cookieValue(reply, 'access_token')}`,
      refresh: `refresh_token=${cookieValue(reply, 'refresh_token')}`,
    };
  };
  const refresh = (cookie: string, body?: object) => app.client.post('/refresh', body, { cookie });

  it('pain 15: the good one counts, beside dead, unknown and older ones', async () => {
    const { refresh: first } = await signInByCookie();
    const reply = await refresh(first);
    const head = `refresh_token=${cookieValue(reply, 'refresh_token')}`;
    const ended = await signInByCookie();
    await app.client.post('/logout', undefined, { cookie: ended.refresh });
    const cookie = `refresh_token=stale; ${ended.refresh}; ${first}; ${head}`;
    expect((await refresh(cookie)).status).toBe(200);
  });

  it('of different people are 400, and nothing is exchanged', async () => {
    const [mine, other] = [await signInByCookie(), await signInByCookie()];
    for (const reply of [
      await refresh(`${mine.refresh}; ${other.refresh}`),
      await refresh(`${mine.access}; ${other.refresh}`),
      await refresh(other.access, { refresh_token: mine.refresh.split('=')[1] }),
    ]) {
      expect(reply.status).toBe(400);
      expect(reply.body['code']).toBe('conflicting_credentials');
      expect(reply.setCookies).toEqual([]);
    }
    for (const { refresh: cookie } of [mine, other]) expect((await refresh(cookie)).status).toBe(200);
  });

  it('a refresh leaves the cookies of other sessions alone', async () => {
    const mine = await signInByCookie();
    const { reply } = await signIn(app, mine.email);
    const refreshed = await refresh(`${mine.access}; session=x`, {
      refresh_token: reply.body['refresh_token'],
    });
    expect(refreshed.status).toBe(200);
    expect(refreshed.setCookies).toEqual([]);
  });

  it('a sign-in ends the session of a refresh cookie that comes along, also when its access token ran out', async () => {
    const old = await signInByCookie();
    await signInByCookie(old.email, { cookie: old.refresh });
    const reply = await refresh(old.refresh);
    expect(reply.body['code']).toBe('refresh_revoked');
  });

  it('scope=global ends the sessions of refresh tokens sent along too', async () => {
    const mine = await signInByCookie();
    const other = await signInByCookie();
    const body = { refresh_token: other.refresh.split('=')[1] };
    expect((await app.client.post('/logout?scope=global', body, { cookie: mine.access })).status).toBe(200);
    expect((await refresh(other.refresh)).body['code']).toBe('refresh_revoked');
  });
});

describe('while AUTH_SECRETS rotates over two nodes', () => {
  it('F4: a repeat that a node cannot derive yet is 503, not theft: the session goes on', async () => {
    const env = { AUTH_STRATEGY: 'jwt' };
    const old = await startApp({ env });
    const renewed = await startApp({
      env: { ...env, AUTH_SECRETS: `b8Jw3nZ6yR1tQ9mK4vX7cL2pH5sD0fGaUeIo,${TEST_SECRET}` },
      sibling: old,
    });
    const { reply } = await signIn(old);
    const body = { refresh_token: reply.body['refresh_token'] };
    const refreshed = await renewed.client.post('/refresh', body);
    expect(refreshed.status).toBe(200);
    const repeated = await old.client.post('/refresh', body);
    expect(repeated.status).toBe(503);
    expect(Number(repeated.headers['retry-after'])).toBeGreaterThan(0);
    expect((await renewed.client.post('/refresh', body)).body['refresh_token']).toBe(
      refreshed.body['refresh_token'],
    );
    const next = await old.client.post('/refresh', { refresh_token: refreshed.body['refresh_token'] });
    expect(next.status).toBe(200);
    await renewed.close();
    await old.close();
  });
});
