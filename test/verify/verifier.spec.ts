import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fastify } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';
import {
  type AccessTokenClaims,
  claimsOf,
  createVerifier,
  type Verifier,
  type VerifierOptions,
} from '../../src/verify/verify.entry.js';
import { startApp, type TestApp } from '../support/app.js';
import { FORGERIES } from '../support/forgeries.js';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import {
  accessClaims,
  decodeToken,
  issueToken,
  newKey,
  resign,
  signatureBytes,
  signingKey,
  storeKey,
  type TestKey,
  withSignatureBytes,
} from '../support/jwt.js';
import { accessTokenOf, signIn } from '../support/strategies.js';
import { until, verdictOf } from '../support/verifiers.js';

const ISSUER = 'http://localhost:8000';

async function verdictsOf(
  verifier: Verifier,
  tokens: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const verdicts = Object.entries(tokens).map(
    async ([name, token]) => [name, await verdictOf(verifier, token)] as const,
  );
  return Object.fromEntries(await Promise.all(verdicts));
}

interface Watched {
  readonly verifier: Verifier;
  /** The paths that it asked the service for. */
  readonly asked: string[];
  readonly errors: Error[];
}

/**
 * A verifier of a running service, which finds everything from the issuer's name: requests to that name go to where
 * the service listens.
 *
 * @param maxAge instead of what the feed says, in seconds.
 */
