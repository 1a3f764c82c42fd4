import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fastify } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { SIGNING_ALGORITHMS } from '../config/auth.config.js';
import {
  type AccessTokenClaims,
  claimsOf,
  createVerifier,
  KeysUnavailable,
  TokenRefused,
  Undecided,
  type Verifier,
  type VerifierOptions,
} from '../src/verify/verify.entry.js';
import { startApp, type TestApp } from './support/app.js';
import { onServer } from './support/database.js';
import { FORGERIES } from './support/forgeries.js';
import { answer, keySet, startIssuer, type TestIssuer } from './support/issuer.js';
import {
  accessClaims,
  decodeToken,
  issueToken,
  newKey,
  publicJwk,
  resign,
  signatureBytes,
  signingKey,
  storeKey,
  type TestKey,
  withSignatureBytes,
} from './support/jwt.js';
import { accessTokenOf, signIn } from './support/strategies.js';

const ISSUER = 'http://localhost:8000';

/** What a verifier makes of a token: `good`, or why not. */
async function verdictOf(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    if (error instanceof TokenRefused) return error.code;
    if (error instanceof Undecided) return error.name;
    throw error;
  }
}

async function verdictsOf(
  verifier: Verifier,
  tokens: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const verdicts = Object.entries(tokens).map(
    async ([name, token]) => [name, await verdictOf(verifier, token)] as const,
  );
  return Object.fromEntries(await Promise.all(verdicts));
}

