import { execFile, spawnSync } from 'node:child_process';
import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { SIGNING_ALGORITHMS } from '../config/auth.config.js';
import { SecretsDoNotFit, UnfitSigningKey } from '../src/auth/keys/key-pair.js';
import { createToken, hashToken } from '../src/auth/strategies/opaque-token.js';
import { startApp, TEST_SECRET, type TestApp } from './support/app.js';
import { cookieValue, type Reply } from './support/client.js';
import { createEmptyDatabase, createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import {
  accessClaims,
  decodeToken,
  encode,
  issueToken,
  newKey,
  otherSpellings,
  resign,
  signatureBytes,
  signingKey,
  signParts,
  storeKey,
  type TestKey,
  withSignature,
  withSignatureBytes,
} from './support/jwt.js';
import { accessTokenOf, PASSWORD, signIn, type SignedIn, signUp, STRATEGIES } from './support/strategies.js';

const REFUSED = '401 credential_invalid';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';
/** The order of the group of P-256. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

type Named = Readonly<Record<string, string>>;

function verdictOf(reply: Reply): string {
  return reply.status === 200 ? '200' : `${reply.status} ${String(reply.body['code'])}`;
}

/** What `GET /users/me` answers to each token, in Authorization and, where it fits into one, in the cookie. */
async function verdictsOf(app: TestApp, tokens: Named): Promise<Named> {
  const verdicts: Record<string, string> = {};
  for (const [name, token] of Object.entries(tokens)) {
    const bearer = verdictOf(await app.client.get('/users/me', { authorization: `Bearer ${token}` }));
    const cookie = /[;\s]/.test(token)
      ? bearer
      : verdictOf(await app.client.get('/users/me', { cookie: `access_token=${token}` }));
    verdicts[name] = bearer === cookie ? bearer : `Bearer: ${bearer}, cookie: ${cookie}`;
  }
  return verdicts;
}

/** The same verdict for every name. */
function all(tokens: Named, verdict: string): Named {
  return Object.fromEntries(Object.keys(tokens).map((name) => [name, verdict]));
}

async function expectRefused(app: TestApp, tokens: Named): Promise<void> {
  expect(await verdictsOf(app, tokens)).toEqual(all(tokens, REFUSED));
}

async function expectAccepted(app: TestApp, tokens: Named): Promise<void> {
  expect(await verdictsOf(app, tokens)).toEqual(all(tokens, '200'));
}

/** Asks again until the verdict is the wanted one, or for ten seconds; gives the last one. */
async function until(wanted: string, ask: () => Promise<Reply>): Promise<string> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const verdict = verdictOf(await ask());
    if (verdict === wanted || Date.now() > deadline) return verdict;
    await setTimeout(50);
  }
}

function refreshTokenOf({ reply }: SignedIn): string {
  return reply.body['refresh_token'] as string;
}

function errorsIn(app: TestApp): unknown[] {
  return app.logs.filter(({ level }) => Number(level) >= 50);
}

