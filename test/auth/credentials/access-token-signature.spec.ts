import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { startApp, type TestApp } from '../../support/app.js';
import {
  accessClaims,
  decodeToken,
  encode,
  issueToken,
  newKey,
  resign,
  signatureBytes,
  signingKey,
  signParts,
  type TestKey,
  withSignature,
  withSignatureBytes,
} from '../../support/jwt.js';
import { accessTokenOf, signIn, type SignedIn } from '../../support/strategies.js';
import { errorsIn, expectAccepted, expectRefused, type Named } from '../../support/access-tokens.js';

/** The order of the group of P-256. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

describe.each(['jwt', 'jwt,session'])('access token with AUTH_STRATEGY=%s', (strategy) => {
  let app: TestApp;
  let key: TestKey;
  let person: SignedIn;
  let good: string;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    key = await signingKey(app);
    person = await signIn(app);
    good = accessTokenOf(person);
  });
  afterAll(() => app.close());

  const withHeader = (header: Record<string, unknown>) => resign(good, key, { header });

  it('works in either transport, and so does one signed again with the stored key', async () => {
    await expectAccepted(app, { issued: good, 'signed again': resign(good, key, {}) });
  });

  it('is refused with any algorithm but that of its key [J1]', async () => {
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

  it('is refused with an HMAC under any encoding of the public key [J2, incident 7, incident 9]', async () => {
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

  it('is verified with our key of its kid, whatever else it contains [J3, incident 8]', async () => {
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

  it('never makes us follow jku or x5u, or use jwk or x5c [J4]', async () => {
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

  it('with a hostile kid is refused without access to database, files or prototypes [J5]', async () => {
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

  it('with a kid of a megabyte is refused, and stopped by the header limit [J5]', async () => {
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

  it('with any critical extension is refused [J10, incident 9]', async () => {
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

  it('with r or s of 0, 1, n-1, n or more is refused [J13, incident 11]', async () => {
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

  it('with a truncated, longer, DER or foreign signature is refused [J13]', async () => {
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

  it('of forty users, a thousand at a concurrency of a hundred, never swaps users [incident 9]', async () => {
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
});