/** Asks again until the verdict is the wanted one, or for so many milliseconds; gives the last one. */
async function until(wanted: string, ask: () => Promise<string>, ms = 10_000): Promise<string> {
  const deadline = performance.now() + ms;
  for (;;) {
    const verdict = await ask();
    if (verdict === wanted || performance.now() > deadline) return verdict;
    await pause(50);
  }
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

describe('a verifier of a running service', () => {
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

  it('pain 12: takes an access token without a shared secret, and gives its claims, which nobody can change', async () => {
    const claims = await watched.verifier.verify(good);
    expect(claims).toEqual(decodeToken(good).claims);
    expect(claims.amr).toEqual(['pwd']);
    expect(() => Object.assign(claims, { sub: 'somebody else' })).toThrow(TypeError);
    expect(() => (claims.amr as string[]).push('otp')).toThrow(TypeError);
    expect(watched.asked).toEqual(['/.well-known/jwks.json']);
  });

  it.each(Object.entries(FORGERIES))('refuses what is %s', async (_name, make) => {
    const { text: jwks } = await app.client.get('/.well-known/jwks.json');
    const table = make({ good, key, keySet: jwks });
    const expected = Object.entries(table).map(([name, [, code]]) => [name, code ?? 'good']);
    const tokens = Object.entries(table).map(([name, [token]]) => [name, token]);
    expect(expected.length).toBeGreaterThan(5);
    expect(await verdictsOf(watched.verifier, Object.fromEntries(tokens) as Record<string, string>)).toEqual(
      Object.fromEntries(expected),
    );
  });

  it('J4: asked for the key set alone, seldom, and for nothing that a token named', async () => {
    expect(await verdictOf(watched.verifier, good)).toBe('good');
    expect(new Set(watched.asked)).toEqual(new Set(['/.well-known/jwks.json']));
    expect(watched.asked.length).toBeLessThan(8);
    expect(watched.errors).toEqual([]);
    expect(({} as Record<string, unknown>)['kid']).toBeUndefined();
  });

  it('refuses what is no text at all', async () => {
    for (const value of [undefined, null, 7, {}, [good], Buffer.from(good)])
      expect(await verdictOf(watched.verifier, value as string)).toBe('malformed');
  });

  it('the gate is the one of the service: both take and refuse the same', async () => {
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

    it('takes each under its own algorithm', async () => {
      expect(await verdictsOf(verifier, tokens)).toEqual({ ES256: 'good', PS256: 'good', RS256: 'good' });
    });

    it('J1: takes no algorithm that was left out', async () => {
      const strict = verifierOf(origin, { algorithms: ['PS256'] });
      expect(await verdictsOf(strict.verifier, tokens)).toEqual({
        ES256: 'wrong_algorithm',
        PS256: 'good',
        RS256: 'wrong_algorithm',
      });
    });

    it('J3, incident 7: lets a key verify its own algorithm only, for every pair', async () => {
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

    it('J13: refuses RSA signatures of 0, 1, n-1 and n, cut, longer and beyond n', async () => {
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

  it('incident 9: more tokens than are remembered, twice, and each gives its own subject', async () => {
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

describe('a protected resource', () => {
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

    it('opens for a good token, however the scheme is spelt', async () => {
      for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
        const reply = await ask(`${scheme} ${token}`);
        expect(reply.status).toBe(200);
        expect(await reply.text()).toBe(decodeToken(token).claims['sub']);
      }
    });

    it('B1, B2: answers 401 with the challenge of RFC 6750 and a problem', async () => {
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

    it('B3: does not look for tokens in cookies', async () => {
      const send = await make(verifier);
      const reply = await send({ headers: { cookie: `access_token=${token}` } });
      expect(reply.status).toBe(401);
    });
  });

  it.each(Object.entries(WAYS))('answers 503, not 401, by %s, if it cannot be told', async (_name, make) => {
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

  it('the handler of Fastify never runs for a refused request, however long the answer takes', async () => {
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

  it('a request that did not pass has no claims, and one that did shows them as request.auth too', async () => {
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

describe('the options of a verifier', () => {
  const good: VerifierOptions = { issuer: ISSUER, audience: ISSUER };

  it.each<[string, object, string]>([
    ['no issuer', { issuer: '' }, 'issuer must be the PUBLIC_URL of the issuer'],
    ['no audience', { audience: undefined }, 'audience must be the audience'],
    ['an issuer that is no address', { issuer: 'traffy' }, 'issuer must be the PUBLIC_URL'],
    ['an issuer without a scheme', { issuer: 'localhost:8000' }, 'issuer must be the PUBLIC_URL'],
    ['an issuer with a slash at the end', { issuer: `${ISSUER}/` }, 'without a slash at the end'],
    ['an issuer with a query', { issuer: `${ISSUER}/a?b` }, 'issuer must be the PUBLIC_URL'],
    ['a file of keys', { jwksUri: 'file:///etc/keys.json' }, 'jwksUri must be an http(s) URL'],
    ['an HMAC', { algorithms: ['HS256'] }, 'algorithms must be a list of ES256, PS256, RS256'],
    ['none', { algorithms: ['none'] }, 'algorithms must be a list'],
    ['no algorithms', { algorithms: [] }, 'algorithms must be a list'],
    ['J6: two minutes of tolerance', { clockToleranceSeconds: 120 }, 'clockToleranceSeconds must be 0 to 60'],
    ['a negative tolerance', { clockToleranceSeconds: -1 }, 'clockToleranceSeconds must be 0 to 60'],
    ['no number', { clockToleranceSeconds: Number.NaN }, 'clockToleranceSeconds must be 0 to 60'],
    ['a misspelt option', { clockTolerance: 5 }, 'clockTolerance is not an option; there are issuer'],
    ['a misspelt option of revocations', { revocations: { url: 'x' } }, 'revocations.url is not an option'],
    ['another answer to an outage', { revocations: { onUnavailable: 'allow' } }, 'must be refuse or accept'],
    ['no time at all', { revocations: { maxStaleSeconds: 0 } }, 'maxStaleSeconds must be more than 0'],
  ])('refuse %s', (_what, options, message) => {
    expect(() => createVerifier({ ...good, ...options })).toThrow(TypeError);
    expect(() => createVerifier({ ...good, ...options })).toThrow(message);
  });
});

/** Lets time pass, for both clocks of this process, without waiting. */
let passed = 0;
const [wall, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];

function pass(seconds: number): void {
  passed += seconds * 1000;
}

describe('keys that change, fail or lie', () => {
  let issuer: TestIssuer;
  beforeEach(async () => {
    passed = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => wall() + passed);
    jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed);
    issuer = await startIssuer();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await issuer.close();
  });

  const verifierOfIssuer = (options: Partial<VerifierOptions> = {}) =>
    createVerifier({ issuer: issuer.origin, audience: issuer.audience, ...options });

  it('a hundred at once share one reading of the key set, and nothing is read before the first', async () => {
    const verifier = verifierOfIssuer();
    expect(issuer.asked).toEqual([]);
    const tokens = Array.from({ length: 100 }, () => issuer.token());
    const verdicts = await Promise.all(tokens.map((token) => verdictOf(verifier, token)));
    expect(new Set(verdicts)).toEqual(new Set(['good']));
    expect(issuer.asked).toEqual(['/.well-known/jwks.json']);
  });

  it('tokens with invented keys cost one reading in five seconds, however many there are', async () => {
    const verifier = verifierOfIssuer();
    const flood = async () => {
      const tokens = Array.from({ length: 50 }, () => issuer.token({}, newKey('ES256')));
      const verdicts = await Promise.all(tokens.map((token) => verdictOf(verifier, token)));
      expect(new Set(verdicts)).toEqual(new Set(['unknown_key']));
    };
    await flood();
    expect(issuer.asked).toHaveLength(1);
    pass(4);
    await flood();
    expect(issuer.asked).toHaveLength(1);
    pass(2);
    await flood();
    await flood();
    expect(issuer.asked).toHaveLength(2);
  });

  it('J16, pain 11: a rotation refuses nobody: a new key is found at once, an old one goes with the key set', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    const old = issuer.token();
    expect(await verdictOf(verifier, old)).toBe('good');
    const next = newKey('PS256');
    issuer.keys = keySet([publicJwk(next)], { 'cache-control': 'public, max-age=60' });
    expect(await verdictOf(verifier, old)).toBe('good');
    pass(6);
    expect(await verdictOf(verifier, issuer.token({}, next))).toBe('good');
    // The reading that found the new key did not have the old one any more; a remembered token goes with its key.
    expect(await verdictOf(verifier, old)).toBe('unknown_key');
  });

  it('a key that is not listed any more is good until the max-age of the key set, and no longer', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    const token = issuer.token();
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.keys = keySet([], { 'cache-control': 'public, max-age=60' });
    pass(45);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked).toHaveLength(1);
    pass(20);
    expect(await verdictOf(verifier, token)).toBe('unknown_key');
  });

  it('reads a key set that grows old in the background, before anybody has to wait', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    await verifier.verify(issuer.token());
    pass(50);
    const token = issuer.token();
    const serve = issuer.keys;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    issuer.keys = (request, response) => void held.then(() => serve(request, response));
    // The answer to the reading is held back until the verdict is there.
    expect(await verdictOf(verifier, token)).toBe('good');
    release();
    expect(await until('2', async () => String(issuer.asked.length))).toBe('2');
  });

  it('believes no key set for longer than ten minutes, nor for longer than caches kept it already', async () => {
    const headers = { 'cache-control': 'public, max-age=86400', age: '0' };
    issuer.keys = keySet([publicJwk(issuer.key)], headers);
    const verifier = verifierOfIssuer();
    await verifier.verify(issuer.token());
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'max-age=60', age: '50' });
    pass(601);
    await verifier.verify(issuer.token());
    expect(issuer.asked).toHaveLength(2);
    pass(11);
    await verifier.verify(issuer.token());
    expect(issuer.asked).toHaveLength(3);
  });

  it('incident 9: what is remembered is looked at against the clock each time', async () => {
    const verifier = verifierOfIssuer({ clockToleranceSeconds: 0 });
    const token = issuer.token({ exp: Math.floor(Date.now() / 1000) + 30 });
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(31);
    expect(await verdictOf(verifier, token)).toBe('expired');
  });

  it('J6: tolerates as much as was asked for, and not more', async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = issuer.token({ exp: now + 1, nbf: now + 1 });
    pass(2);
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 0 }), token)).toBe('expired');
    pass(50);
    expect(await verdictOf(verifierOfIssuer(), token)).toBe('expired');
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 60 }), token)).toBe('good');
    pass(10);
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 60 }), token)).toBe('expired');
  });

  describe('an outage', () => {
    it('at the start is no verdict, is over a second after it is over, and costs one request a second', async () => {
      const errors: Error[] = [];
      const serve = issuer.keys;
      issuer.keys = answer('', 500);
      const verifier = verifierOfIssuer({ onError: (error) => errors.push(error) });
      const tokens = Array.from({ length: 20 }, () => issuer.token());
      for (const token of tokens) expect(await verdictOf(verifier, token)).toBe('KeysUnavailable');
      expect(issuer.asked).toHaveLength(1);
      expect(errors[0]?.message).toBe(`${issuer.origin}/.well-known/jwks.json answered 500`);
      issuer.keys = serve;
      pass(1.1);
      for (const token of tokens) expect(await verdictOf(verifier, token)).toBe('good');
    });

    it('later changes nothing while the key set is young enough, and then is no verdict', async () => {
      const verifier = verifierOfIssuer();
      const token = issuer.token({ exp: Math.floor(Date.now() / 1000) + 3600 });
      expect(await verdictOf(verifier, token)).toBe('good');
      issuer.keys = (request) => request.socket.destroy();
      pass(590);
      expect(await verdictOf(verifier, token)).toBe('good');
      // Whose key it is cannot be told any more, of a token that claims a key that may be new.
      expect(await verdictOf(verifier, issuer.token({}, newKey('ES256')))).toBe('KeysUnavailable');
      pass(11);
      expect(await verdictOf(verifier, token)).toBe('KeysUnavailable');
      expect(await verdictOf(verifier, 'nonsense')).toBe('malformed');
    });
  });

  it.each<[string, (issuer: TestIssuer) => void]>([
    ['no JSON', (to) => (to.keys = answer('<html>'))],
    ['null', (to) => (to.keys = answer('null'))],
    ['a list', (to) => (to.keys = answer('[]'))],
    ['no keys', (to) => (to.keys = answer('{}'))],
    ['keys that are none', (to) => (to.keys = keySet([null, 'key']))],
    ['bytes that are no UTF-8', (to) => (to.keys = (_q, response) => void response.end(Buffer.from([0xff])))],
    ['more than a thousand keys', (to) => (to.keys = keySet(Array.from({ length: 1001 }, () => ({}))))],
    ['more than a megabyte', (to) => (to.keys = keySet([{ x: 'x'.repeat(1_100_000) }, publicJwk(to.key)]))],
    ['404', (to) => (to.keys = answer(JSON.stringify({ keys: [publicJwk(to.key)] }), 404))],
    ['201', (to) => (to.keys = answer(JSON.stringify({ keys: [publicJwk(to.key)] }), 201))],
    ['a redirect', (to) => (to.keys = answer('', 302, { location: `${to.origin}/elsewhere` }))],
    [
      'half an answer',
      (to) =>
        (to.keys = (_q, response) => {
          response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[');
          setTimeout(() => response.destroy(), 50);
        }),
    ],
    [
      'J15: its own private key',
      (to) => (to.keys = keySet([{ ...publicJwk(to.key), ...to.key.privateKey.export({ format: 'jwk' }) }])),
    ],
    [
      'J15: a prime of another key',
      (to) => (to.keys = keySet([publicJwk(to.key), { kty: 'RSA', kid: 'x', p: 'AQ' }])),
    ],
    [
      'J15: a symmetric key',
      (to) => (to.keys = keySet([publicJwk(to.key), { kty: 'oct', kid: 'x', k: 'c2VjcmV0' }])),
    ],
    [
      'J15: one key id twice',
      (to) => (to.keys = keySet([publicJwk(to.key), { ...publicJwk(newKey('ES256')), kid: to.key.kid }])),
    ],
    [
      'a point off the curve',
      (to) => (to.keys = keySet([{ ...publicJwk(to.key), y: publicJwk(to.key)['x'] }])),
    ],
  ])('a key set that is %s is no verdict', async (_what, break_) => {
    break_(issuer);
    const verifier = verifierOfIssuer();
    expect(await verdictOf(verifier, issuer.token())).toBe('KeysUnavailable');
    const failure = await verifier.verify(issuer.token()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KeysUnavailable);
    expect(failure).toMatchObject({ status: 503, code: 'keys_unavailable', retryAfter: 5 });
    expect(issuer.asked).toHaveLength(1);
  });

  it('an issuer that never answers is given up after five seconds', async () => {
    issuer.keys = () => undefined;
    const before = monotonic();
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('KeysUnavailable');
    expect(monotonic() - before).toBeLessThan(8000);
  });

  it.each<[string, (jwk: Record<string, unknown>) => Record<string, unknown>]>([
    ['J3: for another algorithm', (jwk) => ({ ...jwk, alg: 'ES384' })],
    ['J3: for no algorithm', (jwk) => ({ ...jwk, alg: undefined })],
    ['J3: for encryption', (jwk) => ({ ...jwk, use: 'enc' })],
    ['J3: for signing alone', (jwk) => ({ ...jwk, key_ops: ['sign'] })],
    [
      'J3: of another kind than its algorithm',
      (jwk) => ({ ...publicJwk(newKey('RS256')), kid: jwk['kid'], alg: 'ES256' }),
    ],
    [
      'J3: of another curve',
      (jwk) => ({ ...publicJwk(newKey('ES256', { curve: 'P-384' })), kid: jwk['kid'] }),
    ],
    ['without an id', (jwk) => ({ ...jwk, kid: undefined })],
    ['with an id that is no text', (jwk) => ({ ...jwk, kid: 7 })],
  ])('passes over a key %s', async (_what, change) => {
    issuer.keys = keySet([change(publicJwk(issuer.key))]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('unknown_key');
  });

  it('J14: lets no RSA key of 1024 bits verify', async () => {
    const weak = newKey('RS256', { bits: 1024 });
    issuer.keys = keySet([publicJwk(weak)]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token({}, weak))).toBe('KeysUnavailable');
  });

  it('passes over keys of kinds that it does not know', async () => {
    const unknown = [{ kty: 'OKP', crv: 'Ed25519', kid: 'a', alg: 'EdDSA', x: 'AA' }, { kty: 'new' }, {}];
    issuer.keys = keySet([...unknown, publicJwk(issuer.key)]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('good');
  });
});

