import { createHmac, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { sql } from 'kysely';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';
import { Forge } from '../../src/vectors/forge.js';
import { makeDocument } from '../../src/vectors/make.document.js';
import { type VectorDocument, vectorDocumentSchema } from '../../src/vectors/vector.document.js';
import { runVectors } from '../../src/vectors/vector.runner.js';
import { createVerifier, type TokenRefused, type Undecided } from '../../src/verify/verify.entry.js';
import { startApp, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { decodeToken, storeKey } from '../support/jwt.js';
import { AUDIENCE, endServices, newForge, serveKeys, startService } from '../support/vectors.js';

endServices();

// What follows needs no database: once is enough.
const once = onServer ? describe.skip : describe;

function idsOf(document: VectorDocument, expected: string): string[] {
  return document.vectors.filter((vector) => vector.expected === expected).map(({ id }) => id);
}

describe('verdicts of the vectors', () => {
  const issuer = 'http://localhost:9000';
  const forges = new Map(
    SIGNING_ALGORITHMS.map((name) => [name, new Forge(issuer, AUDIENCE, name)] as const),
  );
  let app: TestApp;
  let url: URL;
  beforeAll(async () => {
    app = await startApp({
      env: { AUTH_STRATEGY: 'jwt', PUBLIC_URL: issuer, AUTH_AUDIENCE: AUDIENCE, RATE_LIMIT_DEFAULT: 'off' },
    });
    for (const { current, next, other } of forges.values()) {
      for (const key of [current, next, other]) await storeKey(app, key, 'previous');
    }
    url = new URL(`${await app.listen()}/users/me`);
  });
  afterAll(() => app.close());

  it.each([...forges])(
    'are those of Traffy itself, %s [J1, J2, J3, J4, J5, J6, J7, J8, J9, J10, J11, J12, J13, incident 7, incident 8, incident 9, incident 10, incident 11, incident 32]',
    async (_algorithm, forge) => {
      const document = await makeDocument(forge);
      await signInAs(app, document);
      const { sent, wrong, not_counted } = await runVectors(document, { url, header: null });
      expect({ wrong }).toEqual({ wrong: [] });
      expect(sent).toBeGreaterThan(70);
      expect(not_counted.map(({ id, got }) => `${id} ${got}`)).toEqual([
        'kid-missing refused',
        'typ-upper-case accepted',
        'iat-future accepted',
        'claim-twice accepted',
        'signature-stray-bits refused',
      ]);
    },
  );
});

/** Makes the account and the session that the tokens of a document are about. */
async function signInAs(app: TestApp, { vectors }: VectorDocument): Promise<void> {
  const { sub, sid } = decodeToken(vectors[0]?.token ?? '').claims as { sub: string; sid: string };
  const email = `${sub}@example.com`;
  await app.query(
    sql`insert into users (id, email, email_canonical, password_hash) values (${sub}, ${email}, ${email}, '')`,
  );
  await app.query(
    sql`insert into sessions (id, user_id, strategy, methods, created_at, authenticated_at, expires_at)
      values (${sid}, ${sub}, 'jwt', '{pwd}', now() - interval '1 hour', now() - interval '1 hour', now() + interval '1 day')`,
  );
}

once('a document of vectors', () => {
  it('has good, bad and debatable vectors, each with a reason and a standard', async () => {
    const document = await makeDocument(await newForge());
    expect(vectorDocumentSchema.parse(document)).toEqual(document);
    const ids = document.vectors.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(document.vectors.map(({ token }) => token)).size).toBe(ids.length);
    expect(idsOf(document, 'accept').length).toBeGreaterThanOrEqual(7);
    expect(idsOf(document, 'refuse').length).toBeGreaterThanOrEqual(70);
    for (const { description, reason, standard, token } of document.vectors) {
      expect({ description, reason, standard }).toEqual({
        description: expect.stringMatching(/\w/),
        reason: expect.stringMatching(/\w/),
        standard: expect.stringMatching(/^RFC \d{4}/),
      });
      // What every server takes in a header field.
      expect(token).toMatch(/^[\x21-\x7e]{1,7000}$/);
    }
    expect(Date.parse(document.good_until) - Date.parse(document.created_at)).toBe(4 * 3600 * 1000);
  });

  it('has three public keys with different ids, new ones each time [J15]', async () => {
    const [first, second] = [await makeDocument(await newForge()), await makeDocument(await newForge())];
    const { keys } = first.jwks;
    expect(keys.map(({ kty, alg, use }) => `${kty} ${String(alg)} ${String(use)}`)).toEqual([
      'RSA PS256 sig',
      'EC ES256 sig',
      'EC ES256 sig',
    ]);
    const members = [...keys, ...first.attacker.jwks.keys].flatMap((key) => Object.keys(key));
    expect(new Set(members)).toEqual(new Set(['kty', 'kid', 'alg', 'use', 'crv', 'x', 'y', 'n', 'e']));
    const kids = [first, second].flatMap(({ jwks }) => jwks.keys.map(({ kid }) => kid));
    expect(new Set(kids).size).toBe(6);
  });
});

once('a bad verifier', () => {
  it('a service that accepts everything gets every bad token wrong, and no good one', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService(() => 200));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id, got }) => `${id} ${got}`)).toEqual(
      idsOf(document, 'refuse').map((id) => `${id} accepted`),
    );
  });

  it('a service that refuses everything gets every good token wrong, and no bad one', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService(() => 403));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id, got }) => `${id} ${got}`)).toEqual(
      idsOf(document, 'accept').map((id) => `${id} refused`),
    );
  });

  it('a service that trusts "alg" is caught by the vectors that name it [incident 7, incident 8]', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService((token) => believingAlg(token, document)));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id }) => id)).toEqual([
      'alg-none',
      'alg-none-capital',
      'alg-none-mixed',
      'alg-none-signed',
      'hmac-pem',
    ]);
  });

  it('a service that trims the key before it looks for a PEM is caught [incident 9]', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService((token) => believingAlg(token, document, '\n')));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id }) => id)).toContain('hmac-pem-leading-space');
  });

  it('a service that fails, redirects or stalls has no verdict', async () => {
    const document = await makeDocument(await newForge());
    const tokenOf = (wanted: string) => document.vectors.find(({ id }) => id === wanted)?.token;
    const verdicts = new Map([
      [tokenOf('plain'), 200],
      [tokenOf('second-key'), 429],
      [tokenOf('kid-list'), 500],
      [tokenOf('aud-wrong'), 302],
    ]);
    const hang = tokenOf('kid-long');
    const judge = (token: string) =>
      token === hang ? new Promise<number>(() => undefined) : (verdicts.get(token) ?? 401);
    const url = new URL(await startService(judge));
    const { wrong } = await runVectors(document, { url, header: null });
    const answers = Object.fromEntries(wrong.map(({ id, got, answer }) => [id, `${got}: ${answer}`]));
    expect(answers).toMatchObject({
      'second-key': 'no verdict: status 429',
      'kid-list': 'no verdict: status 500',
      'aud-wrong': 'no verdict: status 302',
      'kid-long': 'no verdict: no answer in 5 s',
    });
    expect(answers).not.toHaveProperty('plain');
  });
});