describe.each(['jwt', 'jwt,session'])('an access token with AUTH_STRATEGY=%s', (strategy) => {
  let app: TestApp;
  let key: TestKey;
  let person: SignedIn;
  let good: string;
  let sub: string;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    key = await signingKey(app);
    person = await signIn(app);
    good = accessTokenOf(person);
    sub = decodeToken(good).claims['sub'] as string;
  });
  afterAll(() => app.close());

  const withHeader = (header: Record<string, unknown>) => resign(good, key, { header });
  const withClaims = (claims: Record<string, unknown>) => resign(good, key, { claims });

  it('opens in either transport, and so does one signed again by the key from the database', async () => {
    await expectAccepted(app, { issued: good, 'signed again': resign(good, key, {}) });
  });

  it('J9: says what RFC 9068 asks and nothing personal', async () => {
    const { header, claims } = decodeToken(good);
    expect(header).toEqual({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' });
    const now = Math.floor(Date.now() / 1000);
    expect(claims).toEqual({
      iss: 'http://localhost:8000',
      aud: 'http://localhost:8000',
      sub: expect.stringMatching(UUID),
      sid: person.sessionId,
      jti: expect.stringMatching(UUID),
      client_id: 'traffy',
      iat: expect.any(Number),
      nbf: Number(claims['iat']) - 5,
      exp: Number(claims['iat']) + 600,
      auth_time: expect.any(Number),
      amr: ['pwd'],
    });
    expect(Math.abs(now - Number(claims['iat']))).toBeLessThan(30);
    expect(Math.abs(Number(claims['auth_time']) - Number(claims['iat']))).toBeLessThan(30);
    expect(person.reply.body['expires_in']).toBe(600);
    const [jti, otherJti] = [good, accessTokenOf(await signIn(app, person.email))].map(
      (token) => decodeToken(token).claims['jti'],
    );
    expect(jti).not.toBe(otherJti);
  });

  it('J1: refuses every algorithm but the one of the key', async () => {
    const unsigned = (alg: unknown) =>
      `${encode({ ...decodeToken(good).header, alg })}.${good.split('.')[1]}.`;
    const names = [
      'none',
      'None',
      'nOnE',
      'NONE',
      '',
      'HS256',
      'ES256 ',
      'es256',
      'ES256K',
      'EdDSA',
      'RS256',
    ];
    const others = ['PS256', 'ES384', 'ES512', 'RS512', 'constructor', '__proto__'];
    const values = [...names, ...others, undefined, null, ['ES256'], { alg: 'ES256' }, 256, true];
    const entries = values.flatMap((alg) => [
      [`unsigned ${JSON.stringify(alg)}`, unsigned(alg)],
      [`one-byte signature ${JSON.stringify(alg)}`, `${unsigned(alg)}AA`],
      [`signed ${JSON.stringify(alg)}`, withHeader({ alg })],
    ]);
    await expectRefused(app, Object.fromEntries(entries) as Named);
  });

  it('J2, incident 7, 9: refuses an HMAC keyed with any spelling of the public key', async () => {
    const pem = key.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const der = key.publicKey.export({ format: 'der', type: 'spki' });
    const jwks = await app.client.get('/.well-known/jwks.json');
    const jwk = JSON.stringify(jwks.body['keys'][0]);
    const point = key.publicKey.export({ format: 'jwk' });
    const spellings: Record<string, string | Buffer> = {
      pem,
      'pem without the last newline': pem.trimEnd(),
      'pem after white space': `\n \t${pem}`,
      'pem with CRLF': pem.replaceAll('\n', '\r\n'),
      der,
      'base64 of der': der.toString('base64'),
      jwk,
      'jwk after white space': ` ${jwk}`,
      'whole key set': jwks.text,
      'x coordinate': Buffer.from(point.x ?? '', 'base64url'),
      kid: key.kid,
    };
    const tokens: Record<string, string> = {};
    for (const [spelling, secret] of Object.entries(spellings)) {
      const hmacKey = createSecretKey(Buffer.from(secret as string));
      for (const algorithm of ['HS256', 'HS384', 'HS512']) {
        const forged = { ...key, privateKey: hmacKey };
        tokens[`${algorithm} ${spelling}`] = resign(good, forged, { header: { alg: algorithm } }, algorithm);
        // A verifier that trusts the key's type over the header, or the header over the key, takes this one.
        tokens[`ES256 header, ${algorithm} ${spelling}`] = resign(good, forged, {}, algorithm);
      }
    }
    await expectRefused(app, tokens);
  });

  it('J3, incident 8: the key is ours and named by kid, whatever else the token says', async () => {
    const attacker = newKey('ES256');
    const publicJwk = attacker.publicKey.export({ format: 'jwk' });
    const ownKid = { kid: key.kid };
    await expectRefused(app, {
      'foreign key, our kid': resign(good, attacker, { header: ownKid }),
      'foreign key, its own kid': resign(good, attacker, { header: { kid: attacker.kid } }),
      'foreign key, no kid': resign(good, attacker, { header: { kid: undefined } }),
      'foreign key in jwk': resign(good, attacker, { header: { ...ownKid, jwk: publicJwk } }),
      'foreign key in jwk, no kid': resign(good, attacker, { header: { kid: undefined, jwk: publicJwk } }),
      'our key, no kid': withHeader({ kid: undefined }),
      'our key, unknown kid': withHeader({ kid: uuidv7() }),
      'our key, kid in other case': withHeader({ kid: key.kid.toUpperCase() }),
    });
  });

  it('J4: never follows jku or x5u and never takes jwk or x5c', async () => {
    let requests = 0;
    const attacker = newKey('ES256');
    const jwk = {
      ...attacker.publicKey.export({ format: 'jwk' }),
      kid: attacker.kid,
      alg: 'ES256',
      use: 'sig',
    };
    const trap = createServer((_request, response) => {
      requests += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => trap.once('listening', resolve));
    const origin = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
    try {
      const jku = `${origin}/jwks.json`;
      const x5u = `${origin}/chain.pem`;
      const x5c = [attacker.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')];
      const lures = { jku, x5u, jwk, x5c };
      for (const kid of [key.kid, attacker.kid]) {
        await expectRefused(app, {
          jku: resign(good, attacker, { header: { kid, jku } }),
          x5u: resign(good, attacker, { header: { kid, x5u } }),
          jwk: resign(good, attacker, { header: { kid, jwk } }),
          x5c: resign(good, attacker, { header: { kid, x5c } }),
          'all of them': resign(good, attacker, { header: { kid, ...lures } }),
        });
      }
      await expectAccepted(app, { 'all of them, ignored in a good token': withHeader(lures) });
      // What the service had sent before it answered would have come in before this.
      await fetch(origin);
      expect(requests).toBe(1);
    } finally {
      trap.close();
    }
  });

  it('J5: refuses hostile key ids without touching the database, a file or a prototype', async () => {
    const texts = [
      "' or '1'='1",
      `${key.kid}' --`,
      `${key.kid}'; drop table signing_keys; --`,
      '../../../../dev/null',
      `../${key.kid}`,
      'file:///etc/passwd',
      `${key.kid}\u0000`,
      `${key.kid} `,
      `${key.kid}\n`,
      '',
      '%00',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'k'.repeat(129),
      'k'.repeat(5000),
      '\u{1f511}',
    ];
    const others = [[key.kid], [], { kid: key.kid }, {}, 0, 1, -1, 1e308, true, false, null];
    const entries = [...texts, ...others].map((kid) => [
      JSON.stringify(kid).slice(0, 60),
      withHeader({ kid }),
    ]);
    await expectRefused(app, Object.fromEntries(entries) as Named);

    // As text, because JavaScript has no literal for an own __proto__ member.
    const rawHeader = (text: string) =>
      signParts(encode(text), String(good.split('.')[1]), key.privateKey, 'ES256');
    await expectRefused(app, {
      'kid behind __proto__': rawHeader(`{"alg":"ES256","typ":"at+jwt","__proto__":{"kid":"${key.kid}"}}`),
      'alg behind __proto__': rawHeader(`{"kid":"${key.kid}","typ":"at+jwt","__proto__":{"alg":"ES256"}}`),
    });
    expect(({} as Record<string, unknown>)['kid']).toBeUndefined();
    expect(errorsIn(app)).toEqual([]);
    await expectAccepted(app, { 'the good one, afterwards': good });
  });

  it('J5: a key id of a megabyte opens nothing, and stops at the limit of the header on a socket', async () => {
    const token = withHeader({ kid: 'k'.repeat(1_000_000) });
    await expectRefused(app, { 'kid of a megabyte': token });
    const port = Number(new URL(await app.listen()).port);
    const answer = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`GET /users/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      });
      socket.on('data', (chunk) => (received += chunk.toString()));
      // The service stops reading in the middle of what we send: a reset is as good as an end.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(received));
    });
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 431');
  });

  it('J6: refuses a missing or malformed time, and what has expired or is not valid yet', async () => {
    const now = Math.floor(Date.now() / 1000);
    const malformed = [
      undefined,
      null,
      '',
      String(now + 600),
      [now + 600],
      { at: now },
      true,
      now + 600.5,
      1e300,
    ];
    const tokens: Record<string, string> = {};
    for (const name of ['exp', 'nbf', 'iat', 'auth_time']) {
      for (const value of malformed) {
        tokens[`${name} ${JSON.stringify(value)}`] = withClaims({ [name]: value });
      }
    }
    tokens['nbf in a minute'] = withClaims({ nbf: now + 61 });
    tokens['nbf in an hour'] = withClaims({ nbf: now + 3600 });
    await expectRefused(app, tokens);

    const expired = {
      'exp a second ago': withClaims({ exp: now - 1 }),
      'exp a minute ago': withClaims({ exp: now - 61 }),
      'exp zero': withClaims({ exp: 0 }),
      'exp negative': withClaims({ exp: -1 }),
    };
    expect(await verdictsOf(app, expired)).toEqual(all(expired, '401 credential_expired'));
    const reply = await app.client.get('/users/me', {
      authorization: `Bearer ${expired['exp a second ago']}`,
    });
    expect(reply.body).toMatchObject({ action: 'refresh' });
  });

  it('J6: an expired token with a bad signature counts for nothing, not even for the sign-out', async () => {
    const past = { exp: Math.floor(Date.now() / 1000) - 60 };
    const forged = resign(good, newKey('ES256'), { header: { kid: key.kid }, claims: past });
    await expectRefused(app, { forged });
    expect((await app.client.post('/logout', undefined, { authorization: `Bearer ${forged}` })).status).toBe(
      200,
    );
    await expectAccepted(app, { good });
  });

  it('J7, incidents 10, 28: iss is exactly ours', async () => {
    const issuers = [
      undefined,
      null,
      '',
      ['http://localhost:8000'],
      ['http://localhost:8000', 'https://evil.example'],
      { 0: 'http://localhost:8000' },
      'http://localhost:8000/',
      'http://localhost:8000 ',
      'HTTP://localhost:8000',
      'http://localhost:80000',
      'http://localhost:800',
      'https://localhost:8000',
      'https://evil.example',
      8000,
      true,
    ];
    const entries = issuers.map((iss) => [`iss ${JSON.stringify(iss)}`, withClaims({ iss })]);
    await expectRefused(app, Object.fromEntries(entries) as Named);
  });

  it('J7: aud holds ours, among strings only', async () => {
    const ours = 'http://localhost:8000';
    await expectAccepted(app, {
      'in a list': withClaims({ aud: [ours] }),
      'among others': withClaims({ aud: ['https://other.example', ours] }),
    });
    const audiences = [
      undefined,
      null,
      '',
      [],
      {},
      { aud: ours },
      [[ours]],
      [ours, 7],
      [ours, null],
      [ours, {}],
      'https://other.example',
      ['https://other.example'],
      `${ours}/`,
      `${ours} https://other.example`,
      'http://localhost:800',
      'localhost',
      'HTTP://LOCALHOST:8000',
      true,
    ];
    const entries = audiences.map((aud) => [`aud ${JSON.stringify(aud)}`, withClaims({ aud })]);
    await expectRefused(app, Object.fromEntries(entries) as Named);
  });

  it('J8: typ is at+jwt and nothing else', async () => {
    await expectAccepted(app, {
      'with its prefix': withHeader({ typ: 'application/at+jwt' }),
      'in capitals': withHeader({ typ: 'AT+JWT' }),
    });
    const types = [
      undefined,
      null,
      '',
      'JWT',
      'jwt',
      'at',
      'at+jwt ',
      'at+jwt;q=1',
      'at+jwt\n',
      'id+jwt',
      'logout+jwt',
      'secevent+jwt',
      'dpop+jwt',
      'text/at+jwt',
      'application/application/at+jwt',
      ['at+jwt'],
      { typ: 'at+jwt' },
      1,
    ];
    const entries = types.map((typ) => [`typ ${JSON.stringify(typ)}`, withHeader({ typ })]);
    await expectRefused(app, Object.fromEntries(entries) as Named);
  });

  it('J9: refuses claims that do not name a live session and its own user', async () => {
    const other = await signIn(app);
    const otherClaims = decodeToken(accessTokenOf(other)).claims;
    const tokens: Record<string, string> = {
      'sub of somebody else': withClaims({ sub: otherClaims['sub'] }),
      'sid of somebody else': withClaims({ sid: otherClaims['sid'] }),
      'sid that never was': withClaims({ sid: uuidv7() }),
      'amr a string': withClaims({ amr: 'pwd' }),
      'amr of numbers': withClaims({ amr: [1] }),
    };
    const wrong = [
      undefined,
      null,
      '',
      7,
      true,
      [],
      {},
      [sub],
      'x',
      "' or true --",
      'x'.repeat(300),
      '\u0000',
    ];
    for (const name of ['sub', 'sid']) {
      for (const value of wrong)
        tokens[`${name} ${JSON.stringify(value)}`.slice(0, 50)] = withClaims({ [name]: value });
    }
    for (const name of ['jti', 'client_id', 'amr']) {
      for (const value of [undefined, null, 7, {}]) {
        tokens[`${name} ${JSON.stringify(value)}`] = withClaims({ [name]: value });
      }
    }
    await expectRefused(app, tokens);
    expect(errorsIn(app)).toEqual([]);
  });

  it('J9: dies with its account, and a new account with the address is somebody else', async () => {
    const before = await signIn(app);
    const oldSub = decodeToken(accessTokenOf(before)).claims['sub'];
    await app.query(sql`delete from users where id = ${String(oldSub)}`);
    await expectRefused(app, { 'of a deleted account': accessTokenOf(before) });
    await signUp(app, before.email);
    const after = await signIn(app, before.email);
    expect(decodeToken(accessTokenOf(after)).claims['sub']).not.toBe(oldSub);
    await expectRefused(app, { 'of the former account': accessTokenOf(before) });
  });

  it('J10, incident 9: understands no critical extension, so it refuses all', async () => {
    const [header = '', claims = ''] = good.split('.');
    const unencoded = { ...decodeToken(good).header, b64: false, crit: ['b64'] };
    await expectRefused(app, {
      'unknown name': withHeader({ crit: ['exp'], exp: 1 }),
      'a name that is not there': withHeader({ crit: ['nope'] }),
      'b64 false': withHeader(unencoded),
      'b64 false without crit': withHeader({ b64: false }),
      'b64 true': withHeader({ b64: true, crit: ['b64'] }),
      'empty crit': withHeader({ crit: [] }),
      'crit null': withHeader({ crit: null }),
      'crit a string': withHeader({ crit: 'b64' }),
      'crit of alg': withHeader({ crit: ['alg'] }),
    });
    // The signature of RFC 7797 stands over the raw claims.
    const raw = Buffer.from(claims, 'base64url').toString();
    const overRaw = signParts(encode(unencoded), raw, key.privateKey, 'ES256').split('.').at(-1);
    await expectRefused(app, { 'signed over raw claims': `${encode(unencoded)}.${claims}.${overRaw}` });
    await expectAccepted(app, {
      'the same two parts, signed as usual': signParts(header, claims, key.privateKey, 'ES256'),
    });
  });

  it('J11: of a name that stands twice the last counts, in the gate and in the library', async () => {
    const { claims } = decodeToken(good);
    const [, encodedClaims = ''] = good.split('.');
    const header = (text: string) => signParts(encode(text), encodedClaims, key.privateKey, 'ES256');
    const rest = `"kid":"${key.kid}","typ":"at+jwt"`;
    const body = (text: string) =>
      signParts(encode(decodeToken(good).header), encode(text), key.privateKey, 'ES256');
    const json = JSON.stringify(claims).slice(0, -1);
    await expectAccepted(app, {
      'alg: good last': header(`{"alg":"none","alg":"ES256",${rest}}`),
      'exp: good last': body(`{"exp":1,${json.slice(1)}}`),
    });
    await expectRefused(app, {
      'alg: bad last': header(`{"alg":"ES256",${rest},"alg":"none"}`),
      'kid: bad last': header(`{"alg":"ES256",${rest},"kid":"other"}`),
      'typ: bad last': header(`{"alg":"ES256",${rest},"typ":"JWT"}`),
      'iss: bad last': body(`{"iss":"http://localhost:8000",${json.slice(1)},"iss":"https://evil.example"}`),
      'sub: bad last': body(`${json},"sub":"${uuidv7()}"}`),
      'an escaped spelling of alg, bad last': header(`{"alg":"ES256",${rest},"\\u0061lg":"none"}`),
    });
    const expired = { 'exp: bad last': body(`${json},"exp":1}`) };
    expect(await verdictsOf(app, expired)).toEqual(all(expired, '401 credential_expired'));
  });

  it('J12: takes the compact form alone', async () => {
    const [header = '', claims = '', signature = ''] = good.split('.');
    const flattened = { protected: header, payload: claims, signature };
    const general = { payload: claims, signatures: [{ protected: header, signature }] };
    await expectRefused(app, {
      empty: '',
      dots: '..',
      'one part': header,
      'two parts': `${header}.${claims}`,
      'two parts and a dot': `${header}.${claims}.`,
      'four parts': `${good}.${signature}`,
      'a dot behind': `${good}.`,
      'a dot before': `.${good}`,
      'five parts, a JWE': `${encode({ alg: 'dir', enc: 'A256GCM' })}..${signature}.${claims}.${signature}`,
      'five parts': `${good}.${claims}.${signature}`,
      'flattened JSON': JSON.stringify(flattened),
      'general JSON': JSON.stringify(general),
      'flattened JSON, encoded': encode(flattened),
      'no header': `.${claims}.${signature}`,
      'no claims': `${header}..${signature}`,
      'no signature': `${header}.${claims}.`,
      'the scheme twice': `Bearer ${good}`,
      'two tokens': `${good},${good}`,
      'two tokens with a space': `${good} ${good}`,
      quoted: `"${good}"`,
      'with a cookie attribute': `${good}%3B`,
    });
  });

  it('J12: takes base64url without padding and without any other character', async () => {
    const parts = good.split('.');
    const tokens: Record<string, string> = {};
    for (const [index, part] of parts.entries()) {
      const spelled = (text: string) => parts.with(index, text).join('.');
      const middle = Math.floor(part.length / 2);
      for (const stray of [
        '=',
        '==',
        '+',
        '/',
        '.',
        ' ',
        '\t',
        '%',
        '*',
        '!',
        '~',
        ',',
        '\u00e9',
        '\u00a0',
      ]) {
        const name = `${JSON.stringify(stray)} in part ${index}`;
        tokens[`${name}, at the end`] = spelled(`${part}${stray}`);
        tokens[`${name}, at the start`] = spelled(`${stray}${part}`);
        tokens[`${name}, inside`] = spelled(part.slice(0, middle) + stray + part.slice(middle));
      }
    }
    // HTTP takes white space around a field's value away, so at the end of the header it is no part of the token.
    delete tokens['" " in part 2, at the end'];
    delete tokens['"\\t" in part 2, at the end'];
    delete tokens['" " in part 0, at the start'];
    await expectRefused(app, tokens);
  });

  it('J12: takes one spelling of the same bytes only', async () => {
    const { header, claims } = decodeToken(good);
    // Padded with a space until the last character carries bits that decoding drops.
    const loose = (members: unknown) => {
      const texts = [0, 1].map((spaces) => encode(JSON.stringify(members) + ' '.repeat(spaces)));
      return texts.find((text) => text.length % 4 !== 0) ?? '';
    };
    const [strictHeader, strictClaims] = [loose(header), loose(claims)];
    const signed = signParts(strictHeader, strictClaims, key.privateKey, 'ES256');
    await expectAccepted(app, { 'the strict spelling': signed });
    const tokens: Record<string, string> = {};
    for (const spelling of otherSpellings(strictHeader)) {
      tokens[`header ${spelling.at(-1)}`] = signParts(spelling, strictClaims, key.privateKey, 'ES256');
    }
    for (const spelling of otherSpellings(strictClaims)) {
      tokens[`claims ${spelling.at(-1)}`] = signParts(strictHeader, spelling, key.privateKey, 'ES256');
    }
    const signature = String(signed.split('.')[2]);
    for (const spelling of otherSpellings(signature)) {
      tokens[`signature ${spelling.at(-1)}`] = `${strictHeader}.${strictClaims}.${spelling}`;
    }
    expect(Object.keys(tokens).length).toBeGreaterThanOrEqual(3 + 3 + 15);
    await expectRefused(app, tokens);
  });

  it('J12: takes a header and claims that are JSON objects in UTF-8', async () => {
    const [header = '', claims = ''] = good.split('.');
    const notObjects: Record<string, string | Buffer> = {
      null: 'null',
      'a list': '[]',
      'a list of the object': `[${Buffer.from(header, 'base64url').toString()}]`,
      'a string': '"ES256"',
      'a number': '1',
      true: 'true',
      'no JSON': '{alg:ES256}',
      'half a JSON': '{"alg":"ES256"',
      'two values': `${Buffer.from(header, 'base64url').toString()}{}`,
      'not UTF-8': Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      'a byte order mark': `\u{feff}${Buffer.from(header, 'base64url').toString()}`,
      NUL: '\u0000',
      deep: '['.repeat(4000),
    };
    const tokens: Record<string, string> = {};
    for (const [name, text] of Object.entries(notObjects)) {
      tokens[`header: ${name}`] = signParts(encode(text), claims, key.privateKey, 'ES256');
      tokens[`claims: ${name}`] = signParts(header, encode(text), key.privateKey, 'ES256');
    }
    const { claims: members } = decodeToken(good);
    const bom = `\u{feff}${JSON.stringify(members)}`;
    tokens['claims: a byte order mark'] = signParts(header, encode(bom), key.privateKey, 'ES256');
    const latin1 = Buffer.from(JSON.stringify({ ...members, name: '\u00e9' }), 'latin1');
    tokens['claims: Latin-1'] = signParts(header, encode(latin1), key.privateKey, 'ES256');
    await expectRefused(app, tokens);
    expect(errorsIn(app)).toEqual([]);
  });

  it('J13, incident 11: refuses psychic signatures: r or s of 0, 1, n-1, n and beyond', async () => {
    const numbers: Record<string, bigint> = {
      0: 0n,
      1: 1n,
      'n-1': N - 1n,
      n: N,
      'n+1': N + 1n,
      max: 2n ** 256n - 1n,
    };
    const tokens: Record<string, string> = {};
    for (const [rName, r] of Object.entries(numbers)) {
      for (const [sName, s] of Object.entries(numbers)) {
        tokens[`r=${rName}, s=${sName}`] = withSignature(good, r, s);
      }
    }
    const signature = signatureBytes(good);
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)].map((half) =>
      BigInt(`0x${half.toString('hex')}`),
    ) as [bigint, bigint];
    for (const [name, value] of Object.entries(numbers)) {
      tokens[`good r, s=${name}`] = withSignature(good, r, value);
      tokens[`r=${name}, good s`] = withSignature(good, value, s);
    }
    tokens['r and s swapped'] = withSignature(good, s, r);
    tokens['r plus n on 33 bytes'] = withSignature(good, r + N, s, 33);
    await expectRefused(app, tokens);
    expect(errorsIn(app)).toEqual([]);
  });

  it('J13: refuses signatures that are cut, longer, in DER or of another token', async () => {
    const signature = signatureBytes(good);
    const half = (from: number) => signature.subarray(from, from + 32);
    const integer = (bytes: Buffer) => {
      const body = (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
      return Buffer.concat([Buffer.from([2, body.length]), body]);
    };
    const sequence = Buffer.concat([integer(half(0)), integer(half(32))]);
    const der = Buffer.concat([Buffer.from([0x30, sequence.length]), sequence]);
    const zero = Buffer.from([0]);
    const flipped = Buffer.from(signature);
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const elsewhere = signatureBytes(accessTokenOf(await signIn(app)));
    const variants: Record<string, Buffer> = {
      'one byte': zero,
      'without its last byte': signature.subarray(0, 63),
      'without its first byte': signature.subarray(1),
      'r alone': half(0),
      'a zero behind': Buffer.concat([signature, zero]),
      'a zero before': Buffer.concat([zero, signature]),
      'a zero before each half': Buffer.concat([zero, half(0), zero, half(32)]),
      twice: Buffer.concat([signature, signature]),
      'of 4096 bytes': Buffer.alloc(4096, 7),
      'in DER': der,
      'a bit flipped': flipped,
      'of another token': elsewhere,
    };
    const entries = Object.entries(variants).map(([name, bytes]) => [name, withSignatureBytes(good, bytes)]);
    await expectRefused(app, Object.fromEntries(entries) as Named);
    const [header = '', claims = '', own = ''] = good.split('.');
    await expectRefused(app, {
      'changed header': `${encode({ ...decodeToken(good).header, extra: 1 })}.${claims}.${own}`,
      'changed claims': `${header}.${encode({ ...decodeToken(good).claims, amr: ['pwd', 'otp'] })}.${own}`,
    });
    expect(errorsIn(app)).toEqual([]);
  });

  it('incident 9: a thousand tokens of forty people, a hundred at once, never swap one for another', async () => {
    const people = Array.from({ length: 40 }, (_, index) => ({
      sub: uuidv7(),
      sid: uuidv7(),
      email: `crowd${index}@example.com`,
    }));
    for (const { sub: id, sid, email } of people) {
      await app.query(
        sql`insert into users (id, email, email_canonical, password_hash) values (${id}, ${email}, ${email}, 'none')`,
      );
      await app.query(
        sql`insert into sessions (id, user_id, strategy, methods, expires_at)
            values (${sid}, ${id}, 'jwt', array['pwd'], now() + interval '1 hour')`,
      );
    }
    const holders = Array.from({ length: 25 }, () => people).flat();
    const tokens = new Set<string>();
    const ask = async ({ sub: id, sid }: (typeof people)[number]) => {
      const token = issueToken(key, accessClaims(app, { sub: id, sid }));
      tokens.add(token);
      const { body } = await app.client.get('/users/me', { authorization: `Bearer ${token}` });
      return { id: body['id'], email: body['email'] };
    };
    const answers = [];
    // More at once would wait longer for a connection than a request may, on a slow machine.
    for (let start = 0; start < holders.length; start += 100) {
      answers.push(...(await Promise.all(holders.slice(start, start + 100).map(ask))));
    }
    expect(tokens.size).toBe(1000);
    expect(answers).toEqual(holders.map(({ sub: id, email }) => ({ id, email })));
  });

  it('B1: without a credential the challenge carries no error', async () => {
    for (const headers of [{}, { authorization: 'Basic dGVzdDp0ZXN0' }, { cookie: 'unrelated=1' }]) {
      const reply = await app.client.get('/users/me', headers as Record<string, string>);
      expect(verdictOf(reply)).toBe('401 authentication_required');
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="traffy"');
    }
  });

  it('B2: a bad, an expired and a revoked token are invalid_token', async () => {
    const leaving = await signIn(app);
    await leaving.client.post('/logout');
    const tokens = {
      credential_invalid: 'nonsense',
      credential_expired: withClaims({ exp: 1 }),
      credential_revoked: accessTokenOf(leaving),
    };
    for (const [code, token] of Object.entries(tokens)) {
      const reply = await app.client.get('/users/me', { authorization: `Bearer ${token}` });
      expect(verdictOf(reply)).toBe(`401 ${code}`);
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="traffy", error="invalid_token"');
      expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    }
  });

  it('B3: the scheme name is case-insensitive, and a token in the query or the body is not read', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
      const reply = await app.client.get('/users/me', { authorization: `${scheme} ${good}` });
      expect(reply.status).toBe(200);
    }
    for (const name of ['access_token', 'token', 'auth_token', 'authorization', 'jwt', 'bearer']) {
      const query = await app.client.get(`/users/me?${name}=${good}`);
      expect([401, 400]).toContain(query.status);
      expect(query.body['email']).toBeUndefined();
      const header = await app.client.get('/users/me', { [`x-${name}`]: good });
      expect(verdictOf(header)).toBe('401 authentication_required');
    }
    const form = await app.client.post('/logout', `access_token=${good}`, {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(form.status).toBe(415);
    await expectAccepted(app, { 'still live': good });
    for (const authorization of ['Bearer', 'Bearer ', `Bearer${good}`, `Token ${good}`, good]) {
      const reply = await app.client.get('/users/me', { authorization });
      expect(reply.status).toBe(401);
    }
  });

  it('B3: every reply with tokens, and every refusal, is no-store', async () => {
    const replies = [
      person.reply,
      await app.client.post('/refresh', { refresh_token: refreshTokenOf(await signIn(app)) }),
      await app.client.post('/refresh', { refresh_token: 'nonsense' }),
      await app.client.get('/users/me'),
      await person.client.get('/users/me'),
    ];
    expect(replies.map(({ headers }) => headers['cache-control'])).toEqual(replies.map(() => 'no-store'));
  });

  it('O2: no token of these tests stands in the log', () => {
    const text = app.logText();
    expect(text.length).toBeGreaterThan(10_000);
    expect(text).not.toContain(good);
    expect(text).not.toContain(String(good.split('.')[2]));
    expect(text).not.toContain(refreshTokenOf(person));
  });
});