// No database takes part.
(onServer ? describe.skip : describe)('the package', () => {
  const root = join(import.meta.dirname, '..');
  const run = promisify(execFile);
  let issuer: TestIssuer;
  let folder: string;
  beforeAll(async () => {
    issuer = await startIssuer();
    // What `npm pack` would ship of the library, made by what `npm run build` runs.
    folder = mkdtempSync(join(tmpdir(), 'traffy-consumer-'));
    const modules = join(folder, 'node_modules');
    const own = join(modules, 'traffy');
    mkdirSync(join(modules, '@types'), { recursive: true });
    mkdirSync(own);
    cpSync(join(root, 'package.json'), join(own, 'package.json'));
    for (const name of ['jose', 'fastify', '@types/node', 'undici-types'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
    const swc = ['@swc/cli/bin/swc.js', 'src/verify', '--config-file', '.swcrc', '-d', join(own, 'dist')];
    const tsc = ['typescript/bin/tsc', '-p', 'tsconfig.verify.json', '--outDir', join(own, 'dist')];
    for (const [script = '', ...args] of [swc, tsc])
      await run(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await issuer.close();
  });

  /** What the compiler says of a file of a consumer. */
  async function compile(file: string, source: string, ...options: string[]): Promise<string> {
    writeFileSync(join(folder, file), source);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const all = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--target',
      'es2022',
    ];
    const module = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
    return run(process.execPath, [tsc, ...all, ...module, ...options, file], { cwd: folder }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
  }

  it('has types that compile strictly, in a server of Fastify, and runs', async () => {
    const source = `
      import { createServer } from 'node:http';
      import { fastify } from 'fastify';
      import { type AccessTokenClaims, claimsOf, createVerifier, TokenRefused, Undecided } from 'traffy/verify';

      const [issuer = '', audience = '', token = ''] = process.argv.slice(2);
      const verifier = createVerifier({ issuer, audience, revocations: true });
      const app = fastify();
      app.addHook('onRequest', verifier.fastify());
      app.get('/', (request) => claimsOf(request).sub);
      const handler = verifier.protect((request, { sub }, context: { region: string }) => Response.json({ sub, context }));
      const protect = verifier.express();
      createServer((request, response) => protect(request, response, () => response.end(claimsOf(request).sub)));

      const claims: AccessTokenClaims = await verifier.verify(token);
      const refusal = await verifier.verify(token + 'A').catch((error: unknown) => error);
      if (!(refusal instanceof TokenRefused) || refusal instanceof Undecided) throw refusal;
      const code: 'malformed' | 'bad_signature' | string = refusal.code;
      const headers = { authorization: 'Bearer ' + token };
      const inFastify = await app.inject({ url: '/', headers });
      const inFetch = await handler(new Request(issuer, { headers }), { region: 'eu' });
      process.stdout.write(JSON.stringify([claims.sub, code, inFastify.body, await inFetch.json()]));
    `;
    expect(await compile('server.ts', source, '--skipLibCheck', '--types', 'node')).toBe('');
    const token = issuer.token();
    const { sub } = decodeToken(token).claims;
    const args = ['server.js', issuer.origin, issuer.audience, token];
    const { stdout } = await run(process.execPath, args, { cwd: folder });
    expect(JSON.parse(stdout)).toEqual([sub, 'bad_signature', sub, { sub, context: { region: 'eu' } }]);
  });

  it('has types that need none of Node.js, and that refuse what is wrong', async () => {
    const source = `
      import { createVerifier, type RefusalCode } from 'traffy/verify';
      const verifier = createVerifier({ issuer: 'https://a.example', audience: 'b', fetch });
      export const code: RefusalCode = 'revoked';
      export const serve = verifier.protect((_request, claims) => new Response(claims.sid));
      // @ts-expect-error -- claims are for reading
      export const change = async () => ((await verifier.verify('')).sub = 'x');
      // @ts-expect-error -- no such algorithm
      createVerifier({ issuer: 'https://a.example', audience: 'b', algorithms: ['HS256'] });
      // @ts-expect-error -- no such option
      createVerifier({ issuer: 'https://a.example', audience: 'b', clockTolerance: 5 });
    `;
    expect(await compile('edge.ts', source, '--noEmit', '--lib', 'es2022,dom,dom.iterable')).toBe('');
  });

  it('offers nothing else, and needs nothing but jose', async () => {
    const inside = await run(process.execPath, ['-e', "import('traffy/dist/src/verify/verifier.js')"], {
      cwd: folder,
    }).catch((error: { stderr: string }) => error);
    expect(inside.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
    rmSync(join(folder, 'node_modules', 'fastify'));
    const script = "import('traffy/verify').then((all) => console.log(Object.keys(all).toSorted().join()))";
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: folder });
    expect(stdout.trim()).toBe(
      'KeysUnavailable,RevocationsUnavailable,TokenRefused,Undecided,claimsOf,createVerifier',
    );
  });
});
