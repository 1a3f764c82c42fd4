import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { SessionActivity } from '../../src/auth/sessions/session-activity.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { given } from '../support/given.js';
import { type Call, send } from '../support/raw-http.js';
import { type SignedIn, signIn, STRATEGIES, strategyOf } from '../support/strategies.js';

/** Node.js hands a tunnel over instead of a response. */
const SENDABLE = METHODS.filter((method) => method !== 'CONNECT');

/** Requests of an application that a proxy repeats at /verify. */
const BODIES: readonly [string, Call][] = [
  ['no body', {}],
  ['a JSON body', { headers: { 'content-type': 'application/json' }, body: '{"a":1}' }],
  ['a body that is not JSON', { headers: { 'content-type': 'application/json' }, body: '{' }],
  ['a forbidden key', { headers: { 'content-type': 'application/json' }, body: '{"__proto__":{}}' }],
  ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=%' }],
  ['an unknown type', { headers: { 'content-type': 'no type at all' }, body: 'x' }],
  ['two types', { headers: { 'content-type': ['text/plain', 'application/json'] }, body: 'x' }],
  ['no type', { body: 'x' }],
  [
    'a compressed body',
    { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: 'x' },
  ],
  ['300 kB', { headers: { 'content-type': 'application/json' }, body: 'x'.repeat(300_000) }],
  [
    '300 kB in chunks',
    {
      headers: { 'content-type': 'text/csv', 'transfer-encoding': 'chunked' },
      body: 'x'.repeat(300_000),
      isChunked: true,
    },
  ],
  ['an expectation', { headers: { expect: '100-continue' }, body: 'x'.repeat(20_000) }],
  ['an empty body of a type', { headers: { 'content-type': 'multipart/form-data', 'content-length': '0' } }],
];