describe('an access token with other settings', () => {
  it('expires by the clock after ACCESS_TOKEN_TTL, and its refresh token goes on', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt', ACCESS_TOKEN_TTL: '1s' } });
    try {
      const person = await signIn(app);
      expect(person.reply.body['expires_in']).toBe(1);
      const verdict = await until('401 credential_expired', () => person.client.get('/users/me'));
      expect(verdict).toBe('401 credential_expired');
      expect((await person.client.get('/me')).body).toEqual({ logged_in: false, action: 'refresh' });
      const refreshed = await app.client.post('/refresh', { refresh_token: refreshTokenOf(person) });
      expect(refreshed.status).toBe(200);
    } finally {
      await app.close();
    }
  });
});

/** Every kind of credential and of identifier that could pass for one, all of two live sessions of one person. */
async function allKinds(app: TestApp) {
  const person = await signIn(app);
  const [sid, withCookie] = [uuidv7(), uuidv7()];
  const [row] = await app.query(
    sql<{ user_id: string }>`select user_id from sessions where id = ${person.sessionId}`,
  );
  const sub = String(row?.user_id);
  const [session, refresh] = [createToken('trf_st_'), createToken('trf_rt_')];
  await app.query(
    sql`insert into sessions (id, user_id, strategy, methods, expires_at, secret_hash)
        select new.id, s.user_id, new.strategy, s.methods, s.expires_at, new.secret_hash from sessions s,
          (values (${sid}::uuid, 'jwt', null::bytea), (${withCookie}::uuid, 'session', ${hashToken(session)}::bytea)) as new(id, strategy, secret_hash)
        where s.id = ${person.sessionId}`,
  );
  await app.query(
    sql`insert into refresh_tokens (token_hash, session_id) values (${hashToken(refresh)}, ${sid})`,
  );
  const key = await signingKey(app);
  const access = issueToken(key, accessClaims(app, { sub, sid }));
  const { claims } = decodeToken(access);
  const noCredentials = {
    'session id': sid,
    'user id': sub,
    'token id': String(claims['jti']),
    'key id': key.kid,
    'ID token': resign(access, key, { header: { typ: 'JWT' }, claims: { nonce: 'n' } }),
    'logout token': resign(access, key, { header: { typ: 'logout+jwt' } }),
    'hash of the session cookie': hashToken(session).toString('base64url'),
    'session secret with the refresh prefix': session.replace('trf_st_', 'trf_rt_'),
    'refresh secret with the session prefix': refresh.replace('trf_rt_', 'trf_st_'),
    'session secret without its prefix': session.slice(7),
    'refresh secret without its prefix': refresh.slice(7),
    'session cookie never issued': createToken('trf_st_'),
    'refresh token never issued': createToken('trf_rt_'),
    password: PASSWORD,
    email: encodeURIComponent(person.email),
  };
  return { session, access, refresh, ...noCredentials };
}

