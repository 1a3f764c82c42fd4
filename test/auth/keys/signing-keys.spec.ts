import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { SIGNING_ALGORITHMS } from '../../../config/auth.config.js';
import { SecretsDoNotFit, UnfitSigningKey } from '../../../src/auth/keys/key-pair.js';
import { SigningKeys } from '../../../src/auth/keys/signing-keys.service.js';
import { startApp, TEST_SECRET, type TestApp } from '../../support/app.js';
import {
  createEmptyDatabase,
  createTestDatabase,
  onServer,
  type TestDatabase,
} from '../../support/database.js';
import {
  decodeToken,
  issueToken,
  newKey,
  resign,
  signatureBytes,
  signingKey,
  storeKey,
  withSignatureBytes,
} from '../../support/jwt.js';
import { accessTokenOf, signIn } from '../../support/strategies.js';
import {
  errorsIn,
  expectAccepted,
  expectRefused,
  refreshTokenOf,
  type Named,
  until,
} from '../../support/access-tokens.js';

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';

describe('signing keys', () => {
  it('the key set has public members only, and a cache lifetime [J15]', async () => {
    const app = await startApp({ env: { JWKS_MAX_AGE: '7m' } });
    try {
      const reply = await app.client.get('/.well-known/jwks.json');
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toMatch(/^application\/jwk-set\+json(?:; charset=utf-8)?$/);
      expect(reply.headers['cache-control']).toBe('public, max-age=420');
      expect(reply.setCookies).toEqual([]);
      const key = await signingKey(app);
      const { x, y } = key.publicKey.export({ format: 'jwk' });
      expect(reply.body).toEqual({
        keys: [{ kty: 'EC', crv: 'P-256', x, y, kid: key.kid, alg: 'ES256', use: 'sig' }],
      });
    } finally {
      await app.close();
    }
  });

  it('signing keys are encrypted at rest', async () => {
    const app = await startApp();
    try {
      const { kid, privateKey } = await signingKey(app);
      const [row] = await app.query(
        sql<{
          private_key: Uint8Array;
          text: string;
        }>`select private_key, k::text as text from signing_keys k where kid = ${kid}`,
      );
      const stored = Buffer.from(row?.private_key ?? []);
      const der = privateKey.export({ format: 'der', type: 'pkcs8' });
      const { d } = privateKey.export({ format: 'jwk' });
      expect(stored.includes(der.subarray(-40))).toBe(false);
      expect(stored.includes(Buffer.from(d ?? '', 'base64url'))).toBe(false);
      expect(row?.text).not.toContain(d);
    } finally {
      await app.close();
    }
  });

  it.each([
    ['RSA of 1024 bits', () => newKey('RS256', { bits: 1024 })],
    ['RSA of 2047 bits', () => newKey('PS256', { bits: 2047 })],
    ['a P-384 key for ES256', () => newKey('ES256', { curve: 'P-384' })],
    ['a secp256k1 key for ES256', () => newKey('ES256', { curve: 'secp256k1' })],
    ['an RSA key for ES256', () => ({ ...newKey('RS256'), algorithm: 'ES256' as const })],
    ['a P-256 key for RS256', () => ({ ...newKey('ES256'), algorithm: 'RS256' as const })],
    ['an algorithm that is none of ours', () => ({ ...newKey('RS256'), algorithm: 'RS512' as 'RS256' })],
  ])('does not start with %s in the database [J3, J14]', async (_what, makeKey) => {
    const app = await startApp();
    try {
      const key = makeKey();
      await storeKey(app, key);
      const failure = await startApp({ sibling: app }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UnfitSigningKey);
      expect((failure as Error).message).toContain(
        `${key.kid} in the database does not fit ${key.algorithm}`,
      );
    } finally {
      await app.close();
    }
  });

  it('starts only with matching secrets, explains it, and accepts the old one at the end of the list', async () => {
    const database = await createTestDatabase();
    const start = (secrets: string) =>
      startApp({ database, env: { AUTH_STRATEGY: 'jwt', AUTH_SECRETS: secrets } });
    try {
      const before = await start(TEST_SECRET);
      const person = await signIn(before);
      const first = refreshTokenOf(person);
      const successor = (await before.client.post('/refresh', { refresh_token: first })).body[
        'refresh_token'
      ];
      await before.close();

      const failure = await start(OTHER_SECRET).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(SecretsDoNotFit);
      const { message } = failure as Error;
      expect(message).toMatch(/^AUTH_SECRETS: none of the secrets decrypts .*add .* to the end of the list$/);
      expect(message).not.toContain(OTHER_SECRET);

      const after = await start(`${OTHER_SECRET},${TEST_SECRET}`);
      await expectAccepted(after, { 'issued before': accessTokenOf(person) });
      // What was lost on the way during the change of secrets still comes to the same.
      const again = await after.client.post('/refresh', { refresh_token: first });
      expect(again.body['refresh_token']).toBe(successor);
      expect((await after.client.post('/refresh', { refresh_token: successor })).status).toBe(200);
      await after.close();
    } finally {
      await database.drop();
    }
  });

  it('a running node logs a key that it cannot decrypt once, publishes it, and goes on signing', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    try {
      await app.query(
        sql`insert into signing_keys
          select (jsonb_populate_record(k, jsonb_build_object('kid', 'of-another-secret', 'state', 'previous',
              'private_key', '\\x' || repeat('ab', 64)))).*
            from signing_keys k where state = 'current'`,
      );
      const keys = app.running.app.get(SigningKeys, { strict: false });
      for (let round = 0; round < 3; round += 1) await keys.renew();
      const lines = app.logs.filter(({ event }) => event === 'signing_key_unusable');
      expect(lines).toEqual([expect.objectContaining({ kid: 'of-another-secret' })]);
      const { body } = await app.client.get('/.well-known/jwks.json');
      expect(body['keys']).toHaveLength(2);
      await expectAccepted(app, { 'issued after': accessTokenOf(await signIn(app)) });
    } finally {
      await app.close();
    }
  });

  it('two applications that start on one empty database share a key', async () => {
    const database = await createEmptyDatabase();
    const env = { AUTH_STRATEGY: 'jwt' };
    const apps: TestApp[] = [];
    try {
      if (onServer) {
        apps.push(...(await Promise.all([startApp({ database, env }), startApp({ database, env })])));
      } else {
        // The embedded database is open once, and both use it.
        const opened = await startApp({ database, env });
        apps.push(opened, await startApp({ sibling: opened, env }));
      }
      const [first, second] = apps as [TestApp, TestApp];
      const sets = await Promise.all(apps.map((app) => app.client.get('/.well-known/jwks.json')));
      expect(sets[0]?.body['keys']).toHaveLength(1);
      expect(sets[1]?.body).toEqual(sets[0]?.body);
      const [one, two] = [await signIn(first), await signIn(second)];
      await expectAccepted(second, { 'issued by the first': accessTokenOf(one) });
      await expectAccepted(first, { 'issued by the second': accessTokenOf(two) });
    } finally {
      for (const app of apps.toReversed()) await app.close();
      await database.drop();
    }
  });

  it('a token of a key that another node just created works for concurrent requests', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    try {
      const good = accessTokenOf(await signIn(app));
      const use = (token: string) => app.client.get('/users/me', { authorization: `Bearer ${token}` });
      const fresh = newKey('PS256');
      await storeKey(app, fresh);
      const token = issueToken(fresh, decodeToken(good).claims);
      const replies = await Promise.all(Array.from({ length: 30 }, () => use(token)));
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));

      // Tokens with invented keys make the node look less often, but not never.
      const fresher = newKey('ES256');
      await use(issueToken(newKey('ES256'), decodeToken(good).claims));
      await storeKey(app, fresher);
      expect(await until('200', () => use(issueToken(fresher, decodeToken(good).claims)))).toBe('200');

      const freshest = newKey('ES256');
      await storeKey(app, freshest, 'previous');
      const announced = async () => {
        const { body } = await app.client.get('/.well-known/jwks.json');
        return (body['keys'] as { kid: string }[]).map(({ kid }) => kid);
      };
      const deadline = Date.now() + 10_000;
      while (!(await announced()).includes(freshest.kid) && Date.now() < deadline) await setTimeout(50);
      expect(await announced()).toContain(freshest.kid);
    } finally {
      await app.close();
    }
  });
});

