import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, type TestApp } from '../../support/app.js';
import { cookieValue, type Reply } from '../../support/client.js';
import { onServer } from '../../support/database.js';
import { untilBlocked } from '../../support/locks.js';
import { signIn } from '../../support/strategies.js';
import { given } from '../../support/given.js';

const describeOnServer = onServer ? describe : describe.skip;

/** What a request has to wait for, so that several meet in one order. */
describeOnServer('concurrent exchanges of one session', () => {
  let cookies: TestApp;
  let tokens: TestApp;
  beforeAll(async () => {
    cookies = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
    tokens = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' }, sibling: cookies });
  });
  afterAll(async () => {
    await tokens.close();
    await cookies.close();
  });

  /** Sends requests one after the other while the row is locked, so that they get it in this order. */
  async function inOrder(sessionId: string, requests: (() => Promise<Reply>)[]): Promise<Reply[]> {
    const locker = new pg.Client({ connectionString: cookies.config.database.DATABASE_URL });
    await locker.connect();
    await locker.query('begin');
    await locker.query('select 1 from sessions where id = $1 for update', [sessionId]);
    const pending: Promise<Reply>[] = [];
    for (const request of requests) {
      pending.push(request());
      await untilBlocked(pending.length, async (statement) => (await locker.query(statement)).rows);
    }
    await locker.query('commit');
    await locker.end();
    return Promise.all(pending);
  }

  /** A session with a cookie and, still unused, the tokens that it is being exchanged for. */
  async function halfWay() {
    const person = await signIn(cookies);
    const { body } = await tokens.client.with(person.headers).post('/session/exchange');
    return {
      person,
      oldCookie: person.headers,
      bearer: { authorization: `Bearer ${body['access_token']}` },
      refreshToken: String(body['refresh_token']),
    };
  }

  it('a refresh after an exchange that revoked its token is invalid, and no session ends [pain 1]', async () => {
    const { person, bearer, refreshToken } = await halfWay();
    const back = await cookies.client.with(bearer).post('/session/exchange');
    const newCookie = { cookie: `session=${cookieValue(back, 'session')}` };
    const [exchanged, refreshed] = await inOrder(person.sessionId, [
      () => tokens.client.with(newCookie).post('/session/exchange'),
      () => tokens.client.post('/refresh', { refresh_token: refreshToken }),
    ]);
    expect(exchanged?.status).toBe(200);
    expect(refreshed?.body['code']).toBe('refresh_invalid');
    const token = { authorization: `Bearer ${exchanged?.body['access_token']}` };
    expect((await tokens.client.get('/users/me', token)).status).toBe(200);
  });

  it('a credential that dies while its exchange waits for the lock gets nothing [pain 4]', async () => {
    const { person, oldCookie, bearer } = await halfWay();
    const [back, dead] = await inOrder(person.sessionId, [
      () => cookies.client.with(bearer).post('/session/exchange'),
      () => tokens.client.with(oldCookie).post('/session/exchange'),
    ]);
    expect(back?.status).toBe(200);
    expect({ status: dead?.status, code: dead?.body['code'] }).toEqual({
      status: 401,
      code: 'credential_invalid',
    });
  });
});

describe('unused new credential', () => {
  it('is replaced after five minutes, so that it is not shared with its first requester', async () => {
    const tokens = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    const cookies = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' }, sibling: tokens });
    const person = await signIn(tokens);
    const at = cookies.client.with(person.headers);
    const first = cookieValue(await at.post('/session/exchange'), 'session');
    expect(cookieValue(await at.post('/session/exchange'), 'session')).toBe(first);
    await given.exchangeBegun(tokens, person.sessionId, '6 minutes');
    const second = cookieValue(await at.post('/session/exchange'), 'session');
    expect(second).not.toBe(first);
    expect((await cookies.client.get('/users/me', { cookie: `session=${second}` })).status).toBe(200);
    expect((await cookies.client.get('/users/me', { cookie: `session=${first}` })).status).toBe(401);
    await cookies.close();
    await tokens.close();
  });

  it('is replaced for tokens too: the first ones are revoked', async () => {
    const cookies = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
    const tokens = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' }, sibling: cookies });
    const person = await signIn(cookies);
    const at = tokens.client.with(person.headers);
    const first = (await at.post('/session/exchange')).body;
    await given.exchangeBegun(cookies, person.sessionId, '6 minutes');
    const second = (await at.post('/session/exchange')).body;
    expect(second['refresh_token']).not.toBe(first['refresh_token']);
    const refreshed = await tokens.client.post('/refresh', { refresh_token: first['refresh_token'] });
    expect(refreshed.body['code']).toBe('refresh_invalid');
    const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` });
    expect((await tokens.client.get('/users/me', bearer(first['access_token']))).status).toBe(401);
    expect((await tokens.client.get('/users/me', bearer(second['access_token']))).status).toBe(200);
    expect((await tokens.client.post('/refresh', { refresh_token: second['refresh_token'] })).status).toBe(
      200,
    );
    await tokens.close();
    await cookies.close();
  });
});