describe.each(STRATEGIES)(
  'every kind of credential in every place with AUTH_STRATEGY=$strategy',
  ({ strategy, accepts }) => {
    let app: TestApp;
    let kinds: Awaited<ReturnType<typeof allKinds>>;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
      kinds = await allKinds(app);
    });
    afterAll(() => app.close());

    /** Which kinds open a place; the others are refused with a 401. */
    async function openers(ask: (value: string) => Promise<Reply>): Promise<string[]> {
      const statuses: [string, number][] = [];
      for (const [kind, value] of Object.entries(kinds)) statuses.push([kind, (await ask(value)).status]);
      expect(statuses.filter(([, status]) => status !== 200 && status !== 401)).toEqual([]);
      return statuses.filter(([, status]) => status === 200).map(([kind]) => kind);
    }

    const tokens = accepts.some((kind) => kind === 'jwt');
    const cookies = accepts.some((kind) => kind === 'session');

    it('S13, J8, incident 24, 32: only the designed cells open', async () => {
      const me = (headers: Record<string, string>) => app.client.get('/users/me', headers);
      const access = tokens ? ['access'] : [];
      const session = cookies ? ['session'] : [];
      expect(await openers((value) => me({ authorization: `Bearer ${value}` }))).toEqual(access);
      expect(await openers((value) => me({ authorization: value }))).toEqual([]);
      expect(await openers((value) => me({ cookie: `access_token=${value}` }))).toEqual(access);
      expect(await openers((value) => me({ cookie: `__Host-access_token=${value}` }))).toEqual(access);
      expect(await openers((value) => me({ cookie: `session=${value}` }))).toEqual(session);
      expect(await openers((value) => me({ cookie: `__Host-session=${value}` }))).toEqual(session);
      expect(await openers((value) => me({ cookie: `refresh_token=${value}` }))).toEqual([]);
      expect(errorsIn(app)).toEqual([]);
    });

    it('S13: only a refresh token refreshes, in the body or in its cookie', async () => {
      const { refresh, ...others } = kinds;
      for (const [kind, value] of Object.entries(others)) {
        // In a body an access token is also too long for a refresh token.
        const body = verdictOf(await app.client.post('/refresh', { refresh_token: value }));
        expect([kind, body]).toEqual([
          kind,
          expect.stringMatching(/^(401 refresh_invalid|400 validation_failed)$/),
        ]);
        const headers = { cookie: `refresh_token=${value}` };
        const cookie = verdictOf(await app.client.post('/refresh', undefined, headers));
        expect([kind, cookie]).toEqual([kind, '401 refresh_invalid']);
      }
      for (const cookie of [`session=${refresh}`, `access_token=${refresh}`]) {
        expect(verdictOf(await app.client.post('/refresh', undefined, { cookie }))).toBe(
          '401 refresh_invalid',
        );
      }
      const bearer = await app.client.post('/refresh', undefined, { authorization: `Bearer ${refresh}` });
      expect(verdictOf(bearer)).toBe('401 refresh_invalid');

      const reply = await app.client.post('/refresh', { refresh_token: refresh });
      expect(verdictOf(reply)).toBe(tokens ? '200' : '401 refresh_invalid');
    });

    it('S13: nothing of all that ended the session', async () => {
      const headers = cookies
        ? { cookie: `session=${kinds.session}` }
        : { authorization: `Bearer ${kinds.access}` };
      expect((await app.client.get('/users/me', headers)).status).toBe(200);
    });
  },
);

