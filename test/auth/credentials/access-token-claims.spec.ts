import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { startApp, type TestApp } from '../../support/app.js';
import { decodeToken, newKey, resign, signingKey, type TestKey } from '../../support/jwt.js';
import { accessTokenOf, signIn, type SignedIn, signUp } from '../../support/strategies.js';
import {
  all,
  errorsIn,
  expectAccepted,
  expectRefused,
  refreshTokenOf,
  type Named,
  until,
  verdictsOf,
} from '../../support/access-tokens.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe.each(['jwt', 'jwt,session'])('access token with AUTH_STRATEGY=%s', (strategy) => {
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

  it('has the claims of RFC 9068 and no personal data [J9]', async () => {
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

  it('is refused with missing, malformed, expired or future times [J6]', async () => {
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

  it('that expired with a bad signature counts for nothing, not even sign-out [J6]', async () => {
    const past = { exp: Math.floor(Date.now() / 1000) - 60 };
    const forged = resign(good, newKey('ES256'), { header: { kid: key.kid }, claims: past });
    await expectRefused(app, { forged });
    expect((await app.client.post('/logout', undefined, { authorization: `Bearer ${forged}` })).status).toBe(
      200,
    );
    await expectAccepted(app, { good });
  });

  it('needs exactly our iss [J7, incident 10, incident 28]', async () => {
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

  it('needs our aud, among strings only [J7]', async () => {
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

  it('needs typ at+jwt [J8]', async () => {
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

  it('is refused if its claims do not name a live session and its own user [J9]', async () => {
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

  it('dies with its account; a new account with the address is another user [J9]', async () => {
    const before = await signIn(app);
    const oldSub = decodeToken(accessTokenOf(before)).claims['sub'];
    await app.query(sql`delete from users where id = ${String(oldSub)}`);
    await expectRefused(app, { 'of a deleted account': accessTokenOf(before) });
    await signUp(app, before.email);
    const after = await signIn(app, before.email);
    expect(decodeToken(accessTokenOf(after)).claims['sub']).not.toBe(oldSub);
    await expectRefused(app, { 'of the former account': accessTokenOf(before) });
  });
});

describe('access token with other settings', () => {
  it('expires after ACCESS_TOKEN_TTL, and its refresh token continues', async () => {
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