describe.each(STRATEGIES)('/verify with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let app: TestApp;
  let signedIn: SignedIn;
  let server: { host: string; port: number };
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy, RATE_LIMIT_DEFAULT: 'off' } });
    const { hostname, port } = new URL(await app.listen());
    server = { host: hostname, port: Number(port) };
    signedIn = await signIn(app);
  });
  afterAll(() => app.close());

  const check = (path: string, call: Call = {}, credential = signedIn.headers) =>
    send(server, path, { ...call, headers: { ...call.headers, ...credential } });
  const lastLine = () => app.logs.findLast(({ event }) => event === 'request');

  it.each(['GET', 'HEAD'] as const)('%s is 204 with the user, whatever Accept says', async (method) => {
    const account = await signedIn.client.get('/users/me');
    for (const accept of ['text/html,application/xhtml+xml', 'image/avif', '*/*', 'nonsense']) {
      const reply = await signedIn.client.send(method, '/verify', undefined, { accept });
      expect({ status: reply.status, text: reply.text }).toEqual({ status: 204, text: '' });
      expect(reply.headers).toMatchObject({
        'x-auth-subject': account.body['id'],
        'x-auth-session': signedIn.sessionId,
        'x-auth-time': expect.stringMatching(/^\d{10}$/),
        'x-auth-methods': 'pwd',
        'x-auth-strategy': strategyOf(app).issues,
        'cache-control': 'no-store',
      });
      expect(reply.setCookies).toEqual([]);
      expect(JSON.stringify(reply.headers)).not.toContain(signedIn.email);
    }
    expect(
      Math.abs(Number((await signedIn.client.get('/verify')).headers['x-auth-time']) - Date.now() / 1000),
    ).toBeLessThan(60);
  });

  it('is 401 with a Bearer challenge and an action, without facts about users [B1, B2]', async () => {
    const gone = await signIn(app);
    await gone.client.post('/logout');
    for (const [headers, code] of [
      [{}, 'authentication_required'],
      [{ authorization: 'Bearer nonsense' }, 'credential_invalid'],
      [gone.headers, 'credential_revoked'],
    ] as const) {
      for (const path of ['/verify', '/verify/orders/1?q=2']) {
        const reply = await app.client.post(path, undefined, { ...headers, accept: 'text/html' });
        expect({ status: reply.status, body: reply.body }).toMatchObject({
          status: 401,
          body: { code, action: 'login' },
        });
        expect(reply.headers).toMatchObject({
          'content-type': expect.stringMatching(/^application\/problem\+json/),
          'www-authenticate': expect.stringMatching(/^Bearer /),
          'cache-control': 'no-store',
        });
        expect(Object.keys(reply.headers).filter((name) => name.startsWith('x-auth'))).toEqual([]);
      }
    }
  });

  it('ignores X-Auth and X-Forwarded fields that name a user', async () => {
    const forged = {
      'x-auth-subject': 'forged',
      'x-forwarded-user': 'forged',
      'x-forwarded-for': '203.0.113.9',
    };
    expect((await app.client.get('/verify', forged)).status).toBe(401);
    const { headers } = await signedIn.client.get('/verify', forged);
    expect(JSON.stringify(headers)).not.toContain('forged');
  });

  it('never writes in any method, and still counts as use', async () => {
    const stamp = () =>
      app.query(
        sql<{
          xmin: string;
          at: string;
        }>`select xmin::text, last_used_at::text as at from sessions where id = ${signedIn.sessionId}`,
      );
    await given.unusedSession(app, signedIn.sessionId, '1 hour');
    const before = await stamp();
    for (const path of ['/verify', '/verify/logout', '/verify/users/me'])
      for (const method of ['GET', 'POST', 'DELETE'] as const) await signedIn.client.send(method, path);
    expect(await stamp()).toEqual(before);
    await app.running.app.get(SessionActivity, { strict: false }).flush();
    expect((await stamp())[0]?.at).not.toBe(before[0]?.at);
  });

  it.each(SENDABLE)('%s is a read: 204 for a session, 401 without', async (method) => {
    for (const path of ['/verify', '/verify/', '/verify/orders/1?a=b']) {
      const allowed = await check(path, { method });
      expect({ path, status: allowed.status, session: allowed.headers['x-auth-session'] }).toEqual({
        path,
        status: 204,
        session: signedIn.sessionId,
      });
      expect(lastLine()).toMatchObject({ route: '/verify', status: 204 });
      expect((await check(path, { method }, {})).status).toBe(401);
    }
  });

  it.each(BODIES)('ignores %s', async (_what, call) => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'QUERY']) {
      const allowed = await check('/verify/orders', { ...call, method });
      expect({ method, status: allowed.status }).toEqual({ method, status: 204 });
      const refused = await check('/verify/orders', { ...call, method }, {});
      expect({ method, status: refused.status }).toEqual({ method, status: 401 });
    }
  });

  it('skips a body to the next request of the connection', async () => {
    const fields = Object.entries({ host: 'localhost', ...signedIn.headers })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const socket = connect(server.port, server.host);
    socket.write(`POST /verify/a HTTP/1.1\r\n${fields}Content-Length: 400000\r\n\r\n${'x'.repeat(400_000)}`);
    socket.write(`GET /users/me HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`);
    expect((await readAll(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 204', 'HTTP/1.1 200']);
  });

  it.each([
    ['the page of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['a page without an origin', { origin: 'null' }],
    ['two origins', { origin: ['https://a.example', 'https://b.example'] }],
    ['a preflight', { origin: 'https://evil.example', 'access-control-request-method': 'PUT' }],
  ])('answers %s like any other request, and lets no page read the reply [C1]', async (_what, headers) => {
    for (const path of ['/verify', '/verify/orders']) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        const allowed = await check(path, { method, headers });
        expect({ method, status: allowed.status }).toEqual({ method, status: 204 });
        const refused = await check(path, { method, headers }, {});
        expect({ method, status: refused.status }).toEqual({ method, status: 401 });
        for (const answer of [allowed, refused])
          expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    }
    expect((await signedIn.client.get('/users/me')).status).toBe(200);
  });

  it.each([
    '/verify/../users/me',
    '/verify/%2e%2e/users/me',
    '/verify/..%2f..%2flogout',
    '/verify//users/me',
    '/verify/./logout',
    '/verify/%2e%2e;/logout',
    '/verify/\\..\\logout',
    '/verify/%',
    '/verify/%zz',
    '/verify/%E9t%E9',
    '/verify/%00',
    '/verify/a%20b?c=%',
    '/verify/?__proto__=1&role=admin&scope=x',
    '/verify/https://example.org/',
    `/verify/${'x'.repeat(8_000)}`,
    'http://localhost/verify/../logout',
  ])('%s is a check, and reaches no other route [incident 29]', async (path) => {
    for (const method of ['GET', 'POST']) {
      const allowed = await check(path, { method });
      expect({ status: allowed.status, text: allowed.text }).toEqual({ status: 204, text: '' });
      expect(lastLine()).toMatchObject({ route: '/verify', status: 204 });
      expect((await check(path, { method }, {})).status).toBe(401);
    }
    expect((await signedIn.client.get('/users/me')).status).toBe(200);
  });

  it.each([
    '//verify',
    '/x/../verify',
    '/./verify/a',
    '/VERIFY',
    '/verify;a',
    '/verify%2fa',
    '/verified',
    '/verify*',
  ])('%s is no check [incident 29]', async (path) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) expect((await check(path, { method })).status).toBe(404);
  });

  it('refuses what it cannot check: no requirement passes', async () => {
    for (const path of ['/verify', '/verify/orders']) {
      for (const requirement of ['role=admin', 'scope=read', 'role=user; scope=x', ';', 'anything']) {
        const headers = { 'x-auth-require': requirement };
        for (const method of ['GET', 'POST']) {
          const refused = await check(path, { method, headers });
          expect({ status: refused.status, body: JSON.parse(refused.text) }).toMatchObject({
            status: 403,
            body: { code: 'unsupported_requirement' },
          });
          expect(Object.keys(refused.headers).filter((name) => name.startsWith('x-auth'))).toEqual([]);
          expect((await check(path, { method, headers }, {})).status).toBe(401);
        }
      }
      // Node.js joins the lines of a field.
      expect((await check(path, { headers: { 'x-auth-require': ['', 'role=admin'] } })).status).toBe(403);
      expect((await check(path, { headers: { 'x-auth-require': ' ' } })).status).toBe(204);
    }
    for (const query of [
      'role=admin',
      'role=',
      'scope=read',
      'a=b&role=admin',
      '%72ole=admin',
      'role=a&role=b',
      'Role=admin',
      'roles=admin',
      'role[]=admin',
      'x=1;role=admin',
      'SCOPES=read',
    ])
      expect({ query, status: (await check(`/verify?${query}`)).status }).toEqual({ query, status: 403 });
  });

  it('the query of the application below /verify requires nothing; at /verify, other names do not', async () => {
    for (const path of [
      '/verify/?role=admin',
      '/verify/orders?scope=x&role=admin',
      '/verify?a=b',
      '/verify?',
    ])
      expect({ path, status: (await check(path)).status }).toEqual({ path, status: 204 });
  });

  it('allows with 200 where the proxy takes nothing else', async () => {
    const asked = { 'x-auth-status': '200' };
    for (const method of ['GET', 'HEAD', 'POST']) {
      const { status, headers, text } = await check('/verify/orders', { method, headers: asked });
      expect({ status, text, session: headers['x-auth-session'] }).toEqual({
        status: 200,
        text: '',
        session: signedIn.sessionId,
      });
    }
    expect((await check('/verify', { headers: asked })).status).toBe(200);
    expect((await check('/verify', { headers: asked }, {})).status).toBe(401);
    expect((await check('/verify', { headers: { 'x-auth-status': '418' } })).status).toBe(204);
  });
});

it('checks below /verify count like those of /verify: refused ones only [L9]', async () => {
  const app = await startApp({ env: { RATE_LIMIT_DEFAULT: '8/1m' } });
  const { client } = await signIn(app);
  for (let call = 0; call < 20; call += 1)
    expect((await client.post(`/verify/${call}`, '{')).status).toBe(204);
  const statuses = [];
  for (let call = 0; call < 10; call += 1)
    statuses.push((await app.client.send('OPTIONS', `/verify/${call}`)).status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.at(-1)).toBe(429);
  await app.close();
});