/** A verifier that checks everything, but takes the algorithm from the header. */
async function believingAlg(token: string, document: VectorDocument, before = ''): Promise<number> {
  const parts = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token);
  if (!parts) return 401;
  const { header, claims } = decodeToken(token) as Record<'header' | 'claims', Record<string, unknown>>;
  const now = Date.now() / 1000;
  const isFine =
    /^(application\/)?at\+jwt$/.test(String(header['typ'])) &&
    !('crit' in header) &&
    typeof header['kid'] === 'string' &&
    claims['iss'] === document.issuer &&
    [claims['aud']].flat().includes(AUDIENCE) &&
    typeof claims['exp'] === 'number' &&
    claims['exp'] > now &&
    Number(claims['nbf']) <= now &&
    typeof claims['sub'] === 'string';
  return isFine && (await isSignedAsItSays(token, header, document, before)) ? 200 : 401;
}

async function isSignedAsItSays(
  token: string,
  { alg, kid }: Record<string, unknown>,
  { jwks }: VectorDocument,
  before: string,
): Promise<boolean> {
  const jwk = jwks.keys.find((key) => key.kid === kid);
  if (String(alg).toLowerCase() === 'none') return true;
  if (alg === 'HS256' && jwk) {
    const pem = before + createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
    const [, input = '', signature] = /^(.+)\.(.*)$/.exec(token) ?? [];
    return createHmac('sha256', pem).update(input).digest('base64url') === signature;
  }
  const keys = createLocalJWKSet(jwks as JSONWebKeySet);
  return compactVerify(token, keys).then(
    () => true,
    () => false,
  );
}

once('a verifier of traffy/verify that reads revocations', () => {
  it.each(SIGNING_ALGORITHMS)(
    'a correct service gets no token wrong, with the feed of the test issuer, %s',
    async (algorithm) => {
      const forge = await newForge(algorithm);
      const document = await makeDocument(forge);
      const { issuer, audience } = document;
      const errors: Error[] = [];
      const verifier = createVerifier({
        issuer,
        audience,
        revocations: true,
        onError: (error) => errors.push(error),
      });
      const url = await startService((token) =>
        verifier.verify(token).then(
          () => 200,
          ({ status }: TokenRefused | Undecided) => status,
        ),
      );
      const running = await serveKeys(document);
      const { sent, wrong } = await runVectors(document, { url: new URL(url), header: null });
      const feed = await fetch(`${issuer}/.well-known/revocations`);
      await running.close();
      // Two ways of being bad are of elliptic curves alone.
      expect({ sent, wrong, errors }).toEqual({
        sent: algorithm === 'ES256' ? 77 : 75,
        wrong: [],
        errors: [],
      });
      expect(feed.headers.get('content-type')).toBe('application/revocations+jwt');
      const { iat: _iat, exp, ...told } = decodeToken(await feed.text()).claims as Record<string, unknown>;
      expect(told).toEqual({ iss: issuer, since: null, cursor: expect.any(String), entries: [] });
      // It is believed for as long as the document is good.
      expect(Number(exp) * 1000).toBeGreaterThanOrEqual(Date.parse(document.good_until));
    },
  );
});
