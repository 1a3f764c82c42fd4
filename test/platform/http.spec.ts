import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { cookieValue, type Reply } from '../support/client.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../support/strategies.js';

let app: TestApp;
let origin: string;
beforeAll(async () => {
  app = await startApp({
    env: { AUTH_STRATEGY: 'session,jwt', TRUSTED_ORIGINS: 'https://app.example.com,capacitor://localhost' },
  });
  origin = await app.listen();
});
afterAll(() => app.close());

/** How requests begin that are written by hand. */
const GET_ME = 'GET /me HTTP/1.1\r\nConnection: close\r\n';
const POST_LOGOUT = 'POST /logout HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';

function expectProblem(reply: Reply, status: number, code: string): void {
  expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status, code });
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(reply.body).toMatchObject({
    type: expect.stringMatching(/^(urn:problem-type:traffy:|https:\/\/iana\.org\/)/),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    request_id: reply.headers['x-request-id'],
  });
}

describe('cross-site requests', () => {
  const unsafe = ['/signup', '/login', '/logout', '/refresh'];
  const foreign: [string, Record<string, string>][] = [
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['an Origin that ends like ours', { origin: 'https://app.example.com.evil.example' }],
    ['Origin: null', { origin: 'null' }],
    [
      'a foreign Origin on a same-site request',
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-site' },
    ],
    [
      'Authorization together with a cookie',
      { origin: 'https://evil.example', authorization: 'Bearer x', cookie: 'a=b' },
    ],
  ];

  it.each(foreign)(
    'with %s are refused on every unsafe route, sign-in and refresh included [C1, pain 17]',
    async (_what, headers) => {
      for (const url of unsafe)
        expectProblem(await app.client.post(url, undefined, headers), 403, 'cross_site_request');
    },
  );

  it('change nothing [C1, incident 6]', async () => {
    const { client, headers } = await signIn(app);
    const email = freshEmail();
    await app.client.post('/signup', { email, password: PASSWORD }, { 'sec-fetch-site': 'cross-site' });
    const logout = await client.post('/logout', undefined, { 'sec-fetch-site': 'cross-site' });
    expect(logout.setCookies).toEqual([]);
    expect((await app.client.get('/users/me', headers)).status).toBe(200);
    expect((await app.client.post('/login', { email, password: PASSWORD })).status).toBe(401);
  });

  it.each([
    ['Sec-Fetch-Site: same-origin', { 'sec-fetch-site': 'same-origin' }],
    ['Sec-Fetch-Site: none', { 'sec-fetch-site': 'none' }],
    ['a trusted Origin', { origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }],
    ['neither header, as from a command line', {}],
    ['Authorization and no cookie', { origin: 'https://evil.example', authorization: 'Bearer x' }],
  ])('are distinguished from requests with %s', async (_what, headers: Record<string, string>) => {
    expect((await app.client.post('/logout', undefined, headers)).status).toBe(200);
  });

  it('are refused with the name of the failed check', async () => {
    const reply = await app.client.post('/login', {}, { origin: 'https://evil.example' });
    expect(reply.body['detail']).toContain('https://evil.example');
  });
});

