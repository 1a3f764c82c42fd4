import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import {
  isClientName,
  type Permission,
  PERMISSIONS,
  ServiceClients,
} from '../src/auth/clients/service-clients.service.js';
import { RouteTable } from '../src/http/route-table.js';
import { startApp, type TestApp } from './support/app.js';
import { cookieValue, type Reply } from './support/client.js';
import { createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import { accessClaims, decodeToken, issueToken, newKey, resign, signingKey } from './support/jwt.js';
import { endAllPrograms, startProgram, until } from './support/process.js';
import { type SignedIn, signIn, STRATEGIES, strategyOf } from './support/strategies.js';

type Endpoint = '/introspect' | '/revoke';
type Headers = Readonly<Record<string, string>>;

const ENDPOINTS: readonly Endpoint[] = ['/introspect', '/revoke'];
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const INACTIVE = '{"active":false}';
/** What RFC 6749 §5.2 allows in a description. */
const DESCRIPTION = /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/;

/** A service client, and how it calls. */
interface Service {
  readonly id: string;
  readonly secret: string;
  readonly basic: Headers;
  introspect(token: string, headers?: Headers): Promise<Reply>;
  revoke(token: string, headers?: Headers): Promise<Reply>;
}

async function addService(app: TestApp, permissions: readonly Permission[] = PERMISSIONS): Promise<Service> {
  const clients = app.running.app.get(ServiceClients, { strict: false });
  const client = await clients.add(`service-${uuidv7().slice(9).toLowerCase()}x`, permissions);
  if (!client) throw new Error('the name is taken');
  return serviceOf(app, client.id, client.secret);
}

function serviceOf(app: TestApp, id: string, secret: string): Service {
  const basic = { authorization: basicOf(id, secret) };
  return {
    id,
    secret,
    basic,
    introspect: (token, headers = {}) => call(app, '/introspect', { token }, { ...basic, ...headers }),
    revoke: (token, headers = {}) => call(app, '/revoke', { token }, { ...basic, ...headers }),
  };
}

function basicOf(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/** Sends a form: parameters, or a body as it is. */
function call(
  app: TestApp,
  endpoint: string,
  form: Record<string, string> | string | Buffer,
  headers: Headers = {},
): Promise<Reply> {
  const body =
    typeof form === 'object' && !Buffer.isBuffer(form) ? new URLSearchParams(form).toString() : form;
  return app.client.send('POST', endpoint, body, { ...FORM, ...headers });
}

/** The value of the credential that a sign-in answered with. */
function valueOf(app: TestApp, { reply }: SignedIn): string {
  return String(
    strategyOf(app).issues === 'jwt' ? reply.body['access_token'] : cookieValue(reply, 'session'),
  );
}

function expectOAuthError(reply: Reply, status: number, error: string): void {
  expect({ status: reply.status, error: reply.body['error'], text: reply.text }).toMatchObject({
    status,
    error,
  });
  expect(Object.keys(reply.body)).toEqual(['error', 'error_description']);
  expect(reply.body['error_description']).toMatch(DESCRIPTION);
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(reply.headers['pragma']).toBe('no-cache');
  expect(reply.headers['www-authenticate']).toBe(
    status === 401 ? 'Basic realm="traffy", Bearer realm="traffy"' : undefined,
  );
  expect(reply.setCookies).toEqual([]);
}

async function isLive(app: TestApp, { headers }: Pick<SignedIn, 'headers'>): Promise<boolean> {
  return (await app.client.get('/me', headers)).body['logged_in'] as boolean;
}

/** Whether a token passes at a service that has nothing but the published keys. */
async function isSigned(app: TestApp, token: string, currentDate = new Date()): Promise<boolean> {
  const { body } = await app.client.get('/.well-known/jwks.json');
  const { PUBLIC_URL: issuer } = app.config.app;
  const { AUTH_AUDIENCE: audience } = app.config.auth;
  const rules = { issuer, audience, typ: 'at+jwt', currentDate };
  return jwtVerify(token, createLocalJWKSet(body as never), rules).then(
    () => true,
    () => false,
  );
}

async function reasonOf(app: TestApp, sessionId: string): Promise<string | null> {
  const [row] = await app.query(
    sql<{ revoked_reason: string | null }>`select revoked_reason from sessions where id = ${sessionId}`,
  );
  return row?.revoked_reason ?? null;
}

/** A node of each value of AUTH_STRATEGY, in the order of the table, all on one database. */
const nodes: TestApp[] = [];
beforeAll(async () => {
  for (const { strategy } of STRATEGIES) await startNode({ AUTH_STRATEGY: strategy });
});
afterAll(async () => {
  for (const node of nodes.toReversed()) await node.close();
});

/** Starts one more node beside the others. */
async function startNode(env: Record<string, string>): Promise<TestApp> {
  const [sibling] = nodes;
  const TRUSTED_ORIGINS = 'http://localhost:8000,https://app.example.com';
  const node = await startApp({ env: { TRUSTED_ORIGINS, ...env }, force: true, ...(sibling && { sibling }) });
  nodes.push(node);
  return node;
}

function nodeOf(strategy: (typeof STRATEGIES)[number]['strategy']): TestApp {
  const node = nodes[STRATEGIES.findIndex((one) => one.strategy === strategy)];
  if (!node) throw new Error(`no node of ${strategy}`);
  return node;
}

describe.each(STRATEGIES)('a service, AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  let service: Service;
  beforeAll(async () => {
    app = nodeOf(strategy);
    service = await addService(app);
  });

  it('learns of a good credential whose session it stands for, and nothing about the person', async () => {
    const person = await signIn(app);
    const { session } = person.reply.body;
    const reply = await service.introspect(valueOf(app, person));
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
    expect(reply.setCookies).toEqual([]);
    const { sub } = reply.body;
    expect((await person.client.get('/users/me')).body['id']).toBe(sub);
    const facts = {
      active: true,
      iss: app.config.app.PUBLIC_URL,
      aud: app.config.auth.AUTH_AUDIENCE,
      sub,
      sid: person.sessionId,
      client_id: 'traffy',
      amr: ['pwd'],
    };
    const ofSession = {
      token_type: 'session',
      iat: Math.floor(Date.parse(session.created_at) / 1000),
      exp: Math.floor(Date.parse(session.expires_at) / 1000),
      auth_time: Math.floor(Date.parse(session.created_at) / 1000),
    };
    expect(reply.body).toEqual({
      ...facts,
      ...(issues === 'jwt'
        ? { token_type: 'Bearer', ...decodeToken(valueOf(app, person)).claims }
        : ofSession),
    });
  });

  it('B5: of everything else learns only that it is not active', async () => {
    const [gone, late, idle, other] = await Promise.all([signIn(app), signIn(app), signIn(app), signIn(app)]);
    await gone.client.post('/logout');
    await app.query(
      sql`update sessions set created_at = now() - interval '2 days', expires_at = now() - interval '1 day' where id = ${late.sessionId}`,
    );
    await app.query(
      sql`update sessions set last_used_at = now() - interval '1 year' where id = ${idle.sessionId}`,
    );
    const value = valueOf(app, other);
    const claims = accessClaims(app, { sub: uuidv7(), sid: other.sessionId });
    const tokens = [
      ...[gone, late, idle].map((person) => valueOf(app, person)),
      value.slice(0, -4),
      `${value} `,
      ` ${value}`,
      value.toUpperCase(),
      `Bearer ${value}`,
      'nonsense',
      issueToken(newKey('ES256'), claims),
      issueToken({ ...newKey('ES256'), kid: (await signingKey(app)).kid }, claims),
      other.sessionId,
    ];
    for (const token of tokens) {
      const { status, text } = await service.introspect(token);
      expect({ token, status, text }).toEqual({ token, status: 200, text: INACTIVE });
    }
    expect((await service.introspect(value)).body['active']).toBe(true);
  });

  it('token_type_hint is a hint: whatever it says, the answer is the same', async () => {
    const token = valueOf(app, await signIn(app));
    const { text } = await service.introspect(token);
    for (const hint of ['access_token', 'refresh_token', 'session', 'nonsense'])
      expect((await call(app, '/introspect', { token, token_type_hint: hint }, service.basic)).text).toBe(
        text,
      );
    await call(app, '/revoke', { token, token_type_hint: 'refresh_token' }, service.basic);
    expect((await service.introspect(token)).text).toBe(INACTIVE);
  });

  it('asking neither uses a session nor changes it', async () => {
    const person = await signIn(app);
    const rowOf = () => app.query(sql`select * from sessions where id = ${person.sessionId}`);
    const before = await rowOf();
    await service.introspect(valueOf(app, person));
    expect(await rowOf()).toEqual(before);
  });

  it('B6: introspection, JWKS verification and /me agree while a session lives, and once it ended', async () => {
    const person = await signIn(app);
    const token = valueOf(app, person);
    const agree = async () => [
      (await service.introspect(token)).body['active'],
      await isLive(app, person),
      // A signature alone says nothing of the session: the next test has its bound.
      issues === 'session' || (await isSigned(app, token)),
    ];
    expect(await agree()).toEqual([true, true, true]);
    await person.client.post('/logout');
    expect((await agree()).slice(0, 2)).toEqual([false, false]);
  });

  it('B7, pain 19: ends the session of whatever it is shown, once and again, and the log says who did', async () => {
    const person = await signIn(app);
    const token = valueOf(app, person);
    for (const reply of [await service.revoke(token), await service.revoke(token)]) {
      expect({ status: reply.status, text: reply.text, cookies: reply.setCookies }).toEqual({
        status: 200,
        text: '',
        cookies: [],
      });
      expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
    }
    expect(await isLive(app, person)).toBe(false);
    expect((await service.introspect(token)).text).toBe(INACTIVE);
    expect(await reasonOf(app, person.sessionId)).toBe('revoked_by_service');
    const lines = app.logs.filter(
      ({ event, session }) => event === 'session_revoked_by_service' && session === person.sessionId,
    );
    expect(lines).toEqual([expect.objectContaining({ service: expect.stringMatching(/^service-/) })]);
    expect(app.logText()).not.toContain(token);
    expect(app.logText()).not.toContain(service.secret);
  });

  it('B7: of an unknown token hears 200 as well, and nothing ends', async () => {
    const person = await signIn(app);
    const unknown = ['nonsense', `trf_st_${'A'.repeat(43)}`, `trf_rt_${'A'.repeat(43)}`, person.sessionId];
    for (const token of unknown) expect(await service.revoke(token)).toMatchObject({ status: 200, text: '' });
    expect(await isLive(app, person)).toBe(true);
  });

  it('B7: without the permission leaves it untouched', async () => {
    const person = await signIn(app);
    const token = valueOf(app, person);
    const asks = await addService(app, ['introspect']);
    const ends = await addService(app, ['revoke']);
    expectOAuthError(await asks.revoke(token), 400, 'unauthorized_client');
    expect((await asks.introspect(token)).body['active']).toBe(true);
    expectOAuthError(await ends.introspect(token), 400, 'unauthorized_client');
    expect(await isLive(app, person)).toBe(true);
    expect((await ends.revoke(token)).status).toBe(200);
    expect(await isLive(app, person)).toBe(false);
  });

  if (issues === 'jwt') {
    it('B6: after sign-out a token passes where only its signature is checked, until it runs out and no longer', async () => {
      const person = await signIn(app);
      const token = valueOf(app, person);
      await person.client.post('/logout');
      const { exp } = decodeToken(token).claims as { exp: number };
      expect(exp * 1000 - Date.now()).toBeLessThanOrEqual(app.config.auth.ACCESS_TOKEN_TTL * 1000);
      expect(await isSigned(app, token)).toBe(true);
      expect(await isSigned(app, token, new Date((exp + 1) * 1000))).toBe(false);
      const ended = resign(token, await signingKey(app), {
        claims: { exp: Math.floor(Date.now() / 1000) - 1 },
      });
      expect(await isSigned(app, ended)).toBe(false);
      expect((await service.introspect(ended)).text).toBe(INACTIVE);
      expect(await isLive(app, { headers: { authorization: `Bearer ${ended}` } })).toBe(false);
    });

    it('B7: revoking a refresh token kills the access tokens of its session, and it can be one that was used', async () => {
      for (const which of [0, 1]) {
        const person = await signIn(app);
        const first = person.reply.body['refresh_token'] as string;
        const { body } = await app.client.post('/refresh', { refresh_token: first });
        await service.revoke([first, body['refresh_token'] as string][which] ?? '');
        expect(await isLive(app, person)).toBe(false);
        for (const token of [valueOf(app, person), body['access_token'] as string])
          expect((await service.introspect(token)).text).toBe(INACTIVE);
        const refused = await app.client.post('/refresh', { refresh_token: body['refresh_token'] });
        expect(refused.body['code']).toBe('refresh_revoked');
      }
    });

    it('B7, pain 19: a token that ran out still ends its own session', async () => {
      const person = await signIn(app);
      const claims = { exp: Math.floor(Date.now() / 1000) - 5 };
      const expired = resign(valueOf(app, person), await signingKey(app), { claims });
      expect((await service.revoke(expired)).status).toBe(200);
      expect(await isLive(app, person)).toBe(false);
    });

    it('B7: a token of ours that was issued to another client is untouched, live or not, as is a forged one', async () => {
      const person = await signIn(app);
      const token = valueOf(app, person);
      const key = await signingKey(app);
      const past = Math.floor(Date.now() / 1000) - 5;
      const foreign = { client_id: 'somebody-else' };
      const untouched = [
        resign(token, key, { claims: foreign }),
        resign(token, key, { claims: { ...foreign, exp: past } }),
        resign(token, { ...newKey('ES256'), kid: key.kid }, { claims: { exp: past } }),
        resign(token, key, { claims: { iss: 'https://other.example' } }),
      ];
      for (const value of untouched)
        expect(await service.revoke(value)).toMatchObject({ status: 200, text: '' });
      expect(await isLive(app, person)).toBe(true);
    });
  }
});

describe('S13, incidents 24 and 32: of all kinds of credential', () => {
  /** One person's credentials of every kind, all live. */
  async function everyKind(): Promise<Record<string, string>> {
    const [cookies, tokens] = [nodeOf('session'), nodeOf('jwt')];
    const withCookie = await signIn(cookies);
    const withTokens = await signIn(tokens, withCookie.email);
    const access = valueOf(tokens, withTokens);
    const { claims } = decodeToken(access);
    const key = await signingKey(tokens);
    return {
      'session cookie': valueOf(cookies, withCookie),
      'access token': access,
      'refresh token': withTokens.reply.body['refresh_token'] as string,
      'id-like token': resign(access, key, { header: { typ: 'JWT' } }),
      'state of a flow': resign(access, key, { header: { typ: 'flow+jwt' } }),
      'token without a type': resign(access, key, { header: { typ: undefined } }),
      'secret of a client': (await addService(tokens)).secret,
      'token of a reset': `trf_pr_${Buffer.alloc(32, 7).toString('base64url')}`,
      'cookie under the prefix of a refresh token': valueOf(cookies, withCookie).replace('_st_', '_rt_'),
      'refresh token under the prefix of a cookie': String(withTokens.reply.body['refresh_token']).replace(
        '_rt_',
        '_st_',
      ),
      'id of a session': withTokens.sessionId,
      'id of a token': claims['jti'] as string,
    };
  }

  it.each(STRATEGIES)(
    'introspection with AUTH_STRATEGY=$strategy takes only access tokens and cookies, where they are accepted',
    async ({ strategy, accepts }) => {
      const node = nodeOf(strategy);
      const service = await addService(node);
      const kinds = await everyKind();
      const isAccepted: Record<string, boolean> = {
        'session cookie': (accepts as readonly string[]).includes('session'),
        'access token': (accepts as readonly string[]).includes('jwt'),
      };
      // Twice: what was found good is remembered, and must be so for its own kind alone.
      for (const round of [1, 2]) {
        for (const [kind, value] of Object.entries(kinds)) {
          const { body } = await service.introspect(value);
          const active = isAccepted[kind] ?? false;
          expect({ round, kind, active: body['active'] }).toEqual({ round, kind, active });
        }
      }
    },
  );

  it('none but the secret of a client authenticates a service, and that opens nothing for a person', async () => {
    for (const { strategy } of STRATEGIES) {
      const node = nodeOf(strategy);
      const { 'secret of a client': _secret, ...others } = await everyKind();
      const { id, secret, basic } = await addService(node);
      for (const [kind, value] of Object.entries(others)) {
        for (const authorization of [`Bearer ${value}`, basicOf(id, value), basicOf(value, secret)]) {
          const { status } = await call(node, '/introspect', { token: value }, { authorization });
          expect({ kind, status }).toEqual({ kind, status: 401 });
        }
        const inForm = { token: value, client_id: id, client_secret: value };
        expectOAuthError(await call(node, '/introspect', inForm), 401, 'invalid_client');
      }
      const asPerson = [
        basic,
        { authorization: `Bearer ${secret}` },
        { cookie: `session=${secret}` },
        { cookie: `access_token=${secret}` },
      ];
      for (const headers of asPerson) {
        expect((await node.client.get('/users/me', headers)).status).toBe(401);
        expect((await node.client.get('/me', headers)).body['logged_in']).toBe(false);
      }
      expect((await node.client.post('/refresh', { refresh_token: secret })).body['code']).toBe(
        'refresh_invalid',
      );
    }
  });

  it('what is revoked on one node is soon inactive on every other', async () => {
    const [first, second] = [nodeOf('session,jwt'), nodeOf('jwt,session')];
    const [here, there] = [await addService(first), await addService(second)];
    const person = await signIn(first);
    const token = valueOf(first, person);
    expect((await there.introspect(token)).body['active']).toBe(true);
    await here.revoke(token);
    expect((await here.introspect(token)).text).toBe(INACTIVE);
    await until(async () => ((await there.introspect(token)).text === INACTIVE ? true : undefined), 2_500);
  });
});

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

  describe('B4: the client', () => {
    it('authenticates itself by Basic or in the form, and by nothing else', async () => {
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

    it('by two methods at once, or as two clients, is refused', async () => {
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
    ])('is taken with %s', async (_what, headerOf) => {
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

    it('hears the same, at the same cost, whether it is unknown or its secret is wrong', async () => {
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

    it('is unknown from the moment that it is removed', async () => {
      const gone = await addService(app);
      expect((await gone.introspect(token)).body['active']).toBe(true);
      await app.running.app.get(ServiceClients, { strict: false }).remove(gone.id);
      expectOAuthError(await gone.introspect(token), 401, 'invalid_client');
    });
  });

  describe('the form', () => {
    it('is the only body there is, incident 30: on these two routes and on no other', async () => {
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

    it('may hold parameters that it does not know, and empty ones count as left out (RFC 6749 §3.2)', async () => {
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

    it('has 16 KiB at most', async () => {
      for (const endpoint of ENDPOINTS) {
        expect((await call(app, endpoint, `token=${'x'.repeat(16_378)}`, service.basic)).status).toBe(200);
        const tooLong = await call(app, endpoint, `token=${'x'.repeat(16_379)}`, service.basic);
        expectOAuthError(tooLong, 413, 'invalid_request');
      }
    });

    it('chunked is read like any other, and of another type refused', async () => {
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

    it('faults 14 and 16: whatever stands in it, the answer is one of these, and never a fault of ours', async () => {
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
            expectHarmless(await call(app, endpoint, { token: 'x', [name]: value }, service.basic));
          for (const value of junk)
            expectHarmless(
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
            expectHarmless(await call(app, endpoint, body, service.basic));
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
    it('a cookie changes nothing: it neither authenticates the client, nor stands for the token, nor is in the way', async () => {
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
      'C1: what a page of another site sends with %s is refused, also with the Basic that a browser remembers',
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

    it('C1: what pages of our own and of trusted origins send is not', async () => {
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

  it('B8: answer every error in the JSON of RFC 6749, whatever found it', async () => {
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

  it('L9: a quota that is used up is 429 with Retry-After, in that JSON too', async () => {
    const limited = await startNode({ RATE_LIMIT_DEFAULT: '2/1m' });
    const ask = () => call(limited, '/introspect', 'token=x');
    expectOAuthError(await ask(), 401, 'invalid_client');
    expectOAuthError(await ask(), 401, 'invalid_client');
    const reply = await ask();
    expectOAuthError(reply, 429, 'temporarily_unavailable');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  });

  it.each(['session', 'jwt'])(
    'O4: with the database away nothing is decided, AUTH_STRATEGY=%s: 503, never inactive and never revoked',
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

  it('left alone, in all of this, the session that was only asked about', async () => {
    expect(await isLive(app, person)).toBe(true);
  });
});

describe('GET /.well-known/oauth-authorization-server', () => {
  it('RFC 8414: says where everything is, from the issuer alone, and nothing that is untrue', async () => {
    const PUBLIC_URL = 'https://auth.example.com';
    const app = await startNode({
      PUBLIC_URL,
      AUTH_STRATEGY: 'jwt',
      JWT_ALGORITHM: 'PS256',
      TRUSTED_ORIGINS: PUBLIC_URL,
    });
    const reply = await app.client.get('/.well-known/oauth-authorization-server');
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'public, max-age=600',
      'cross-origin-resource-policy': 'cross-origin',
    });
    const methods = ['client_secret_basic', 'client_secret_post'];
    expect(reply.body).toEqual({
      issuer: PUBLIC_URL,
      jwks_uri: `${PUBLIC_URL}/.well-known/jwks.json`,
      introspection_endpoint: `${PUBLIC_URL}/introspect`,
      introspection_endpoint_auth_methods_supported: methods,
      revocation_endpoint: `${PUBLIC_URL}/revoke`,
      revocation_endpoint_auth_methods_supported: methods,
      response_types_supported: [],
      grant_types_supported: [],
      service_documentation: `${PUBLIC_URL}/docs`,
      revocations_uri: `${PUBLIC_URL}/.well-known/revocations`,
      // The keys of the other nodes are published too.
      access_token_signing_alg_values_supported: expect.arrayContaining(['PS256', 'ES256']),
    });
    const { reply: signedIn } = await signIn(app);
    const { header, claims } = decodeToken(signedIn.body['access_token'] as string);
    expect({ alg: header['alg'], iss: claims['iss'] }).toEqual({ alg: 'PS256', iss: PUBLIC_URL });
    const there = ['jwks_uri', 'service_documentation'];
    for (const name of there)
      expect((await app.client.get(new URL(reply.body[name] as string).pathname)).status).toBe(200);
  });
});

describe('traffy clients', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(endAllPrograms);
  afterAll(() => database.drop());

  async function clients(...args: string[]) {
    const program = startProgram({ args: ['traffy', 'clients', ...args], env: { ...database.env } });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('adds, lists and removes; of eight that add one name at once, one wins', async () => {
    const adding = await Promise.all(Array.from({ length: 8 }, () => clients('add', 'billing', '--json')));
    const [won, ...further] = adding.filter(({ code }) => code === 0);
    expect(further).toEqual([]);
    expect(
      adding.filter(({ code, out, err }) => code === 1 && out === '' && /^traffy: .+\n$/.test(err)),
    ).toHaveLength(7);
    // On the embedded database the others may have found the data directory in use instead.
    const refusal = onServer ? /there is a service client billing already/ : /^traffy: /;
    expect(adding.filter(({ err }) => refusal.test(err))).toHaveLength(7);
    const billing = JSON.parse(won?.out ?? '');
    expect(billing).toEqual({
      client_id: expect.stringMatching(/^[0-9a-f-]{14}7[0-9a-f-]{21}$/),
      client_secret: expect.stringMatching(/^trf_cs_[A-Za-z0-9_-]{43}$/),
      name: 'billing',
      permissions: ['introspect', 'revoke'],
    });
    expect(await clients('add', 'billing')).toEqual({
      code: 1,
      out: '',
      err: 'traffy: there is a service client billing already; remove it, or choose another name\n',
    });

    const reports = await clients('add', 'reports', '--only', 'introspect');
    const [, id = '', secret = ''] =
      /^client_id {6}(\S+)\nclient_secret {2}(trf_cs_\S{43})\n.*introspect\.\n$/.exec(reports.out) ?? [];
    expect(secret).not.toBe('');

    const listed = await clients('list', '--json');
    expect(JSON.parse(listed.out)).toEqual({
      clients: [
        {
          client_id: billing.client_id,
          name: 'billing',
          permissions: ['introspect', 'revoke'],
          created_at: expect.any(String),
        },
        { client_id: id, name: 'reports', permissions: ['introspect'], created_at: expect.any(String) },
      ],
    });
    expect(listed.out).not.toContain('trf_cs_');

    // The secrets work, and stand nowhere in the database, in no spelling.
    const app = await startApp({ database });
    const [asks, both] = [
      serviceOf(app, id, secret),
      serviceOf(app, billing.client_id, billing.client_secret),
    ];
    const token = valueOf(app, await signIn(app));
    expect((await both.introspect(token)).body['active']).toBe(true);
    expectOAuthError(await asks.revoke(token), 400, 'unauthorized_client');
    const dump = await everyRow(app);
    expect(dump).toContain('billing');
    for (const shown of [secret, billing.client_secret as string]) {
      const bytes = Buffer.from(shown.slice('trf_cs_'.length), 'base64url');
      const spellings = [shown, shown.slice('trf_cs_'.length), Buffer.from(shown).toString('hex')];
      for (const spelling of [...spellings, bytes.toString('hex'), bytes.toString('base64')])
        expect(dump).not.toContain(spelling);
    }
    await app.close();

    expect(await clients('remove', 'billing', '--json')).toEqual({
      code: 0,
      out: `{"removed":{"client_id":"${billing.client_id}","name":"billing"}}\n`,
      err: '',
    });
    expect(await clients('remove', billing.client_id)).toEqual({
      code: 1,
      out: '',
      err: `traffy: there is no service client "${billing.client_id}"\n`,
    });
    expect((await clients('remove', id)).code).toBe(0);
    expect((await clients('list')).out).toBe('There are no service clients.\n');
  });

  it.each([
    ['a bad name', ['add', 'Billing']],
    ['an unknown permission', ['add', 'billing', '--only', 'everything']],
  ])('ends with 2 for %s and shows how it is used', async (_what, args) => {
    const { code, out, err } = await clients(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: traffy clients add');
  });

  it('names are short, lower-case, and never an id', () => {
    const good = ['a', '7', 'billing', 'billing-2', 'eu.billing_2', 'x'.repeat(64)];
    const bad = [
      '',
      'Billing',
      'a b',
      '-x',
      'x-',
      '.x',
      'x'.repeat(65),
      'ünicode',
      'a\n',
      "a'b",
      'a/b',
      uuidv7(),
    ];
    expect(good.filter(isClientName)).toEqual(good);
    expect(bad.filter(isClientName)).toEqual([]);
  });
});

/** Every row of every table, as text. */
async function everyRow(app: TestApp): Promise<string> {
  const tables = await app.query(
    sql<{
      name: string;
    }>`select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) =>
      app.query(sql<{ row: string }>`select t::text as row from ${sql.table(name)} t`),
    ),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

/** Expects that nothing was found, or that the request was refused as it ought to be. */
function expectHarmless({ status, text, body }: Reply): void {
  const isRefused =
    { 400: 'invalid_request', 401: 'invalid_client' }[status] === body['error'] &&
    DESCRIPTION.test(String(body['error_description']));
  expect({
    status,
    text,
    isHarmless: status === 200 ? ['', INACTIVE].includes(text) : isRefused,
  }).toMatchObject({
    isHarmless: true,
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