/** As if the grace time of every rotation of a session had passed. */
async function passGrace(app: TestApp, sessionId: string): Promise<void> {
  await app.query(
    sql`update refresh_tokens set redeemed_at = redeemed_at - interval '1 minute' where session_id = ${sessionId}`,
  );
}

describe.each(['jwt', 'jwt,session'])('a refresh token with AUTH_STRATEGY=%s', (strategy) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  const redeem = (token: string) => app.client.post('/refresh', { refresh_token: token });
  const useAccess = (token: unknown) =>
    app.client.get('/users/me', { authorization: `Bearer ${String(token)}` });
  const heads = (sessionId: string) =>
    app.query(sql`select 1 from refresh_tokens
      where session_id = ${sessionId} and redeemed_at is null and superseded_at is null`);

  async function expectDead(tokens: { access: unknown; refresh: string }): Promise<void> {
    expect(verdictOf(await useAccess(tokens.access))).toBe('401 credential_revoked');
    expect(verdictOf(await redeem(tokens.refresh))).toBe('401 refresh_revoked');
  }

  it('F1: each use gives a new token of the same session, and a new access token', async () => {
    const person = await signIn(app);
    const seen = new Set([refreshTokenOf(person)]);
    const jtis = new Set([decodeToken(accessTokenOf(person)).claims['jti']]);
    let token = refreshTokenOf(person);
    for (let step = 1; step <= 5; step += 1) {
      const reply = await redeem(token);
      expect(reply.status).toBe(200);
      expect(reply.body).toEqual({
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 600,
        refresh_token: expect.stringMatching(/^trf_rt_[A-Za-z0-9_-]{43}$/),
      });
      token = reply.body['refresh_token'];
      const { claims } = decodeToken(reply.body['access_token']);
      expect(claims).toMatchObject({ sid: person.sessionId, aud: 'http://localhost:8000', amr: ['pwd'] });
      expect(claims['auth_time']).toBe(decodeToken(accessTokenOf(person)).claims['auth_time']);
      seen.add(token);
      jtis.add(claims['jti']);
      expect((await useAccess(reply.body['access_token'])).status).toBe(200);
    }
    expect([seen.size, jtis.size]).toEqual([6, 6]);
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('S1: the database holds neither the token nor anything it could be read from', async () => {
    const person = await signIn(app);
    const token = refreshTokenOf(person);
    await redeem(token);
    const rows = await app.query(
      sql<{
        token_hash: Uint8Array;
      }>`select token_hash from refresh_tokens where session_id = ${person.sessionId}
        order by issued_at, parent_hash nulls first`,
    );
    expect(rows).toHaveLength(2);
    expect(Buffer.from(rows[0]?.token_hash ?? []).equals(hashToken(token))).toBe(true);
    const secret = Buffer.from(token.slice(7), 'base64url');
    expect(secret).toHaveLength(32);
    for (const { token_hash: hash } of rows) expect(Buffer.from(hash).equals(secret)).toBe(false);
  });

  it('F4: inside the grace time a redeemed token gets the same successor again', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const successors = [];
    for (let repeat = 0; repeat < 3; repeat += 1)
      successors.push((await redeem(first)).body['refresh_token']);
    expect(new Set(successors).size).toBe(1);
    expect(successors[0]).not.toBe(first);
    expect((await redeem(String(successors[0]))).status).toBe(200);
  });

  it('F4: inside the grace time every ancestor gets the token that is good now', async () => {
    const person = await signIn(app);
    const lineage = [refreshTokenOf(person)];
    for (let step = 0; step < 3; step += 1)
      lineage.push((await redeem(String(lineage.at(-1)))).body['refresh_token']);
    const head = lineage.pop();
    for (const ancestor of lineage) expect((await redeem(ancestor)).body['refresh_token']).toBe(head);
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('F2: after the grace time reuse ends the session, its access tokens and its refresh tokens', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const second = (await redeem(first)).body['refresh_token'];
    const third = (await redeem(second)).body;
    await passGrace(app, person.sessionId);
    expect((await useAccess(third['access_token'])).status).toBe(200);
    const reply = await redeem(first);
    expect(verdictOf(reply)).toBe('401 refresh_reused');
    expect(reply.body).toMatchObject({ action: 'login' });
    await expectDead({ access: third['access_token'], refresh: third['refresh_token'] });
    await expectDead({ access: accessTokenOf(person), refresh: second });
    const [row] = await app.query(
      sql<{ revoked_reason: string }>`select revoked_reason from sessions where id = ${person.sessionId}`,
    );
    expect(row?.revoked_reason).toBe('refresh_reused');
  });

  it('F2: reuse ends one session, not the others of the account', async () => {
    const [stolen, other] = [await signIn(app), await signIn(app)];
    const sibling = await signIn(app, stolen.email);
    const head = (await redeem((await redeem(refreshTokenOf(stolen))).body['refresh_token'])).body[
      'refresh_token'
    ];
    expect(head).toEqual(expect.any(String));
    await passGrace(app, stolen.sessionId);
    expect(verdictOf(await redeem(refreshTokenOf(stolen)))).toBe('401 refresh_reused');
    for (const { client } of [other, sibling]) expect((await client.get('/users/me')).status).toBe(200);
    expect((await redeem(refreshTokenOf(sibling))).status).toBe(200);
  });

  it('F3: thirty redemptions at once give one successor', async () => {
    const person = await signIn(app);
    const token = refreshTokenOf(person);
    const replies = await Promise.all(Array.from({ length: 30 }, () => redeem(token)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ body }) => body['refresh_token'])).size).toBe(1);
    const rows = await app.query(sql`select 1 from refresh_tokens where session_id = ${person.sessionId}`);
    expect(rows).toHaveLength(2);
    expect(await heads(person.sessionId)).toHaveLength(1);
    const accesses = replies.map(({ body }) => useAccess(body['access_token']));
    for (const reply of await Promise.all(accesses)) expect(reply.status).toBe(200);
  });

  it('F3: whatever order parents and children are redeemed in at once, one head is left', async () => {
    const person = await signIn(app);
    const lineage = [refreshTokenOf(person)];
    for (let step = 0; step < 4; step += 1)
      lineage.push((await redeem(String(lineage.at(-1)))).body['refresh_token']);
    const replies = await Promise.all([...lineage, ...lineage.toReversed()].map(redeem));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('F4: after the grace time the predecessor of a head that was never used gets a replacement', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const lost = (await redeem(first)).body['refresh_token'];
    await passGrace(app, person.sessionId);
    const reply = await redeem(first);
    expect(reply.status).toBe(200);
    const replacement = reply.body['refresh_token'];
    expect(replacement).not.toBe(lost);
    expect(await heads(person.sessionId)).toHaveLength(1);
    // A lost answer can be lost again, soon or late.
    expect((await redeem(first)).body['refresh_token']).toBe(replacement);
    await passGrace(app, person.sessionId);
    const second = (await redeem(first)).body['refresh_token'];
    expect([lost, replacement, first]).not.toContain(second);
    const successor = await redeem(second);
    expect(successor.status).toBe(200);
    expect((await useAccess(successor.body['access_token'])).status).toBe(200);
  });

  it('F2, F4: presenting the head that was replaced is reuse, at once', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const lost = (await redeem(first)).body['refresh_token'];
    await passGrace(app, person.sessionId);
    const replacement = (await redeem(first)).body;
    expect(verdictOf(await redeem(lost))).toBe('401 refresh_reused');
    await expectDead({ access: replacement['access_token'], refresh: replacement['refresh_token'] });
  });

  it('F2, F4: once the replacement was used, the first token is reuse', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    await redeem(first);
    await passGrace(app, person.sessionId);
    const head = (await redeem((await redeem(first)).body['refresh_token'])).body;
    await passGrace(app, person.sessionId);
    expect(verdictOf(await redeem(first))).toBe('401 refresh_reused');
    await expectDead({ access: head['access_token'], refresh: head['refresh_token'] });
  });

  it('refreshes in cookies what came in cookies, and shows no token in a body', async () => {
    const email = await signUp(app);
    const login = await app.client.post('/login', { email, password: PASSWORD, transport: 'cookie' });
    expect(Object.keys(login.body).toSorted()).toEqual(['email', 'session', 'success']);
    const first = cookieValue(login, 'refresh_token');
    const reply = await app.client.post('/refresh', undefined, { cookie: `refresh_token=${first}` });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({});
    const [access, refresh] = [cookieValue(reply, 'access_token'), cookieValue(reply, 'refresh_token')];
    expect(refresh).toMatch(/^trf_rt_/);
    expect(refresh).not.toBe(first);
    for (const cookie of reply.setCookies) {
      expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
      expect(Number(/Max-Age=(\d+)/.exec(cookie)?.[1])).toBeGreaterThan(29 * 86_400);
      expect(cookie).not.toMatch(/Domain/i);
    }
    expect((await app.client.get('/users/me', { cookie: `access_token=${access}` })).status).toBe(200);
    // An access token opens wherever it was issued to.
    expect((await useAccess(access)).status).toBe(200);
  });

  it('F7: is revoked by the sign-out', async () => {
    const person = await signIn(app);
    expect((await person.client.post('/logout')).status).toBe(200);
    await expectDead({ access: accessTokenOf(person), refresh: refreshTokenOf(person) });
  });

  it('F7: signs its session out by itself', async () => {
    const person = await signIn(app);
    await app.client.post('/logout', { refresh_token: refreshTokenOf(person) });
    await expectDead({ access: accessTokenOf(person), refresh: refreshTokenOf(person) });
  });

  it.each([
    ['absolute', sql`created_at = now() - interval '31 days', expires_at = now() - interval '1 second'`],
    ['idle', sql`last_used_at = now() - interval '15 days'`],
  ])('F5: is refused as expired past the %s limit of the session', async (_limit, change) => {
    const person = await signIn(app);
    await app.query(sql`update sessions set ${change} where id = ${person.sessionId}`);
    const reply = await redeem(refreshTokenOf(person));
    expect(verdictOf(reply)).toBe('401 refresh_expired');
    expect(reply.body).toMatchObject({ action: 'login' });
    expect(verdictOf(await person.client.get('/users/me'))).toBe('401 credential_expired');
  });

  it('F5: using it keeps the session from idling out, and cannot move its absolute end', async () => {
    const person = await signIn(app);
    await app.query(
      sql`update sessions set created_at = now() - interval '29 days', expires_at = now() + interval '90 seconds',
            last_used_at = now() - interval '13 days' where id = ${person.sessionId}`,
    );
    const reply = await redeem(refreshTokenOf(person));
    expect(reply.status).toBe(200);
    // An access token never outlives its session.
    expect(reply.body['expires_in']).toBeLessThanOrEqual(90);
    expect(reply.body['expires_in']).toBeGreaterThan(60);
    const [row] = await app.query(
      sql<{ idle: string; left: string }>`select extract(epoch from now() - last_used_at) as idle,
        extract(epoch from expires_at - now()) as left from sessions where id = ${person.sessionId}`,
    );
    expect(Number(row?.idle)).toBeLessThan(30);
    expect(Number(row?.left)).toBeLessThanOrEqual(90);
  });

  it('is refused as invalid when it is none of ours or malformed', async () => {
    const values = ['', 'nonsense', 'trf_rt_', `trf_rt_${'A'.repeat(43)}`, `trf_rt_${'A'.repeat(42)}`];
    const stray = [
      `${createToken('trf_rt_')}=`,
      `${createToken('trf_rt_')} `,
      "trf_rt_' or true --",
      '\u0000',
    ];
    for (const value of [...values, ...stray])
      expect(verdictOf(await redeem(value))).toBe('401 refresh_invalid');
    expect(verdictOf(await app.client.post('/refresh'))).toBe('401 refresh_invalid');
    expect(verdictOf(await app.client.post('/refresh', {}))).toBe('401 refresh_invalid');
    for (const value of [null, 7, true, [], {}, 'x'.repeat(8193)]) {
      expect(verdictOf(await app.client.post('/refresh', { refresh_token: value }))).toBe(
        '400 validation_failed',
      );
    }
    expect(errorsIn(app)).toEqual([]);
  });
});