describe('CORS [C5]', () => {
  const preflight = (path: string, origin: string) =>
    app.client.send('OPTIONS', path, undefined, {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'if-none-match,traceparent',
    });

  it('lets pages of a trusted origin read replies with credentials', async () => {
    const { headers } = await app.client.get('/me', { origin: 'https://app.example.com' });
    expect(headers['access-control-allow-origin']).toBe('https://app.example.com');
    expect(headers['access-control-allow-credentials']).toBe('true');
    const preflight = await app.client.send('OPTIONS', '/login', undefined, {
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://app.example.com');
  });

  it('lets pages of PUBLIC_URL and of applications with a scheme of their own do the same', async () => {
    for (const origin of [app.config.app.PUBLIC_URL, 'capacitor://localhost']) {
      const reply = await app.client.post('/logout', {}, { origin, 'sec-fetch-site': 'cross-site' });
      expect(reply.status).toBe(200);
      expect(reply.headers['access-control-allow-origin']).toBe(origin);
    }
  });

  it('allows the request headers of CORS_HEADERS, those of tracing included', async () => {
    const { headers } = await preflight('/login', 'https://app.example.com');
    const allowed = String(headers['access-control-allow-headers']).split(', ');
    expect(allowed).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'traceparent',
        'tracestate',
        'baggage',
        'x-requested-with',
      ]),
    );
    expect(String(headers['access-control-allow-methods']).split(', ')).toEqual(
      expect.arrayContaining(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    );
    expect(headers['vary']).toMatch(/origin/i);
  });

  it.each(['/.well-known/jwks.json', '/.well-known/oauth-authorization-server', '/.well-known/revocations'])(
    'lets pages of every origin read %s, without credentials',
    async (path) => {
      for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, {}]) {
        const reply = await app.client.get(path, headers);
        expect(reply.status).toBe(200);
        expect(reply.headers['access-control-allow-origin']).toBe('*');
        expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
      }
      const reply = await preflight(path, 'https://evil.example');
      expect(reply.status).toBe(204);
      expect(reply.headers['access-control-allow-origin']).toBe('*');
      expect(reply.headers['access-control-allow-headers']).toContain('if-none-match');
      expect(reply.headers['access-control-allow-methods']).toBe('GET, HEAD');
    },
  );

  it('logs a refused origin with its name', async () => {
    const reply = await app.client.get('/me', { origin: 'https://evil.example' });
    const asked = await preflight('/login', 'https://evil.example');
    expect(asked.status).toBe(405);
    expect(asked.headers['access-control-allow-methods']).toBeUndefined();
    for (const { headers } of [reply, asked])
      expect(app.logs).toContainEqual(
        expect.objectContaining({
          event: 'origin_refused',
          level: 'warn',
          origin: 'https://evil.example',
          request_id: headers['x-request-id'],
        }),
      );
    const same = await app.client.get('/me', {
      origin: 'http://127.0.0.1:8000',
      'sec-fetch-site': 'same-origin',
    });
    expect(app.logs.filter((line) => line['request_id'] === same.headers['x-request-id'])).toHaveLength(1);
  });

  it('says at the start which trusted origins are of another site', async () => {
    const node = await startApp({
      env: {
        PUBLIC_URL: 'https://auth.example.com',
        TRUSTED_ORIGINS:
          'https://app.example.com,https://example.com:8443,http://app.example.com,https://example.net,' +
          'https://a.co.uk,capacitor://localhost',
      },
      sibling: app,
      force: true,
    });
    const named = node.logs.filter(({ event }) => event === 'foreign_site').map(({ origin }) => origin);
    expect(named).toEqual([
      'http://app.example.com',
      'https://example.net',
      'https://a.co.uk',
      'capacitor://localhost',
    ]);
    await node.close();
  });

  it.each(['https://evil.example', 'null', 'https://app.example.com.evil.example', 'http://app.example.com'])(
    'never reflects %s',
    async (foreign) => {
      const { headers } = await app.client.get('/me', { origin: foreign });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    },
  );
});

