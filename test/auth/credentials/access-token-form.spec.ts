import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { startApp, type TestApp } from '../../support/app.js';
import {
  decodeToken,
  encode,
  otherSpellings,
  resign,
  signingKey,
  signParts,
  type TestKey,
} from '../../support/jwt.js';
import { accessTokenOf, signIn, type SignedIn } from '../../support/strategies.js';
import {
  all,
  errorsIn,
  expectAccepted,
  expectRefused,
  refreshTokenOf,
  verdictOf,
  verdictsOf,
} from '../../support/access-tokens.js';

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
  const withClaims = (claims: Record<string, unknown>) => resign(good, key, { claims });

  it('with duplicate names uses the last one in every parser [J11]', async () => {
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

  it('is accepted in compact form only [J12]', async () => {
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

  it('is accepted in unpadded base64url only [J12]', async () => {
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

  it('is accepted in the canonical encoding of its bytes only [J12]', async () => {
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

  it('needs a header and claims that are JSON objects in UTF-8 [J12]', async () => {
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

  it('missing: the challenge has no error [B1]', async () => {
    for (const headers of [{}, { authorization: 'Basic dGVzdDp0ZXN0' }, { cookie: 'unrelated=1' }]) {
      const reply = await app.client.get('/users/me', headers as Record<string, string>);
      expect(verdictOf(reply)).toBe('401 authentication_required');
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="traffy"');
    }
  });

  it('bad, expired or revoked is invalid_token [B2]', async () => {
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

  it('has a case-insensitive scheme, and is not read from query or body [B3]', async () => {
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

  it('replies and refusals are no-store [B3]', async () => {
    const replies = [
      person.reply,
      await app.client.post('/refresh', { refresh_token: refreshTokenOf(await signIn(app)) }),
      await app.client.post('/refresh', { refresh_token: 'nonsense' }),
      await app.client.get('/users/me'),
      await person.client.get('/users/me'),
    ];
    expect(replies.map(({ headers }) => headers['cache-control'])).toEqual(replies.map(() => 'no-store'));
  });

  it('never appears in the log [O2]', () => {
    const text = app.logText();
    expect(text.length).toBeGreaterThan(10_000);
    expect(text).not.toContain(good);
    expect(text).not.toContain(String(good.split('.')[2]));
    expect(text).not.toContain(refreshTokenOf(person));
  });
});