function verifierOf(origin: string, options: Partial<VerifierOptions> = {}, maxAge?: number): Watched {
  const asked: string[] = [];
  const errors: Error[] = [];
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: ISSUER,
    fetch: async (input, init) => {
      const url = new URL(String(input));
      expect(url.origin).toBe(ISSUER);
      asked.push(url.pathname + url.search);
      const reply = await fetch(`${origin}${url.pathname}${url.search}`, init);
      if (maxAge === undefined || reply.status !== 200) return reply;
      const headers = new Headers(reply.headers);
      headers.set('cache-control', `public, max-age=${maxAge}`);
      return new Response(reply.body, { status: 200, headers });
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  return { verifier, asked, errors };
}

describe('verifier of a running service', () => {
  let app: TestApp;
  let origin: string;
  let key: TestKey;
  let good: string;
  let watched: Watched;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    origin = await app.listen();
    key = await signingKey(app);
    good = accessTokenOf(await signIn(app));
    watched = verifierOf(origin);
  });
  afterAll(() => app.close());

  it('accepts an access token without a shared secret, and returns frozen claims [pain 12]', async () => {
    const claims = await watched.verifier.verify(good);
    expect(claims).toEqual(decodeToken(good).claims);
    expect(claims.amr).toEqual(['pwd']);
    expect(() => Object.assign(claims, { sub: 'somebody else' })).toThrow(TypeError);
    expect(() => (claims.amr as string[]).push('otp')).toThrow(TypeError);
    expect(watched.asked).toEqual(['/.well-known/jwks.json']);
  });

  it.each(Object.entries(FORGERIES))(
    'refuses %s [J1, J3, J4, J5, J6, J7, J8, J9, J10, J11, J12, J13, incident 8, incident 10, incident 11, incident 32]',
    async (_name, make) => {
      const { text: jwks } = await app.client.get('/.well-known/jwks.json');
      const table = make({ good, key, keySet: jwks });
      const expected = Object.entries(table).map(([name, [, code]]) => [name, code ?? 'good']);
      const tokens = Object.entries(table).map(([name, [token]]) => [name, token]);
      expect(expected.length).toBeGreaterThan(5);
      expect(
        await verdictsOf(watched.verifier, Object.fromEntries(tokens) as Record<string, string>),
      ).toEqual(Object.fromEntries(expected));
    },
  );

  it('fetches the key set only, rarely, and nothing that a token names [J4]', async () => {
    expect(await verdictOf(watched.verifier, good)).toBe('good');
    expect(new Set(watched.asked)).toEqual(new Set(['/.well-known/jwks.json']));
    expect(watched.asked.length).toBeLessThan(8);
    expect(watched.errors).toEqual([]);
    expect(({} as Record<string, unknown>)['kid']).toBeUndefined();
  });

  it('refuses values that are not text', async () => {
    for (const value of [undefined, null, 7, {}, [good], Buffer.from(good)])
      expect(await verdictOf(watched.verifier, value as string)).toBe('malformed');
  });

  it('accepts and refuses exactly what the service does', async () => {
    for (const make of Object.values(FORGERIES)) {
      const table = make({ good, key, keySet: '' });
      for (const [name, [token, code]] of Object.entries(table)) {
        // What differs by design: how far clocks may differ, and what HTTP does to white space.
        if (/tolerance/.test(name) || token.trim() !== token) continue;
        const { status } = await app.client.get('/users/me', { authorization: `Bearer ${token}` });
        expect({ name, status }).toEqual({ name, status: code === null ? 200 : 401 });
      }
    }
  });

  describe('with keys of every algorithm', () => {
    const keys = new Map<string, TestKey>();
    const tokens: Record<string, string> = {};
    let verifier: Verifier;
    beforeAll(async () => {
      for (const algorithm of SIGNING_ALGORITHMS) {
        const one = algorithm === 'ES256' ? key : newKey(algorithm);
        if (algorithm !== 'ES256') await storeKey(app, one);
        keys.set(algorithm, one);
        tokens[algorithm] = issueToken(one, decodeToken(good).claims);
      }
      // The service itself looks for keys of others once in a while.
      const published = async () => {
        const { body } = await app.client.get('/.well-known/jwks.json');
        return String(body['keys'].length);
      };
      await until('3', published);
      ({ verifier } = verifierOf(origin));
    });

    it('accepts each key under its own algorithm', async () => {
      expect(await verdictsOf(verifier, tokens)).toEqual({ ES256: 'good', PS256: 'good', RS256: 'good' });
    });

    it('refuses an algorithm that was excluded [J1]', async () => {
      const strict = verifierOf(origin, { algorithms: ['PS256'] });
      expect(await verdictsOf(strict.verifier, tokens)).toEqual({
        ES256: 'wrong_algorithm',
        PS256: 'good',
        RS256: 'wrong_algorithm',
      });
    });

    it('lets a key verify its own algorithm only, for every pair [J3, incident 7]', async () => {
      const forged: Record<string, string> = {};
      for (const named of keys.values()) {
        for (const signer of keys.values()) {
          const usable = signer.algorithm === 'ES256' ? ['ES256'] : ['PS256', 'RS256', 'PS384', 'RS512'];
          for (const algorithm of usable) {
            if (named === signer && algorithm === named.algorithm) continue;
            const name = `kid of ${named.algorithm}, ${algorithm} by the key of ${signer.algorithm}`;
            const one = String(tokens[named.algorithm]);
            forged[name] = resign(one, signer, { header: { alg: algorithm, kid: named.kid } }, algorithm);
            forged[`${name}, alg of kid`] = resign(
              one,
              signer,
              { header: { alg: named.algorithm, kid: named.kid } },
              algorithm,
            );
          }
        }
      }
      const verdicts = await verdictsOf(verifier, forged);
      expect(Object.keys(verdicts).length).toBeGreaterThan(40);
      const isRefused = expect.stringMatching(/^(wrong_algorithm|bad_signature)$/);
      expect(verdicts).toEqual(Object.fromEntries(Object.keys(forged).map((name) => [name, isRefused])));
    });

    it('refuses RSA signatures of 0, 1, n-1 and n, truncated, longer and beyond n [J13]', async () => {
      for (const algorithm of ['PS256', 'RS256']) {
        const token = String(tokens[algorithm]);
        const { n = '' } = keys.get(algorithm)?.publicKey.export({ format: 'jwk' }) ?? {};
        const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
        const length = signatureBytes(token).length;
        const bytes = (value: bigint, size = length) =>
          Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
        const signature = signatureBytes(token);
        const value = BigInt(`0x${signature.toString('hex')}`);
        const variants = [bytes(0n), bytes(1n), bytes(modulus - 1n), bytes(modulus), signature.subarray(1)];
        const zero = Buffer.from([0]);
        variants.push(signature.subarray(0, -1), bytes(value + modulus, length + 1));
        variants.push(Buffer.concat([zero, signature]), Buffer.concat([signature, zero]));
        for (const variant of variants)
          expect(await verdictOf(verifier, withSignatureBytes(token, variant))).toBe('bad_signature');
      }
    });
  });

  it("returns each token's own subject with more tokens than the cache holds [incident 9]", async () => {
    const { verifier } = verifierOf(origin);
    const tokens = Array.from({ length: 10_500 }, () => {
      const claims = accessClaims(app, { sub: uuidv7(), sid: uuidv7() });
      return { claims, token: issueToken(key, claims) };
    });
    const check = async ({ claims, token }: (typeof tokens)[number]) =>
      expect(await verifier.verify(token)).toEqual(claims);
    for (let start = 0; start < tokens.length; start += 500)
      await Promise.all(tokens.slice(start, start + 500).map(check));
    for (const each of tokens.toReversed()) await check(each);
  });
});

