import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from './support/app.js';
import { cookieValue, type Reply } from './support/client.js';
import { freshEmail, PASSWORD, signIn, signUp } from './support/strategies.js';

let app: TestApp;
let origin: string;
beforeAll(async () => {
  app = await startApp({
    env: { AUTH_STRATEGY: 'session,jwt', TRUSTED_ORIGINS: 'http://localhost:8000,https://app.example.com' },
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
    'C1, pain 17: with %s are refused on every unsafe route, sign-in and refresh too',
    async (_what, headers) => {
      for (const url of unsafe)
        expectProblem(await app.client.post(url, undefined, headers), 403, 'cross_site_request');
    },
  );

  it('C1, incident 6: change nothing', async () => {
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
  ])('are told apart from requests with %s', async (_what, headers: Record<string, string>) => {
    expect((await app.client.post('/logout', undefined, headers)).status).toBe(200);
  });

  it('says which check failed', async () => {
    const reply = await app.client.post('/login', {}, { origin: 'https://evil.example' });
    expect(reply.body['detail']).toContain('https://evil.example');
  });
});

describe('CORS (C5)', () => {
  it('lets pages of a trusted origin read replies, with credentials', async () => {
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

  it.each(['https://evil.example', 'null', 'https://app.example.com.evil.example', 'http://app.example.com'])(
    'never reflects %s',
    async (foreign) => {
      const { headers } = await app.client.get('/me', { origin: foreign });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    },
  );
});

describe('bodies', () => {
  const credentials = JSON.stringify({ email: 'nobody@example.com', password: PASSWORD });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json\t; x',
    'application/json; charset=latin1',
    'application/jsonp',
    'application/json, text/plain',
    'application/problem+json',
    '',
  ])('C2, CVE-2022-41919: of type %j are 415 and the handler does not run', async (type) => {
    const email = freshEmail();
    const body = JSON.stringify({ email, password: PASSWORD });
    expectProblem(
      await app.client.post('/signup', body, { 'content-type': type }),
      415,
      'unsupported_media_type',
    );
    expect((await app.client.post('/login', { email, password: PASSWORD })).status).toBe(401);
  });

  it('C2: without a content type are 415', async () => {
    const reply = await fetch(`${origin}/login`, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(credentials)),
    });
    expect(reply.status).toBe(415);
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'of type %s are read',
    async (type) => {
      expectProblem(
        await app.client.post('/login', credentials, { 'content-type': type }),
        401,
        'invalid_credentials',
      );
    },
  );

  it('with a content encoding are 415', async () => {
    const reply = await app.client.post('/login', credentials, { 'content-encoding': 'gzip' });
    expectProblem(reply, 415, 'unsupported_media_type');
  });

  it('an empty body counts as none, whatever its type', async () => {
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
  ])('an empty body counts as none, chunked or of length 00, with %s', async (_what, lines) => {
    for (const length of ['Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: 00\r\n\r\n'])
      expect(await raw(`${POST_LOGOUT}${lines}${length}`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ['no type', ''],
    ['another type', 'Content-Type: text/plain\r\n'],
    ['a type that only looks like JSON', 'Content-Type: application/json\t; x\r\n'],
    ['an empty type', 'Content-Type: \r\n'],
    ['a content encoding', 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'],
  ])('C2, CVE-2022-41919: chunked with %s are 415 and the handler does not run', async (_what, lines) => {
    const { client, headers } = await signIn(app);
    const cookie = `Cookie: ${headers['cookie']}\r\n`;
    const text = await raw(
      `${POST_LOGOUT}${cookie}${lines}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 415 /);
    expect(text).toContain('unsupported_media_type');
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it('chunked JSON is read, and limited like any other', async () => {
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
  ])('fault 16: that are %s are 400 and quote nothing', async (_what, body) => {
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

  it('fault 14: over 16 KiB are 413, deep nesting is 400', async () => {
    expectProblem(await app.client.post('/login', `"${'x'.repeat(16_385)}"`), 413, 'body_too_large');
    const nested = `${'['.repeat(8000)}${']'.repeat(8000)}`;
    expectProblem(await app.client.post('/login', nested), 400, 'validation_failed');
  });

  it('fault 16: NUL in any text is a 4xx that names the field, never a 500', async () => {
    const reply = await app.client.post('/refresh', { refresh_token: 'trf_rt_\0' });
    expect([400, 401]).toContain(reply.status);
    expect((await app.client.get('/me', { cookie: 'session=%00; access_token=%00' })).status).toBe(200);
  });
});

describe('methods and addresses', () => {
  it('H3: a method that an address does not have is 405 with Allow', async () => {
    const reply = await app.client.send('DELETE', '/login');
    expectProblem(reply, 405, 'method_not_allowed');
    expect(reply.headers['allow']).toBe('POST');
    expect((await app.client.post('/me')).headers['allow']).toBe('GET, HEAD');
  });

  it('H3: TRACE and unknown methods are refused', async () => {
    for (const method of ['TRACE', 'BREW']) {
      const text = await raw(`${method} /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 (400|405) /);
    }
  });

  it('C3: HEAD answers like GET without a body and changes nothing', async () => {
    const { client } = await signIn(app);
    expect((await client.send('HEAD', '/me')).status).toBe(200);
    expect((await client.send('HEAD', '/logout')).status).toBe(405);
    expect((await client.get('/logout')).status).toBe(405);
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it('an unknown address is 404 for everybody', async () => {
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
  ])('H4, incident 29: %s never reaches the handler without the guard', async (path) => {
    const text = await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 (400|401|404) /);
  });

  it('H3: an Accept header that excludes JSON is 406', async () => {
    expectProblem(await app.client.get('/me', { accept: 'text/html' }), 406, 'not_acceptable');
    for (const accept of [
      '*/*',
      'application/json',
      'application/*',
      'text/html, */*;q=0.8',
      'application/problem+json',
    ]) {
      expect((await app.client.get('/me', { accept })).status).toBe(200);
    }
  });

  it('B3: a credential in the query is not read', async () => {
    const node = await startApp({ env: { AUTH_STRATEGY: 'jwt' }, sibling: app, force: true });
    const { reply } = await signIn(node);
    const token = reply.body['access_token'];
    for (const name of ['access_token', 'token', 'session']) {
      expect((await node.client.get(`/me?${name}=${token}`)).body).toEqual({ logged_in: false });
    }
    await node.close();
  });
});

describe('broken HTTP (H5)', () => {
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

  it('fault 15: header fields over 16 KiB are 431', async () => {
    const text = await raw(`GET /me HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('fault 15: header fields and bodies that trickle in are cut off with 408 within 20 s', async () => {
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

  it('an Expect header for something else than 100-continue is 417', async () => {
    const text = await raw(`${GET_ME}Host: localhost\r\nExpect: a-miracle\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 417 /);
    expect(text).toContain('application/problem+json');
    expect(text).toContain('"code":"expectation_failed"');
    const awaited = await raw(`${GET_ME}Host: localhost\r\nExpect: 100-continue\r\n\r\n`);
    expect(awaited).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it('a request without a Host header is 400, unless it is HTTP/1.0 (RFC 9112 §3.2)', async () => {
    const text = await raw(`${GET_ME}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('application/problem+json');
    expect(text).toContain('"code":"malformed_request"');
    expect(await raw('GET /me HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('a malformed escape in the path is 400, not 500', async () => {
    const reply = await app.client.get('/users/%zz');
    expect(reply.status).toBe(400);
    expect(reply.body['code']).toBe('malformed_request');
  });
});

describe('headers of every reply (C6, G2)', () => {
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

  it('an id that the client sends is not taken over (O3)', async () => {
    const { headers } = await app.client.get('/me', { 'x-request-id': 'mine', 'request-id': 'mine' });
    expect(headers['x-request-id']).not.toBe('mine');
  });
});

describe('the log', () => {
  it('O1: each sign-in outcome is one JSON line with time, who, where, what and the request id', async () => {
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

  it('O2: holds no password, token, cookie or full address of anything that was sent or answered', async () => {
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

  it('O3: input cannot start a line of its own', async () => {
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
function raw(message: string, patience = 5_000): Promise<string> {
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
