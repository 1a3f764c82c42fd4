import { connect } from 'node:net';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { RouteTable } from '../../src/platform/http/route-table.js';
import { startApp, type TestApp } from '../support/app.js';
import { type Reply } from '../support/client.js';
import { type SignedIn, signIn } from '../support/strategies.js';
import {
  DESCRIPTION,
  FORM,
  addService,
  basicOf,
  bootNodes,
  call,
  expectOAuthError,
  isLive,
  nodeOf,
  startNode,
  type Headers,
  type Service,
  valueOf,
} from '../support/service-clients.js';

bootNodes();

type Endpoint = '/introspect' | '/revoke';

const ENDPOINTS: readonly Endpoint[] = ['/introspect', '/revoke'];
const INACTIVE = '{"active":false}';

describe('POST /introspect and POST /revoke', () => {
  let app: TestApp;
  let service: Service;
  let person: SignedIn;
  let token: string;
  beforeAll(async () => {
    app = nodeOf('session,jwt');
    service = await addService(app);
    person = await signIn(app);
    token = valueOf(app, person);
  });

  describe('client [B4]', () => {
    it('authenticates by Basic or in the form only', async () => {
      const { id, secret, basic } = service;
      const inForm = { client_id: id, client_secret: secret };
      for (const endpoint of ENDPOINTS) {
        expect((await call(app, endpoint, { token: 'x' }, basic)).status).toBe(200);
        expect((await call(app, endpoint, { token: 'x', ...inForm })).status).toBe(200);
        expect((await call(app, endpoint, { token: 'x', client_id: id }, basic)).status).toBe(200);
        expectOAuthError(await call(app, endpoint, { token }), 401, 'invalid_client');
        expectOAuthError(await call(app, endpoint, { token, client_id: id }), 401, 'invalid_client');
        expectOAuthError(await call(app, endpoint, { token, client_secret: secret }), 401, 'invalid_client');
        const query = `${endpoint}?client_id=${id}&client_secret=${secret}`;
        expectOAuthError(await call(app, query, { token }), 401, 'invalid_client');
        const assertion = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' };
        expectOAuthError(await call(app, endpoint, { token, ...assertion }), 401, 'invalid_client');
      }
    });

    it('with two methods, or as two clients, is refused', async () => {
      const { id, secret, basic } = service;
      const other = await addService(app);
      for (const endpoint of ENDPOINTS) {
        const twice: [Record<string, string>, Headers][] = [
          [{ client_id: id, client_secret: secret }, basic],
          [{ client_secret: secret }, basic],
          [{ client_id: other.id }, basic],
          [{ client_id: id, client_secret: secret }, { authorization: 'Bearer x' }],
        ];
        for (const [form, headers] of twice)
          expectOAuthError(await call(app, endpoint, { token, ...form }, headers), 400, 'invalid_request');
      }
    });

    it.each([
      [
        'a scheme in lower case',
        (id: string, secret: string) => basicOf(id, secret).replace('Basic', 'basic'),
      ],
      ['more than one space', (id: string, secret: string) => basicOf(id, secret).replace(' ', '   ')],
      [
        'percent-encoding (RFC 6749 §2.3.1)',
        (id: string, secret: string) => basicOf(percent(id), percent(secret)),
      ],
      ['an id in upper case', (id: string, secret: string) => basicOf(id.toUpperCase(), secret)],
    ])('is accepted with %s', async (_what, headerOf) => {
      const authorization = headerOf(service.id, service.secret);
      expect((await call(app, '/introspect', { token }, { authorization })).body['active']).toBe(true);
    });

    it.each([
      ['no value', () => 'Basic'],
      ['an empty value', () => 'Basic '],
      ['no scheme', (id: string, secret: string) => basicOf(id, secret).slice(6)],
      ['another scheme', (id: string, secret: string) => basicOf(id, secret).replace('Basic', 'Bearer')],
      [
        'a scheme that begins the same',
        (id: string, secret: string) => basicOf(id, secret).replace('Basic', 'Basics'),
      ],
      ['what is not base64', () => 'Basic !!!!'],
      ['base64url', () => `Basic ${Buffer.alloc(30, 0xff).toString('base64url')}`],
      ['base64 without its padding', () => 'Basic YTpi\u0059Q'],
      ['two values', (id: string, secret: string) => `${basicOf(id, secret)}, ${basicOf(id, secret)}`],
      ['no colon', (id: string, secret: string) => basicOf(id, secret).replace(/.+/, basicText(id + secret))],
      ['no id', (_id: string, secret: string) => basicOf('', secret)],
      ['no secret', (id: string) => basicOf(id, '')],
      ['nothing but a colon', () => basicOf('', '')],
      ['what is not UTF-8', () => `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString('base64')}`],
      ['an encoding that breaks off', (id: string, secret: string) => basicOf(id, `${secret}%5`)],
      ['an encoding of no character', (id: string, secret: string) => basicOf(id, `${secret}%ff`)],
      ['a secret with a space at its end', (id: string, secret: string) => basicOf(id, `${secret}+`)],
      ['a secret in another case', (id: string, secret: string) => basicOf(id, secret.toLowerCase())],
      ['NUL', (id: string, secret: string) => basicOf(`${id}\0`, secret)],
      ['SQL', (_id: string, secret: string) => basicOf("' or '1'='1", secret)],
      ['its name instead of its id', (_id: string, secret: string) => basicOf('service', secret)],
      ['the id of nobody', (_id: string, secret: string) => basicOf(uuidv7(), secret)],
      ['the nil id', () => basicOf('00000000-0000-0000-0000-000000000000', '')],
    ])('is refused with %s', async (_what, headerOf) => {
      const authorization = headerOf(service.id, service.secret);
      for (const endpoint of ENDPOINTS)
        expectOAuthError(await call(app, endpoint, { token }, { authorization }), 401, 'invalid_client');
    });

    it('gets the same answer at the same cost for an unknown id and a wrong secret', async () => {
      const wrong = `trf_cs_${Buffer.alloc(32, 1).toString('base64url')}`;
      const { database } = app.running.database;
      const query = jest.spyOn(database, 'query');
      const seen = [];
      for (const id of [service.id, uuidv7(), 'nonsense']) {
        query.mockClear();
        const { status, text, headers } = await call(
          app,
          '/introspect',
          { token },
          { authorization: basicOf(id, wrong) },
        );
        // What the node does by itself meanwhile does not count.
        const queries = query.mock.calls.filter(([statement]) =>
          JSON.stringify(statement.toOperationNode()).includes('service_clients'),
        ).length;
        seen.push({ status, text, challenge: headers['www-authenticate'], queries });
      }
      query.mockRestore();
      expect(seen[0]).toMatchObject({ status: 401, queries: 1 });
      expect(seen).toEqual([seen[0], seen[0], seen[0]]);
      const refused = app.logs.filter(({ event }) => event === 'service_client_refused');
      expect(refused.slice(-3).map(({ client }) => client)).toEqual([service.id, expect.any(String), null]);
      expect(app.logText()).not.toContain(wrong);
    });

    it('is unknown immediately after its removal', async () => {
      const gone = await addService(app);
      expect((await gone.introspect(token)).body['active']).toBe(true);
      await app.running.app.get(ServiceClients, { strict: false }).remove(gone.id);
      expectOAuthError(await gone.introspect(token), 401, 'invalid_client');
    });
  });

  describe('form', () => {
    it('is the only accepted body at these two routes, and at no other [incident 30]', async () => {
      const types = [
        'application/json',
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/x-www-form-urlencoded\t; x',
        '',
      ];
      for (const endpoint of ENDPOINTS) {
        for (const type of types) {
          const reply = await call(app, endpoint, JSON.stringify({ token }), {
            ...service.basic,
            'content-type': type,
          });
          expectOAuthError(reply, 415, 'invalid_request');
        }
        for (const type of [
          'Application/X-WWW-Form-URLencoded',
          'application/x-www-form-urlencoded; charset="UTF-8"',
        ])
          expect(
            (await call(app, endpoint, 'token=x', { ...service.basic, 'content-type': type })).status,
          ).toBe(200);
        expectOAuthError(
          await call(app, endpoint, 'token=x', { ...service.basic, 'content-encoding': 'gzip' }),
          415,
          'invalid_request',
        );
      }
      const others = app.running.app
        .get(RouteTable)
        .all()
        .filter(
          ({ method, path }) =>
            !['GET', 'HEAD', 'OPTIONS'].includes(method) && !ENDPOINTS.includes(path as Endpoint),
        );
      expect(others.length).toBeGreaterThan(4);
      for (const { method, path } of others) {
        const url = path.replace(/:\w+/g, person.sessionId);
        const reply = await app.client.send(method as 'POST', url, 'email=a%40b.example&password=x&token=x', {
          ...FORM,
          ...person.headers,
        });
        expect({ url, status: reply.status, code: reply.body['code'] }).toEqual({
          url,
          status: 415,
          code: 'unsupported_media_type',
        });
      }
    });

    it('has one token, and every parameter once', async () => {
      const bodies = ['', 'token=', 'token', 'tok=x', `token=${token}&token=${token}`, 'token=&token=x'];
      const doubled = ['token=x&a=1&a=1', 'token=x&client_id=1&client_id=1', 'token=x&%74oken=y'];
      for (const endpoint of ENDPOINTS) {
        for (const body of [...bodies, ...doubled])
          expectOAuthError(await call(app, endpoint, body, service.basic), 400, 'invalid_request');
        const inQuery = await call(app, `${endpoint}?token=${token}`, 'a=b', service.basic);
        expectOAuthError(inQuery, 400, 'invalid_request');
        expectOAuthError(
          await app.client.send('POST', endpoint, undefined, service.basic),
          400,
          'invalid_request',
        );
      }
    });

    it('can have unknown parameters; empty ones count as omitted (RFC 6749 §3.2)', async () => {
      const body = `a=1&__proto__=2&constructor=3&client_id=&client_secret=&token_type_hint=&token=${token}`;
      expect((await call(app, '/introspect', body, service.basic)).body['active']).toBe(true);
    });

    it.each([
      ['a stray percent sign', 'token=%zz'],
      ['an encoding that breaks off', 'token=%4'],
      ['bytes that are not UTF-8', Buffer.from([0x74, 0x6f, 0x6b, 0x65, 0x6e, 0x3d, 0xff])],
    ])('with %s is refused', async (_what, body) => {
      for (const endpoint of ENDPOINTS)
        expectOAuthError(await call(app, endpoint, body, service.basic), 400, 'invalid_request');
    });

    it('can have 16 KiB', async () => {
      for (const endpoint of ENDPOINTS) {
        expect((await call(app, endpoint, `token=${'x'.repeat(16_378)}`, service.basic)).status).toBe(200);
        const tooLong = await call(app, endpoint, `token=${'x'.repeat(16_379)}`, service.basic);
        expectOAuthError(tooLong, 413, 'invalid_request');
      }
    });

    it('chunked is read like others, and refused with another type', async () => {
      const origin = await app.listen();
      const chunked = (type: string, body: string) =>
        raw(
          origin,
          `POST /introspect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: ${service.basic['authorization']}\r\n` +
            `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        );
      expect(await chunked(FORM['content-type'], `token=${token}`)).toContain('"active":true');
      expect(await chunked(FORM['content-type'], `token=${'x'.repeat(17_000)}`)).toMatch(
        /^HTTP\/1\.1 413 .*"invalid_request"/s,
      );
      expect(await chunked('application/json', '{"token":"x"}')).toMatch(
        /^HTTP\/1\.1 415 .*"invalid_request"/s,
      );
    });

    it('never causes a server error [fault 14, fault 16]', async () => {
      const junk = [
        "' or 1=1 --",
        '\0',
        '\u0000\uFFFD',
        '\uFEFF',
        '💥',
        'ＡＢ',
        '\u202Eabc',
        '../../etc/passwd',
        '[object Object]',
      ];
      junk.push(
        '{"a":1}',
        '$1',
        '__proto__',
        'trf_st_',
        'trf_rt_',
        'a.b.c',
        '..',
        'e30.e30.e30',
        '%',
        'x'.repeat(8_000),
      );
      const names = ['token', 'token_type_hint', 'client_id', 'client_secret', 'other'];
      for (const endpoint of ENDPOINTS) {
        for (const name of names) {
          for (const value of junk)
            expectInactive(await call(app, endpoint, { token: 'x', [name]: value }, service.basic));
          for (const value of junk)
            expectInactive(
              await call(app, endpoint, {
                token: 'x',
                client_id: service.id,
                client_secret: service.secret,
                [name]: value,
              }),
            );
        }
      }
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...ENDPOINTS),
          fc.uint8Array({ maxLength: 60 }),
          async (endpoint, bytes) => {
            const body = Buffer.concat([Buffer.from('token='), bytes]);
            expectInactive(await call(app, endpoint, body, service.basic));
            const authorization = `Basic ${Buffer.from(bytes).toString('base64')}`;
            expectOAuthError(await call(app, endpoint, 'token=x', { authorization }), 401, 'invalid_client');
          },
        ),
        { numRuns: 100 },
      );
      expect(app.logs.filter(({ event }) => event === 'request_failed')).toEqual([]);
    });
  });

  describe('cookies and browsers', () => {
    it('a cookie neither authenticates the client nor counts as the token', async () => {
      const other = await signIn(app);
      const cookies = [
        String(person.headers['cookie']),
        `session=nonsense; access_token=nonsense`,
        `${person.headers['cookie']}; ${other.headers['cookie']}`,
      ];
      const { text } = await service.introspect(token);
      for (const cookie of cookies) {
        expect((await service.introspect(token, { cookie })).text).toBe(text);
        expect((await service.introspect('x', { cookie })).text).toBe(INACTIVE);
        expect(await service.revoke('x', { cookie })).toMatchObject({ status: 200, text: '' });
        for (const endpoint of ENDPOINTS) {
          expectOAuthError(
            await call(app, endpoint, 'a=b', { ...service.basic, cookie }),
            400,
            'invalid_request',
          );
          expectOAuthError(await call(app, endpoint, { token }, { cookie }), 401, 'invalid_client');
        }
      }
      expect(await isLive(app, person)).toBe(true);
      expect(await isLive(app, other)).toBe(true);
    });

    it.each([
      ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
      ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
      ['a foreign Origin', { origin: 'https://evil.example' }],
      ['Origin: null', { origin: 'null' }],
    ] as [string, Headers][])(
      'a request of another site with %s is refused, with remembered Basic credentials too [C1]',
      async (_what, headers) => {
        for (const endpoint of ENDPOINTS) {
          expectOAuthError(
            await call(app, endpoint, { token }, { ...service.basic, ...headers }),
            403,
            'invalid_request',
          );
          const inForm = { token, client_id: service.id, client_secret: service.secret };
          expectOAuthError(await call(app, endpoint, inForm, headers), 403, 'invalid_request');
        }
      },
    );

    it('requests of our own and trusted origins are accepted [C1]', async () => {
      const origins: Headers[] = [
        { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8000' },
        { 'sec-fetch-site': 'none' },
        { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' },
        // fetch() of Node.js
        { 'sec-fetch-mode': 'cors' },
      ];
      for (const headers of origins)
        expect((await service.introspect(token, headers)).body['active']).toBe(true);
    });
  });

  it('every error is in the JSON of RFC 6749 [B8]', async () => {
    for (const endpoint of ENDPOINTS) {
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'] as const) {
        const reply = await app.client.send(method, `${endpoint}?token=x`);
        expectOAuthError(reply, 405, 'invalid_request');
        expect(reply.headers['allow']).toBe('POST');
      }
      const { basic } = service;
      expectOAuthError(
        await call(app, endpoint, 'token=x', { ...basic, accept: 'text/html' }),
        406,
        'invalid_request',
      );
      expectOAuthError(
        await call(app, endpoint, 'token=x', { ...basic, expect: 'tea' }),
        417,
        'invalid_request',
      );
    }
    // Beside them, all is as everywhere.
    for (const path of ['/introspect/', '/Introspect', '/revoke/x']) {
      const reply = await app.client.post(path, {});
      expect(reply).toMatchObject({ status: 404, body: { code: 'not_found' } });
      expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    }
  });

  it('an exceeded quota is 429 with Retry-After in that JSON [L9]', async () => {
    const limited = await startNode({ RATE_LIMIT_DEFAULT: '2/1m' });
    const ask = () => call(limited, '/introspect', 'token=x');
    expectOAuthError(await ask(), 401, 'invalid_client');
    expectOAuthError(await ask(), 401, 'invalid_client');
    const reply = await ask();
    expectOAuthError(reply, 429, 'temporarily_unavailable');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  });

  it.each(['session', 'jwt'])(
    'without the database, AUTH_STRATEGY=%s, the answer is 503, never inactive or revoked [O4]',
    async (strategy) => {
      const broken = await startApp({ env: { AUTH_STRATEGY: strategy } });
      const asks = await addService(broken);
      const value = valueOf(broken, await signIn(broken));
      await broken.running.database.close();
      for (const reply of [await asks.introspect(value), await asks.revoke(value)]) {
        expectOAuthError(reply, 503, 'temporarily_unavailable');
        expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
      }
      await broken.running.app.close();
      await broken.testDatabase.drop();
    },
  );

  it('the introspected session is unchanged by all of this', async () => {
    expect(await isLive(app, person)).toBe(true);
  });
});

/** Expects that nothing was found, or that the request was refused as it ought to be. */
function expectInactive({ status, text, body }: Reply): void {
  const isRefused =
    { 400: 'invalid_request', 401: 'invalid_client' }[status] === body['error'] &&
    DESCRIPTION.test(String(body['error_description']));
  expect({
    status,
    text,
    isRefusedOrInactive: status === 200 ? ['', INACTIVE].includes(text) : isRefused,
  }).toMatchObject({
    isRefusedOrInactive: true,
  });
}

/** Every character percent-encoded. */
function percent(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

function basicText(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** Sends a message as it is, and gives all that comes back. */
function raw(origin: string, message: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname, () => socket.write(message));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