describe('protected resource', () => {
  let issuer: TestIssuer;
  let verifier: Verifier;
  let token: string;
  const servers: { close(): unknown }[] = [];
  beforeAll(async () => {
    issuer = await startIssuer();
    verifier = createVerifier({ issuer: issuer.origin, audience: issuer.audience });
    token = issuer.token();
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await issuer.close();
  });

  async function listen(server: Server): Promise<string> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A resource that names the subject, in each of the ways to protect one: how it is asked. */
  const WAYS: Readonly<
    Record<string, (verifier: Verifier) => Promise<(init?: RequestInit) => Promise<Response>>>
  > = {
    'a server of fetch': async (protector) => {
      const handler = protector.protect((_request, { sub }) => new Response(sub));
      return (init) => handler(new Request('https://api.example.com/', init));
    },
    'middleware of (request, response, next), on node:http': async (protector) => {
      const protect = protector.express();
      const server = createServer((request, response) =>
        protect(request, response, () => response.end(claimsOf(request).sub)),
      );
      const origin = await listen(server);
      return (init) => fetch(origin, init);
    },
    Fastify: async (protector) => {
      const app = fastify();
      app.addHook('onRequest', protector.fastify());
      app.get('/', (request) => claimsOf(request).sub);
      servers.push(app);
      const origin = await app.listen({ host: '127.0.0.1', port: 0 });
      return (init) => fetch(origin, init);
    },
  };

  describe.each(Object.entries(WAYS))('protected by %s', (_name, make) => {
    let ask: (authorization?: string) => Promise<Response>;
    beforeAll(async () => {
      const send = await make(verifier);
      ask = (authorization) => send(authorization === undefined ? {} : { headers: { authorization } });
    });

    it('opens for a good token in any spelling of the scheme', async () => {
      for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
        const reply = await ask(`${scheme} ${token}`);
        expect(reply.status).toBe(200);
        expect(await reply.text()).toBe(decodeToken(token).claims['sub']);
      }
    });

    it('answers 401 with the challenge of RFC 6750 and a problem [B1, B2]', async () => {
      const now = Math.floor(Date.now() / 1000);
      const cases: [string | undefined, string, string, string][] = [
        [undefined, 'authentication_required', 'login', 'Bearer realm="traffy"'],
        ['Basic dGVzdDp0ZXN0', 'authentication_required', 'login', 'Bearer realm="traffy"'],
        [token, 'authentication_required', 'login', 'Bearer realm="traffy"'],
        ['Bearer nonsense', 'credential_invalid', 'login', 'the token is not a compact JWS'],
        ['Bearer', 'credential_invalid', 'login', 'the token is not a compact JWS'],
        [`Bearer ${token}, Bearer ${token}`, 'credential_invalid', 'login', 'the token is not a compact JWS'],
        [
          `Bearer ${issuer.token({ exp: now - 60 })}`,
          'credential_expired',
          'refresh',
          'the token has expired',
        ],
      ];
      for (const [authorization, code, action, challenge] of cases) {
        const reply = await ask(authorization);
        expect(reply.status).toBe(401);
        expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
        expect(reply.headers.get('cache-control')).toBe('no-store');
        expect(reply.headers.get('www-authenticate')).toBe(
          challenge.startsWith('Bearer')
            ? challenge
            : `Bearer realm="traffy", error="invalid_token", error_description="${challenge}"`,
        );
        expect(await reply.json()).toEqual({
          type: `urn:problem-type:traffy:${code}`,
          title: expect.any(String),
          status: 401,
          detail: expect.stringMatching(/^[A-Z].*\.$/),
          code,
          action,
        });
      }
    });

    it('does not read tokens from cookies [B3]', async () => {
      const send = await make(verifier);
      const reply = await send({ headers: { cookie: `access_token=${token}` } });
      expect(reply.status).toBe(401);
    });
  });

  it.each(Object.entries(WAYS))('answers 503, not 401, by %s, if it cannot decide', async (_name, make) => {
    const blind = createVerifier({
      issuer: issuer.origin,
      audience: issuer.audience,
      jwksUri: 'http://127.0.0.1:9/jwks.json',
    });
    const send = await make(blind);
    const reply = await send({ headers: { authorization: `Bearer ${token}` } });
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('5');
    expect(reply.headers.get('www-authenticate')).toBeNull();
    expect(await reply.json()).toMatchObject({ code: 'service_unavailable', status: 503 });
    // What is malformed is so whatever the keys are.
    expect((await send({ headers: { authorization: 'Bearer nonsense' } })).status).toBe(401);
  });

  it('the Fastify handler never runs for a refused request, however slow the answer', async () => {
    let runs = 0;
    const app = fastify();
    app.addHook('onRequest', verifier.fastify());
    app.addHook('onSend', async (_request, _reply, payload) => {
      await pause(50);
      return payload;
    });
    app.get('/', () => String((runs += 1)));
    servers.push(app);
    expect((await app.inject('/')).statusCode).toBe(401);
    await pause(100);
    expect(runs).toBe(0);
    expect((await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })).body).toBe('1');
  });

  it('claims are available only on accepted requests, and also as request.auth', async () => {
    expect(() => claimsOf({})).toThrow(/is its route protected/);
    const request = { headers: { authorization: `Bearer ${token}` } };
    expect(await verifier.verifyRequest(request)).toEqual(decodeToken(token).claims);
    await new Promise<void>((resolve) =>
      verifier.express()(request, { statusCode: 0, setHeader: () => undefined, end: () => undefined }, () =>
        resolve(),
      ),
    );
    expect((request as { auth?: AccessTokenClaims }).auth).toBe(claimsOf(request));
  });
});

