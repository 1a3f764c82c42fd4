import { beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { type TestApp } from '../support/app.js';
import { accessClaims, decodeToken, issueToken, newKey, resign, signingKey } from '../support/jwt.js';
import { until } from '../support/process.js';
import { signIn, STRATEGIES } from '../support/strategies.js';
import {
  addService,
  basicOf,
  bootNodes,
  call,
  expectOAuthError,
  isLive,
  nodeOf,
  startNode,
  type Service,
  valueOf,
} from '../support/service-clients.js';
import { given } from '../support/given.js';

bootNodes();

const INACTIVE = '{"active":false}';

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

describe.each(STRATEGIES)('service client, AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  let service: Service;
  beforeAll(async () => {
    app = nodeOf(strategy);
    service = await addService(app);
  });

  it('learns the session of a good credential, and no personal data', async () => {
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

  it('learns only that any other token is inactive [B5]', async () => {
    const [gone, late, idle, other] = await Promise.all([signIn(app), signIn(app), signIn(app), signIn(app)]);
    await gone.client.post('/logout');
    await given.expiredSession(app, late.sessionId);
    await given.unusedSession(app, idle.sessionId, '1 year');
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

  it('gets the same answer for every token_type_hint', async () => {
    const token = valueOf(app, await signIn(app));
    const { text } = await service.introspect(token);
    for (const hint of ['access_token', 'refresh_token', 'session', 'nonsense'])
      expect((await call(app, '/introspect', { token, token_type_hint: hint }, service.basic)).text).toBe(
        text,
      );
    await call(app, '/revoke', { token, token_type_hint: 'refresh_token' }, service.basic);
    expect((await service.introspect(token)).text).toBe(INACTIVE);
  });

  it('neither uses nor changes a session by introspection', async () => {
    const person = await signIn(app);
    const rowOf = () => app.query(sql`select * from sessions where id = ${person.sessionId}`);
    const before = await rowOf();
    await service.introspect(valueOf(app, person));
    expect(await rowOf()).toEqual(before);
  });

  it('gets consistent answers from introspection, JWKS verification and /me [B6]', async () => {
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

  it('ends the session of any token it revokes, repeatedly, and the log names the client [B7, pain 19]', async () => {
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

  it('gets 200 for an unknown token, and no session ends [B7]', async () => {
    const person = await signIn(app);
    const unknown = ['nonsense', `trf_st_${'A'.repeat(43)}`, `trf_rt_${'A'.repeat(43)}`, person.sessionId];
    for (const token of unknown) expect(await service.revoke(token)).toMatchObject({ status: 200, text: '' });
    expect(await isLive(app, person)).toBe(true);
  });

  it('without the permission changes nothing [B7]', async () => {
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
    it('that verifies signatures only accepts a signed-out token until it expires [B6]', async () => {
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

    it('that revokes a refresh token, also a used one, ends the access tokens of its session [B7]', async () => {
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

    it('that revokes an expired token ends its session [B7, pain 19]', async () => {
      const person = await signIn(app);
      const claims = { exp: Math.floor(Date.now() / 1000) - 5 };
      const expired = resign(valueOf(app, person), await signingKey(app), { claims });
      expect((await service.revoke(expired)).status).toBe(200);
      expect(await isLive(app, person)).toBe(false);
    });

    it('cannot revoke a token of another client or a forged one [B7]', async () => {
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

describe('kinds of credential at introspection [S13, incident 24, incident 32]', () => {
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
    'with AUTH_STRATEGY=$strategy only accepted access tokens and cookies are active',
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

  it('only the secret of a client authenticates a service, and it works nowhere else', async () => {
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

  it('a revocation on one node soon makes the token inactive on every other', async () => {
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

describe('GET /.well-known/oauth-authorization-server', () => {
  it('lists all endpoints of the issuer, and nothing untrue (RFC 8414)', async () => {
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