describe('repeated changes of JWT_ALGORITHM on one database', () => {
  let database: TestDatabase;
  let app: TestApp;
  const issued: Record<string, string> = {};
  beforeAll(async () => {
    database = await createTestDatabase();
    for (const algorithm of SIGNING_ALGORITHMS) {
      if (algorithm !== SIGNING_ALGORITHMS[0]) await app.close();
      app = await startApp({ database, env: { AUTH_STRATEGY: 'jwt', JWT_ALGORITHM: algorithm } });
      issued[algorithm] = accessTokenOf(await signIn(app));
    }
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it('each algorithm signs and verifies, and tokens of former keys stay valid [J14]', async () => {
    expect(Object.keys(issued)).toEqual(['ES256', 'PS256', 'RS256']);
    for (const [algorithm, token] of Object.entries(issued)) {
      expect(decodeToken(token).header['alg']).toBe(algorithm);
    }
    await expectAccepted(app, issued);
  });

  it('publishes each key once with its one algorithm; RSA has 3072 bits [J14, J15]', async () => {
    const { body } = await app.client.get('/.well-known/jwks.json');
    const keys = body['keys'] as Record<string, string>[];
    const byAlgorithm = Object.fromEntries(keys.map((key) => [key['alg'], key]));
    expect(keys).toHaveLength(3);
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(3);
    for (const algorithm of SIGNING_ALGORITHMS) {
      const members = algorithm === 'ES256' ? ['crv', 'x', 'y'] : ['e', 'n'];
      const key = byAlgorithm[algorithm] ?? {};
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'kid', 'kty', 'use', ...members].toSorted());
      expect(key).toMatchObject({ use: 'sig', kid: decodeToken(String(issued[algorithm])).header['kid'] });
      const { privateKey } = await signingKey(app, algorithm);
      if (algorithm === 'ES256') continue;
      expect(Buffer.from(String(key['n']), 'base64url')).toHaveLength(3072 / 8);
      expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
      const privateMembers = privateKey.export({ format: 'jwk' });
      for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
        expect(JSON.stringify(body)).not.toContain(String(privateMembers[name]));
      }
    }
  });

  it('a key verifies its own algorithm only, for every pair of keys and algorithms [J3, incident 7]', async () => {
    const keys = await Promise.all(SIGNING_ALGORITHMS.map((algorithm) => signingKey(app, algorithm)));
    const tokens: Record<string, string> = {};
    for (const named of keys) {
      for (const signer of keys) {
        const usable = signer.algorithm === 'ES256' ? ['ES256'] : ['PS256', 'RS256', 'PS384', 'RS512'];
        for (const algorithm of usable) {
          if (named === signer && algorithm === named.algorithm) continue;
          const good = String(issued[named.algorithm]);
          const name = `kid of ${named.algorithm}, signed ${algorithm} by the key of ${signer.algorithm}`;
          tokens[name] = resign(good, signer, { header: { alg: algorithm, kid: named.kid } }, algorithm);
          tokens[`${name}, alg of kid`] = resign(
            good,
            signer,
            { header: { alg: named.algorithm, kid: named.kid } },
            algorithm,
          );
        }
      }
    }
    expect(Object.keys(tokens).length).toBeGreaterThan(40);
    await expectRefused(app, tokens);
  });

  it('refuses RSA signatures of 0, 1, n-1 and n, truncated, longer and beyond n [J13]', async () => {
    for (const algorithm of ['PS256', 'RS256'] as const) {
      const good = String(issued[algorithm]);
      const key = await signingKey(app, algorithm);
      const modulus = Buffer.from(String(key.publicKey.export({ format: 'jwk' }).n), 'base64url');
      const number = BigInt(`0x${modulus.toString('hex')}`);
      const bytes = (value: bigint, length = modulus.length) =>
        Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');
      const signature = signatureBytes(good);
      const signatureNumber = BigInt(`0x${signature.toString('hex')}`);
      const variants: Record<string, Buffer> = {
        zero: bytes(0n),
        one: bytes(1n),
        'n-1': bytes(number - 1n),
        n: bytes(number),
        'one byte': Buffer.from([1]),
        'without its last byte': signature.subarray(0, -1),
        'without its first byte': signature.subarray(1),
        'a zero before': Buffer.concat([Buffer.from([0]), signature]),
        'a zero behind': Buffer.concat([signature, Buffer.from([0])]),
        'plus n': bytes(signatureNumber + number, modulus.length + 1),
      };
      const entries = Object.entries(variants).map(([name, value]) => [
        name,
        withSignatureBytes(good, value),
      ]);
      await expectRefused(app, Object.fromEntries(entries) as Named);
    }
    expect(errorsIn(app)).toEqual([]);
  });
});