describe('request bodies', () => {
  const credentials = JSON.stringify({ email: 'nobody@example.com', password: PASSWORD });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json\t; x',
    'application/json; charset=latin1',
    'application/jsonp',
    'text/plain;application/json',
    'text/plain; x=application/json',
    'application/json, text/plain',
    'application/problem+json',
    '',
  ])('of type %j are 415, and the handler does not run [C2, CVE-2022-41919]', async (type) => {
    const email = freshEmail();
    const body = JSON.stringify({ email, password: PASSWORD });
    expectProblem(
      await app.client.post('/signup', body, { 'content-type': type }),
      415,
      'unsupported_media_type',
    );
    expect((await app.client.post('/login', { email, password: PASSWORD })).status).toBe(401);
  });

  it('without a content type are 415 [C2]', async () => {
    const reply = await fetch(`${origin}/login`, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(credentials)),
    });
    expect(reply.status).toBe(415);
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/json\t;\tcharset=utf-8',
  ])('of type %s are accepted', async (type) => {
    expectProblem(
      await app.client.post('/login', credentials, { 'content-type': type }),
      401,
      'invalid_credentials',
    );
  });

  it('with a content encoding are 415', async () => {
    const reply = await app.client.post('/login', credentials, { 'content-encoding': 'gzip' });
    expectProblem(reply, 415, 'unsupported_media_type');
    const identity = await app.client.post('/login', credentials, { 'content-encoding': 'Identity' });
    expectProblem(identity, 401, 'invalid_credentials');
  });

  it('that are empty count as none, whatever their type', async () => {
    for (const type of ['application/json', 'text/plain']) {
      expect((await app.client.post('/logout', '', { 'content-type': type })).status).toBe(200);
    }
    expectProblem(await app.client.post('/login', ''), 400, 'validation_failed');
  });

  it.each([
    ['no type', ''],
    ['JSON', 'Content-Type: application/json\r\n'],
    ['another type', 'Content-Type: text/plain\r\n'],
    ['a type that only looks like JSON', 'Content-Type: application/json\t; x\r\n'],
    ['a content encoding', 'Content-Encoding: gzip\r\n'],
  ])('that are empty count as none, chunked or of length 00, with %s', async (_what, lines) => {
    for (const length of ['Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: 00\r\n\r\n'])
      expect(await raw(`${POST_LOGOUT}${lines}${length}`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ['no type', ''],
    ['another type', 'Content-Type: text/plain\r\n'],
    ['a type that only looks like JSON', 'Content-Type: application/json\t; x\r\n'],
    ['an empty type', 'Content-Type: \r\n'],
    ['a content encoding', 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'],
  ])(
    'that are chunked with %s are 415, and the handler does not run [C2, CVE-2022-41919]',
    async (_what, lines) => {
      const { client, headers } = await signIn(app);
      const cookie = `Cookie: ${headers['cookie']}\r\n`;
      const text = await raw(
        `${POST_LOGOUT}${cookie}${lines}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 415 /);
      expect(text).toContain('unsupported_media_type');
      expect((await client.get('/users/me')).status).toBe(200);
    },
  );

  it('that are chunked JSON are read and limited like others', async () => {
    const chunked = (body: string) =>
      raw(
        `POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      );
    expect(await chunked(credentials)).toContain('invalid_credentials');
    expect(await chunked(`"${'x'.repeat(16_385)}"`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it.each([
    ['broken JSON', '{"email":'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['two values', `${credentials}${credentials}`],
  ])('that are %s are 400 and quote nothing [fault 16]', async (_what, body) => {
    const reply = await app.client.post('/login', body);
    expectProblem(reply, 400, 'malformed_body');
    expect(reply.text).not.toContain(PASSWORD);
  });

  it.each(['[]', '"text"', '7', 'null', 'true', '[{"email":"a@example.com"}]'])(
    'that are %s instead of an object are 400',
    async (body) => {
      const reply = await app.client.post('/signup', body);
      expect(reply.status).toBe(400);
      expect(reply.body['code']).toBe('validation_failed');
    },
  );

  it('over 16 KiB are 413, deep nesting is 400 [fault 14]', async () => {
    expectProblem(await app.client.post('/login', `"${'x'.repeat(16_385)}"`), 413, 'body_too_large');
    const nested = `${'['.repeat(8000)}${']'.repeat(8000)}`;
    expectProblem(await app.client.post('/login', nested), 400, 'validation_failed');
  });

  it('with NUL in any text are a 4xx that names the field [fault 16]', async () => {
    const reply = await app.client.post('/refresh', { refresh_token: 'trf_rt_\0' });
    expect([400, 401]).toContain(reply.status);
    expect((await app.client.get('/me', { cookie: 'session=%00; access_token=%00' })).status).toBe(200);
  });
});

describe('methods and paths', () => {
  it('a method that a path does not support is 405 with Allow [H3]', async () => {
    const reply = await app.client.send('DELETE', '/login');
    expectProblem(reply, 405, 'method_not_allowed');
    expect(reply.headers['allow']).toBe('GET, HEAD, POST');
    expect((await app.client.post('/me')).headers['allow']).toBe('GET, HEAD');
  });

  it.each(METHODS.filter((method) => !['GET', 'HEAD', 'OPTIONS'].includes(method)))(
    '%s, which Node.js parses, is 405 with Allow on a path that exists and 404 on others [H3]',
    async (method) => {
      const body = 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
      for (const rest of ['\r\n', body]) {
        const head = 'Host: localhost\r\nConnection: close\r\n';
        const here = await raw(`${method} /me HTTP/1.1\r\n${head}${rest}`);
        expect(here).toMatch(/^HTTP\/1\.1 405 /);
        expect(here).toMatch(/\r\nallow: GET, HEAD\r\n/);
        expect(await raw(`${method} /nothing HTTP/1.1\r\n${head}${rest}`)).toMatch(/^HTTP\/1\.1 404 /);
      }
      expect(await raw(`${method} /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).toContain(
        '"code":"method_not_allowed"',
      );
    },
  );

  it.each(['BREW', 'get', 'PRI', 'G\xa0T'])(
    'the method %j, which it cannot parse, is 400 and the connection is closed [H3]',
    async (method) => {
      const text = await raw(Buffer.from(`${method} /me HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1'));
      expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(text).toMatch(/\r\nConnection: close\r\n/);
    },
  );

  it('a tunnel by CONNECT is refused, and the connection is closed [H3]', async () => {
    const text = await raw('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 404 /);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
  });

  it('a path can be sent in absolute form [H3]', async () => {
    expect(await raw(`GET ${origin}/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    const wrong = await raw(`POST ${origin}/me?x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(wrong).toMatch(/^HTTP\/1\.1 405 /);
  });

  it('HEAD answers like GET without a body and changes nothing [C3]', async () => {
    const { client } = await signIn(app);
    expect((await client.send('HEAD', '/me')).status).toBe(200);
    expect((await client.send('HEAD', '/logout')).status).toBe(405);
    expect((await client.get('/logout')).status).toBe(405);
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it('an unknown path is 404 for every caller', async () => {
    expectProblem(await app.client.get('/nothing'), 404, 'not_found');
    const { client } = await signIn(app);
    expectProblem(await client.get('/users/nobody'), 404, 'not_found');
  });

  it.each([
    '/users/me/',
    '//users/me',
    '/users//me',
    '/users/me;x=1',
    '/USERS/ME',
    '/users/./me',
    '/x/../users/me',
    '/users%2fme',
    '/users/me%00',
    '/users/me%20',
    '/%75sers/me',
    '/users/%6de',
    '/users/me?x=1',
    '/users/me#x',
  ])('%s never reaches the handler without the guard [H4, incident 29]', async (path) => {
    const text = await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 (400|401|404) /);
  });

  it('an Accept header that excludes JSON is 406 [H3]', async () => {
    expectProblem(await app.client.get('/me', { accept: 'text/html' }), 406, 'not_acceptable');
    for (const accept of [
      '*/*',
      'application/json',
      'application/*',
      'text/html, */*;q=0.8',
      'application/problem+json',
      'text/html,, APPLICATION/json ; q=0.1',
    ]) {
      expect((await app.client.get('/me', { accept })).status).toBe(200);
    }
    for (const accept of [
      'text/html, application/json;q=0',
      '*/*;q=0.000',
      'x-application/json',
      'application/jsonp',
    ])
      expectProblem(await app.client.get('/me', { accept }), 406, 'not_acceptable');
  });

  it('health checks answer whatever a checker accepts [H3]', async () => {
    for (const path of ['/health/live', '/health/ready'])
      expect((await app.client.get(path, { accept: 'text/plain' })).status).toBe(200);
  });

  it('a credential in the query is ignored [B3]', async () => {
    const node = await startApp({ env: { AUTH_STRATEGY: 'jwt' }, sibling: app, force: true });
    const { reply } = await signIn(node);
    const token = reply.body['access_token'];
    for (const name of ['access_token', 'token', 'session']) {
      expect((await node.client.get(`/me?${name}=${token}`)).body).toEqual({ logged_in: false });
    }
    await node.close();
  });
});

describe('malformed HTTP [H5]', () => {
  it.each([
    ['Content-Length together with chunked', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['two different Content-Lengths', 'Content-Length: 5\r\nContent-Length: 6'],
    ['a Content-Length that is no number', 'Content-Length: five'],
    ['a header line without a name', ': x'],
  ])('%s is 400 and the connection is closed', async (_what, lines) => {
    const text = await raw(`POST /login HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n\r\nhello`);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('malformed_request');
  });

  it('header fields over 16 KiB are 431 [fault 15]', async () => {
    const text = await raw(`GET /me HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('slow header fields and bodies are cut off with 408 within 20 s [fault 15]', async () => {
    const started = Date.now();
    const replies = await Promise.all([
      raw('GET /me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', 20_000),
      raw(
        'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
        20_000,
      ),
    ]);
    for (const text of replies) expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  it('a byte that is no blank is part of a name or value, wherever a header field has it', async () => {
    const { headers, client } = await signIn(app);
    const cookie = String(headers['cookie']);
    const planted = await raw(
      Buffer.from(`${GET_ME}Host: localhost\r\nCookie: \xa0${cookie}\r\n\r\n`, 'latin1'),
    );
    expect(planted).toContain('{"logged_in":false}');
    const beside = `${GET_ME}Host: localhost\r\nCookie: \xa0session=trf_st_planted;\t${cookie}\r\n\r\n`;
    expect(await raw(Buffer.from(beside, 'latin1'))).toContain('"logged_in":true');
    for (const [name, value, status] of [
      ['Expect', '\xa0100-continue', 417],
      ['Authorization', '\xa0Bearer x', 200],
      ['If-None-Match', '\xa0*', 200],
    ] as const) {
      const path = name === 'If-None-Match' ? '/.well-known/revocations' : '/me';
      const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
      const text = await raw(Buffer.from(`${head}${name}: ${value}\r\n\r\n`, 'latin1'));
      expect(text).toContain(`HTTP/1.1 ${status} `);
    }
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it('an Expect header other than 100-continue is 417', async () => {
    const text = await raw(`${GET_ME}Host: localhost\r\nExpect: a-miracle\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 417 /);
    expect(text).toContain('application/problem+json');
    expect(text).toContain('"code":"expectation_failed"');
    const awaited = await raw(`${GET_ME}Host: localhost\r\nExpect: 100-continue\r\n\r\n`);
    expect(awaited).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it('a request without a Host header is 400, except HTTP/1.0 (RFC 9112 §3.2)', async () => {
    const text = await raw(`${GET_ME}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('application/problem+json');
    expect(text).toContain('"code":"malformed_request"');
    expect(await raw('GET /me HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    'a b',
    'example.org/evil',
    'user@example.org',
    'example.org:x',
    'example.org:80:80',
    'http://example.org',
    '[::1',
    '[::g]',
    '::1',
    'example.org?x',
    'example.org#x',
    'example%zz.org',
    'my\\host.org',
    'a, b',
    'auth\xe9.org',
    '\xa0auth.org',
  ])('a Host header %j is 400 (RFC 9112 §3.2)', async (host) => {
    const text = await raw(Buffer.from(`${GET_ME}Host: ${host}\r\n\r\n`, 'latin1'));
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"code":"malformed_request"');
  });

  it.each(['localhost', 'auth.example.org:8000', '[::1]', '[::1]:8000', '192.0.2.1:80', 'my_host', 'a%20b'])(
    'a Host header %j is a host',
    async (host) => {
      expect(await raw(`${GET_ME}Host: ${host}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it.each([
    ['Host', 'localhost', 'localhost'],
    ['host', 'localhost', 'example.org'],
    ['Content-Type', 'application/json', 'text/plain'],
    ['Content-Type', 'text/plain', 'application/json'],
    ['Authorization', 'Bearer x', 'Bearer y'],
    ['Origin', 'https://app.example.com', 'https://evil.example'],
  ])('two lines %s are 400, and the handler does not run', async (name, one, other) => {
    const { headers, client } = await signIn(app);
    const host = name.toLowerCase() === 'host' ? '' : 'Host: localhost\r\n';
    const text = await raw(
      `POST /logout HTTP/1.1\r\n${host}Connection: close\r\nCookie: ${headers['cookie']}\r\n` +
        `${name}: ${one}\r\n${name.toUpperCase()}: ${other}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain(`The header ${name.toLowerCase()} occurs more than once.`);
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it.each(['gzip, chunked', 'identity', 'chunked, chunked', 'not-chunked'])(
    'a body with Transfer-Encoding: %s is refused, and the connection is closed (RFC 9112 §6.1)',
    async (coding) => {
      const text = await raw(
        `POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
          `Transfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 (400|501) /);
      expect(text).toMatch(/\r\nconnection: close\r\n/i);
      expect(text).not.toContain('validation_failed');
    },
  );

  it('a malformed escape in the path is 400', async () => {
    const reply = await app.client.get('/users/%zz');
    expect(reply.status).toBe(400);
    expect(reply.body['code']).toBe('malformed_request');
  });
});

describe('headers of every reply [C6, G2]', () => {
  it.each(['/me', '/users/me', '/nothing', '/health/live', '/.well-known/jwks.json'])('%s', async (url) => {
    const { headers } = await app.client.get(url);
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['server']).toBeUndefined();
  });

  it('a request id of the client is ignored [O3]', async () => {
    const { headers } = await app.client.get('/me', { 'x-request-id': 'mine', 'request-id': 'mine' });
    expect(headers['x-request-id']).not.toBe('mine');
  });
});

describe('log', () => {
  it('each sign-in outcome is one JSON line with time, actor, network, result and request id [O1]', async () => {
    const email = await signUp(app);
    const failed = await app.client.post('/login', { email, password: 'not the passphrase' });
    const signedIn = await signIn(app, email);
    const line = (event: string, requestId: unknown) =>
      app.logs.find((entry) => entry['event'] === event && entry['request_id'] === requestId);
    for (const [event, reply] of [
      ['login_failed', failed],
      ['login', signedIn.reply],
    ] as const) {
      expect(line(event, reply.headers['x-request-id'])).toMatchObject({
        time: expect.stringMatching(/Z$/),
        level: 'info',
        ip: '127.0.0.1',
        email: expect.stringMatching(/^p\*\*\*@example\.com$/),
      });
    }
  });

  it('names the code of a refusal and the check that refused a credential, never the credential [O1, O2]', async () => {
    const ended = await signIn(app);
    await ended.client.post('/logout');
    const live = await signIn(app);
    const made = `trf_st_${'x'.repeat(43)}`;
    const jwt = (header: object, claims: object) =>
      [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const foreign = `${jwt({ alg: 'ES256', typ: 'at+jwt', kid: 'x' }, { iss: 'https://idp.example' })}.c2ln`;
    const unsigned = `${jwt({ alg: 'none', typ: 'at+jwt', kid: 'x' }, { iss: 'https://idp.example' })}.c2ln`;
    const refused: [Record<string, string>, number, string, string | undefined, string?][] = [
      [{}, 401, 'authentication_required', undefined],
      [{ cookie: `session=${made}` }, 401, 'credential_invalid', 'session:unknown'],
      [{ cookie: 'session=x' }, 401, 'credential_invalid', 'session:malformed'],
      [ended.headers, 401, 'credential_revoked', 'session:revoked'],
      [{ authorization: 'Bearer secret-text' }, 401, 'credential_invalid', 'jwt:malformed'],
      [{ authorization: `Bearer ${foreign}` }, 401, 'credential_invalid', 'jwt:wrong_issuer'],
      [
        { authorization: `Bearer ${unsigned}`, cookie: `session=${made}` },
        401,
        'credential_invalid',
        'jwt:wrong_algorithm,session:unknown',
      ],
      [live.headers, 403, 'forbidden', 'role', '/admin/users'],
    ];
    for (const [headers, status, code, check, path = '/users/me'] of refused) {
      const reply = await app.client.get(path, headers);
      expect(reply.status).toBe(status);
      const id = reply.headers['x-request-id'];
      const line = app.logs.find(({ event, request_id }) => event === 'request' && request_id === id);
      expect({ code: line?.['code'], check: line?.['check'] }).toEqual({ code, check });
    }
    for (const secret of [made, 'secret-text', foreign, unsigned])
      expect(app.logText()).not.toContain(secret);
    const fine = await live.client.get('/users/me');
    const line = app.logs.find((entry) => entry['request_id'] === fine.headers['x-request-id']);
    expect(line).not.toHaveProperty('code');
    expect(line).not.toHaveProperty('check');
  });

  it('names the check beside a live credential only if that is refused', async () => {
    const live = await signIn(app);
    const reply = await app.client.get('/users/me', { ...live.headers, authorization: 'Bearer x' });
    const crossSite = await live.client.post('/logout', undefined, { origin: 'https://evil.example' });
    const lineOf = ({ headers }: Reply) =>
      app.logs.find(
        (entry) => entry['event'] === 'request' && entry['request_id'] === headers['x-request-id'],
      );
    expect(lineOf(reply)).not.toHaveProperty('check');
    expect(lineOf(crossSite)).toMatchObject({ status: 403, code: 'cross_site_request' });
  });

  it('contains no password, token, cookie or full address of any request or response [O2]', async () => {
    const env = { AUTH_STRATEGY: 'jwt,session', LOG_LEVEL: 'trace' };
    const node = await startApp({ env, sibling: app, force: true });
    const { reply, email, client } = await signIn(node);
    const cookies = await node.client.post('/login', { email, password: PASSWORD, transport: 'cookie' });
    await node.client.post('/refresh', { refresh_token: reply.body['refresh_token'] });
    await client.get(`/me?access_token=${reply.body['access_token']}`);
    await node.client.post('/login', { email, password: 'a wrong passphrase 123' });
    await client.post('/logout');
    const secrets = [
      PASSWORD,
      'a wrong passphrase 123',
      email,
      reply.body['access_token'],
      reply.body['refresh_token'],
      cookieValue(cookies, 'access_token'),
      cookieValue(cookies, 'refresh_token'),
    ];
    expect(node.logs.length).toBeGreaterThan(8);
    for (const secret of secrets) {
      expect(secret).toBeTruthy();
      expect(node.logText()).not.toContain(String(secret));
    }
    await node.close();
  });

  it('input cannot start a line of its own [O3]', async () => {
    const before = app.logs.length;
    await app.client.post('/login', {}, { origin: 'https://evil.example/\u0085\u001b[31m{"level":"fatal"}' });
    await app.client.get('/me%0d%0a%7b%22level%22%3a%22fatal%22%7d%e2%80%a8');
    const controls = Array.from({ length: 33 }, (_, index) => String.fromCodePoint(0x7f + index)).join('');
    await app.client.post('/login', {}, { origin: `https://evil.example/${controls}` });
    const long = 'x'.repeat(5_000);
    await app.client.post('/login', {}, { origin: `https://${long}.example`, 'sec-fetch-site': long });
    const lines = app.logs.slice(before);
    expect(lines.map(({ level }) => level)).not.toContain('fatal');
    expect(app.logText()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(lines).toContainEqual(expect.objectContaining({ origin: `https://evil.example/${controls}` }));
    expect(lines).toContainEqual(
      expect.objectContaining({ origin: `https://${long}`.slice(0, 100), site: long.slice(0, 100) }),
    );
  });
});

/** Sends bytes on a socket and gives all that comes back until the connection ends or falls silent. */
function raw(message: string | Buffer, patience = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname, () => socket.write(message));
    let text = '';
    socket.setTimeout(patience, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