describe('signing keys', () => {
  it('J15: the key set has public members only, and says how long it may be cached', async () => {
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
  ])('J3, J14: does not start with %s in the database', async (_what, makeKey) => {
    const app = await startApp();
    try {
      const key = makeKey();
      await storeKey(app, key);
      const failure = await startApp({ sibling: app }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UnfitSigningKey);
      expect((failure as Error).message).toContain(
        `${key.kid} in the database is not fit for ${key.algorithm}`,
      );
    } finally {
      await app.close();
    }
  });

  it('starts only with secrets that fit, says so clearly, and takes the old one at the end of the list', async () => {
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
      expect(message).toMatch(/^AUTH_SECRETS: none of the secrets opens .*add .* to the end of the list$/);
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

  it('two applications that start on one empty database share one key', async () => {
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

  it('a token under a key that another node just made opens, for all who come at once, and the key is announced', async () => {
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

describe('JWT_ALGORITHM changed again and again on one database', () => {
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

  it('J14: each algorithm signs and verifies, and tokens of former keys stay valid', async () => {
    expect(Object.keys(issued)).toEqual(['ES256', 'PS256', 'RS256']);
    for (const [algorithm, token] of Object.entries(issued)) {
      expect(decodeToken(token).header['alg']).toBe(algorithm);
    }
    await expectAccepted(app, issued);
  });

  it('J14, J15: announces each key once, with its one algorithm; RSA has 3072 bits', async () => {
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

  it('J3, incident 7: a key verifies its own algorithm only, for every pair of keys and algorithms', async () => {
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

  it('J13: refuses RSA signatures of 0, 1, n-1 and n, cut, longer and beyond n', async () => {
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

const VERIFY = join(import.meta.dirname, 'support', 'verify_token.py');
/** Debian's python has Debian's PyJWT; another one may come first on the PATH. */
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import jwt, cryptography']).status === 0,
);
const hasPyJwt = python !== undefined;
// Where everything is required, a skipped test would look like a kept promise.
const mustRun = process.env['TEST_TOOLS'] === 'required';
if (!hasPyJwt) {
  process.stderr.write(
    `\nWARNING: ${mustRun ? 'failing' : 'SKIPPING'} the interoperability test: no python3 here can import jwt and cryptography (on Debian: apt-get install python3-jwt python3-cryptography)\n\n`,
  );
}
const interop = hasPyJwt || mustRun ? describe : describe.skip;

interop.each(SIGNING_ALGORITHMS)('PyJWT verifies through the key set, over a socket, %s', (algorithm) => {
  let app: TestApp;
  let origin: string;
  let token: string;
  beforeAll(async () => {
    app = await startApp({
      env: { AUTH_STRATEGY: 'jwt', JWT_ALGORITHM: algorithm, AUTH_AUDIENCE: 'https://api.example.com' },
    });
    origin = await app.listen();
    token = accessTokenOf(await signIn(app));
  });
  afterAll(() => app.close());

  /** What a service in Python makes of a token. */
  async function verify(
    candidate: string,
    { issuer = 'http://localhost:8000', audience = 'https://api.example.com' } = {},
  ): Promise<unknown> {
    if (python === undefined)
      throw new Error('TEST_TOOLS=required needs python3 with PyJWT and cryptography');
    const args = [VERIFY, `${origin}/.well-known/jwks.json`, issuer, audience, algorithm];
    const output = await new Promise<string>((resolve, reject) => {
      const child = execFile(python, args, { timeout: 20_000 }, (error, stdout, stderr) =>
        error && error.code !== 1 ? reject(error) : resolve(stdout.trim() || stderr),
      );
      child.stdin?.end(candidate);
    });
    return output.startsWith('{') ? JSON.parse(output) : output;
  }

  it('takes our token and reads our claims', async () => {
    expect(await verify(token)).toEqual(decodeToken(token).claims);
  });

  it('J7, J13: refuses it for another issuer or audience, and a changed one', async () => {
    expect(await verify(token, { issuer: 'https://evil.example' })).toBe('InvalidIssuerError');
    expect(await verify(token, { audience: 'https://other.example' })).toBe('InvalidAudienceError');
    const [header, , signature] = token.split('.');
    const changed = encode({ ...decodeToken(token).claims, sub: uuidv7() });
    expect(await verify(`${header}.${changed}.${signature}`)).toBe('InvalidSignatureError');
  });
});
