import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { ServiceClients } from '../../../src/services/service-clients.service.js';
import { RevocationFeed } from '../../../src/auth/revocation/revocation-feed.service.js';
import { SessionActivity } from '../../../src/auth/sessions/session-activity.service.js';
import { startApp, TEST_SECRET, type TestApp } from '../../support/app.js';
import { cookieValue } from '../../support/client.js';
import { PASSWORD, signIn, STRATEGIES } from '../../support/strategies.js';
import { given } from '../../support/given.js';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';

describe.each(STRATEGIES)('sessions with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it("lists the caller's live sessions, newest first, and marks the current one [S6]", async () => {
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
      device: null,
      user_agent: 'lightMyRequest',
    });
    expect(body).toEqual({ sessions: [device(second.sessionId, false), device(first.sessionId, true)] });
  });

  it.each([
    [FIREFOX, 'Firefox 133 on Linux', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
      'Safari 18 on iOS',
      'Safari on iOS',
    ],
    ['curl/8.9.1', 'curl/8.9.1', null],
    ['\u00e9trange <b>agent</b>', '\u00e9trange <b>agent</b>', null],
  ])('shows the user agent %s as %s, and the device as %s', async (userAgent, shown, device) => {
    const { email } = await signIn(app);
    const reply = await app.client.post('/login', { email, password: PASSWORD }, { 'user-agent': userAgent });
    const { client } = await signIn(app, email);
    const { sessions } = (await client.get('/sessions')).body;
    const mine = sessions.find(({ id }: { id: string }) => id === reply.body['session'].id);
    expect(mine).toMatchObject({ user_agent: shown, device });
    const { events } = (await client.get('/users/me/events')).body;
    const signedIn = events.find(({ session_id: id }: { session_id: string }) => id === mine.id);
    expect(signedIn).toMatchObject({ kind: 'login', user_agent: shown, device });
  });

  it("ends one of the caller's sessions, and that one only [S6]", async () => {
    const first = await signIn(app);
    const second = await signIn(app, first.email);
    const reply = await first.client.send('DELETE', `/sessions/${second.sessionId}`);
    expect(reply.status).toBe(204);
    expect(reply.text).toBe('');
    expect(reply.setCookies).toEqual([]);
    expect((await second.client.get('/users/me')).status).toBe(401);
    expect((await first.client.get('/users/me')).status).toBe(200);
  });

  it('ends the current session and clears its cookies', async () => {
    const { client, sessionId } = await signIn(app);
    const reply = await client.send('DELETE', `/sessions/${sessionId}`);
    expect(reply.status).toBe(204);
    expect(reply.setCookies.every((line) => line.includes('Max-Age=0'))).toBe(true);
    expect(reply.setCookies).toHaveLength(6);
    expect((await client.get('/users/me')).status).toBe(401);
  });

  it('answers 404 for foreign, ended, unknown and malformed ids [S6]', async () => {
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

  it('records the last use in batches outside the request, at most once a minute per session [S7]', async () => {
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
    await given.unusedSession(app, sessionId, '13 days');
    await client.get('/me');
    expect(await lastUse()).toBeGreaterThan(86_400);
    await activity.flush();
    expect(await lastUse()).toBeLessThan(30);
    await given.unusedSession(app, sessionId, '40 seconds');
    await client.get('/me');
    await activity.flush();
    expect(await lastUse()).toBeGreaterThan(30);
  });

  it('a late record of use does not revive an idle session [S7]', async () => {
    const { client, sessionId } = await signIn(app);
    await client.get('/me');
    await given.unusedSession(app, sessionId, '15 days');
    await app.running.app.get(SessionActivity, { strict: false }).flush();
    // The row was changed behind the service's back: it hears of it in a moment.
    await app.running.app.get(RevocationFeed, { strict: false }).catchUp();
    expect((await client.get('/users/me')).body['code']).toBe('credential_expired');
  });
});

describe('short SESSION_IDLE_TTL', () => {
  it('ends an unused session, and keeps a used one [S7]', async () => {
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

describe('introspected session without use', () => {
  it('expires when idle: a cached answer does not outlive it [S7]', async () => {
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
    await given.unusedSession(app, sessionId, '18 seconds');
    expect(await ask()).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await ask()).toBe(false);
    await app.close();
  });
});

describe('SESSIONS_PER_USER=1', () => {
  it('parallel sign-ins on two nodes all succeed, and one session remains [S9]', async () => {
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

  it('the good one counts, among dead, unknown and older ones [pain 15]', async () => {
    const { refresh: first } = await signInByCookie();
    const reply = await refresh(first);
    const head = `refresh_token=${cookieValue(reply, 'refresh_token')}`;
    const ended = await signInByCookie();
    await app.client.post('/logout', undefined, { cookie: ended.refresh });
    const cookie = `refresh_token=stale; ${ended.refresh}; ${first}; ${head}`;
    expect((await refresh(cookie)).status).toBe(200);
  });

  it('of different users are 400, and none is redeemed', async () => {
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

  it('a refresh keeps the cookies of other sessions', async () => {
    const mine = await signInByCookie();
    const { reply } = await signIn(app, mine.email);
    const refreshed = await refresh(`${mine.access}; session=x`, {
      refresh_token: reply.body['refresh_token'],
    });
    expect(refreshed.status).toBe(200);
    expect(refreshed.setCookies).toEqual([]);
  });

  it('a sign-in ends the session of a presented refresh cookie, also with an expired access token', async () => {
    const old = await signInByCookie();
    await signInByCookie(old.email, { cookie: old.refresh });
    const reply = await refresh(old.refresh);
    expect(reply.body['code']).toBe('refresh_revoked');
  });

  it('scope=global also ends the sessions of presented refresh tokens', async () => {
    const mine = await signInByCookie();
    const other = await signInByCookie();
    const body = { refresh_token: other.refresh.split('=')[1] };
    expect((await app.client.post('/logout?scope=global', body, { cookie: mine.access })).status).toBe(200);
    expect((await refresh(other.refresh)).body['code']).toBe('refresh_revoked');
  });
});

describe('rotation of AUTH_SECRETS on two nodes', () => {
  it('a repeat that a node cannot derive yet is 503, not theft, and the session continues [F4]', async () => {
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