describe('verifier options', () => {
  const good: VerifierOptions = { issuer: ISSUER, audience: ISSUER };

  it.each<[string, object, string]>([
    ['no issuer', { issuer: '' }, 'issuer must be the PUBLIC_URL of the issuer'],
    ['no audience', { audience: undefined }, 'audience must be the intended audience'],
    ['an issuer that is no address', { issuer: 'traffy' }, 'issuer must be the PUBLIC_URL'],
    ['an issuer without a scheme', { issuer: 'localhost:8000' }, 'issuer must be the PUBLIC_URL'],
    ['an issuer with a slash at the end', { issuer: `${ISSUER}/` }, 'without a slash at the end'],
    ['an issuer with a query', { issuer: `${ISSUER}/a?b` }, 'issuer must be the PUBLIC_URL'],
    ['a file of keys', { jwksUri: 'file:///etc/keys.json' }, 'jwksUri must be an http(s) URL'],
    ['an HMAC', { algorithms: ['HS256'] }, 'algorithms must be a list of ES256, PS256, RS256'],
    ['none', { algorithms: ['none'] }, 'algorithms must be a list'],
    ['no algorithms', { algorithms: [] }, 'algorithms must be a list'],
    ['two minutes of tolerance', { clockToleranceSeconds: 120 }, 'clockToleranceSeconds must be 0 to 60'],
    ['a negative tolerance', { clockToleranceSeconds: -1 }, 'clockToleranceSeconds must be 0 to 60'],
    ['no number', { clockToleranceSeconds: Number.NaN }, 'clockToleranceSeconds must be 0 to 60'],
    ['a misspelt option', { clockTolerance: 5 }, 'clockTolerance is not an option; the options are issuer'],
    ['a misspelt option of revocations', { revocations: { url: 'x' } }, 'revocations.url is not an option'],
    ['another answer to an outage', { revocations: { onUnavailable: 'allow' } }, 'must be refuse or accept'],
    ['no time at all', { revocations: { maxStaleSeconds: 0 } }, 'maxStaleSeconds must be more than 0'],
  ])('refuse %s', (_what, options, message) => {
    expect(() => createVerifier({ ...good, ...options })).toThrow(TypeError);
    expect(() => createVerifier({ ...good, ...options })).toThrow(message);
  });
});
