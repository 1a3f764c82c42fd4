import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { Purger } from '../../../src/platform/retention/purger.service.js';
import { startApp, type TestApp } from '../../support/app.js';
import { cookieValue } from '../../support/client.js';
import { signIn } from '../../support/strategies.js';
import { type CreationOptions, type RequestOptions, SoftwareAuthenticator } from '../../support/webauthn.js';
import {
  addRecoveryCodes,
  codeOfNow,
  enrolled,
  mfaToken,
  signedInBy,
  wrongCode,
} from '../../support/totp.js';
import { addPasskeyRow, answerOf, beginSignIn, idOf } from '../../support/second-factors.js';
import { given } from '../../support/given.js';

describe('second factors', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
  });
  afterAll(() => app.close());
  afterEach(() => void jest.restoreAllMocks());

  /** Presents the second factor for a sign-in whose password was right. */
  const present = async (email: string, factor: object) =>
    app.client.post('/mfa', { mfa_token: await beginSignIn(app, email), ...factor });

  describe('second-factor guesses', () => {
    it('allow five attempts per token, also concurrently [T7]', async () => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email);
      const code = await wrongCode(app, secret);
      const replies = await Promise.all(
        Array.from({ length: 12 }, () => app.client.post('/mfa', { mfa_token, code })),
      );
      const codes = replies.map(({ body }) => body['code'] as string).toSorted();
      expect(codes).toEqual([...Array(5).fill('mfa_failed'), ...Array(7).fill('mfa_token_invalid')]);
      const right = await app.client.post('/mfa', { mfa_token, code: await codeOfNow(app, secret) });
      expect(answerOf(right)).toEqual([401, 'mfa_token_invalid']);
    });

    it('that are wrong leave the token valid for the right one', async () => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email);
      expect(
        answerOf(await app.client.post('/mfa', { mfa_token, code: await wrongCode(app, secret) })),
      ).toEqual([401, 'mfa_failed']);
      expect(answerOf(await app.client.post('/mfa', { mfa_token, recovery_code: 'nonsense' }))).toEqual([
        401,
        'mfa_failed',
      ]);
      const reply = await app.client.post('/mfa', { mfa_token, code: await codeOfNow(app, secret) });
      expect(reply.status).toBe(200);
    });

    it('are counted over all sign-ins, up to a lock that affects neither sessions nor other factors [T4, L3, L4]', async () => {
      const person = await enrolled(app);
      const [recovery_code] = await addRecoveryCodes(person.client);
      const code = await wrongCode(app, person.secret);
      for (let wrong = 0; wrong < 12; wrong += 1) {
        const mfa_token = await mfaToken(app, person.email);
        await app.client.post('/mfa', { mfa_token, code });
      }
      // The right code is now as wrong as any: none is evaluated.
      const locked = await present(person.email, { code: await codeOfNow(app, person.secret) });
      expect(answerOf(locked)).toEqual([401, 'mfa_failed']);
      expect(
        app.logs.filter(({ event, reason }) => event === 'mfa_failed' && reason === 'locked'),
      ).not.toEqual([]);
      // One from the app that waits to be confirmed is a guess like the others.
      const { secret } = (await person.client.post('/totp')).body;
      expect(
        answerOf(await person.client.post('/totp/confirm', { code: await codeOfNow(app, secret) })),
      ).toEqual([400, 'totp_code_wrong']);
      expect((await person.client.get('/users/me')).status).toBe(200);
      expect((await present(person.email, { recovery_code })).status).toBe(200);
      // A success with another factor is none of this one.
      expect(answerOf(await present(person.email, { code: await codeOfNow(app, person.secret) }))).toEqual([
        401,
        'mfa_failed',
      ]);
    });

    it('of both factors are reset by a success [L3]', async () => {
      const person = await enrolled(app);
      await app.client.post('/login', { email: person.email, password: 'not the password at all' });
      await present(person.email, { code: await wrongCode(app, person.secret) });
      const counted = async () =>
        app.query(
          sql`select distinct authenticator from guess_counters where subject = ${createHash('sha256').update(person.email).digest()} and failures > 0 order by 1`,
        );
      expect(await counted()).toEqual([{ authenticator: 'password' }, { authenticator: 'totp' }]);
      expect((await present(person.email, { code: await codeOfNow(app, person.secret) })).status).toBe(200);
      expect(await counted()).toEqual([]);
    });
  });

  describe('mfa_token', () => {
    it.each([
      ['ran out', (id: string) => sql`update mfa_challenges set expires_at = now() where user_id = ${id}`],
      [
        'belongs to an account that was disabled',
        (id: string) => sql`update users set disabled_at = now() where id = ${id}`,
      ],
      [
        'was given for a password that was changed',
        (id: string) => sql`update users set password_hash = 'other' where id = ${id}`,
      ],
      [
        'was given for a password that counts as known by now',
        (id: string) => sql`update users set password_compromised_at = now() where id = ${id}`,
      ],
    ])('is refused once it %s', async (_what, change) => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email);
      const code = await codeOfNow(app, secret);
      await app.query(change(await idOf(app, email)));
      const reply = await app.client.post('/mfa', { mfa_token, code });
      expect(answerOf(reply)).toEqual([401, 'mfa_token_invalid']);
      expect([reply.body['action'], reply.setCookies]).toEqual(['login', []]);
    });

    it("is refused where addresses must be verified and the owner's is not", async () => {
      const { email, secret } = await enrolled(app);
      const strict = await startApp({
        env: { AUTH_STRATEGY: 'jwt,session', AUTH_REQUIRE_VERIFIED_EMAIL: 'true' },
        sibling: app,
      });
      const body = { mfa_token: await mfaToken(app, email), code: await codeOfNow(app, secret) };
      expect(answerOf(await strict.client.post('/mfa', body))).toEqual([401, 'mfa_token_invalid']);
      await given.verifiedEmail(app, email);
      expect((await strict.client.post('/mfa', body)).status).toBe(200);
      await strict.close();
    });

    it('has 32 random bytes, is stored as SHA-256 and purged after its expiry', async () => {
      const { email } = await enrolled(app);
      const token = await mfaToken(app, email);
      expect(token).toMatch(/^trf_mt_[\w-]{43}$/);
      const hash = createHash('sha256').update(token).digest();
      const rows = () => app.query(sql`select 1 from mfa_challenges where token_hash = ${hash}`);
      expect(await rows()).toHaveLength(1);
      expect(app.logText()).not.toContain(token);
      await app.query(sql`update mfa_challenges set expires_at = now() - interval '1 second'`);
      expect(answerOf(await app.client.post('/mfa', { mfa_token: token, code: '123456' }))).toEqual([
        401,
        'mfa_token_invalid',
      ]);
      await app.running.app.get(Purger, { strict: false }).purge();
      expect(await rows()).toHaveLength(0);
    });

    it('that is unknown is refused, and so is a request without factor or with two, which names them', async () => {
      const unknown = await app.client.post('/mfa', { mfa_token: 'trf_mt_nothing', code: '123456' });
      expect(answerOf(unknown)).toEqual([401, 'mfa_token_invalid']);
      const mistakes = async (body: object) => {
        const reply = await app.client.post('/mfa', { mfa_token: 'trf_mt_nothing', ...body });
        expect(answerOf(reply)).toEqual([400, 'validation_failed']);
        return reply.body['errors'].map(({ path }: { path: string }) => path);
      };
      expect(await mistakes({})).toEqual(['code', 'recovery_code', 'credential']);
      expect(await mistakes({ code: '123456', recovery_code: 'x' })).toEqual(['recovery_code']);
      expect(await mistakes({ code: '12345' })).toEqual(['code']);
      expect(await mistakes({ code: 123456 })).toEqual(['code']);
      expect(await mistakes({ code: '123456', user_id: 'x' })).toEqual(['user_id']);
      expect(await mistakes({ mfa_token: ['x'], code: '123456' })).toEqual(['mfa_token']);
    });

    it('keeps the transport of the sign-in: tokens in cookies stay out of the body', async () => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email, { transport: 'cookie' });
      const reply = await app.client.post('/mfa', { mfa_token, code: await codeOfNow(app, secret) });
      expect(Object.keys(reply.body)).toEqual(['success', 'email', 'session']);
      const cookie = `access_token=${cookieValue(reply, 'access_token')}`;
      expect((await app.client.get('/users/me', { cookie })).status).toBe(200);
      expect(cookieValue(reply, 'refresh_token')).toMatch(/^trf_rt_/);
    });
  });

  it('a passkey completes a sign-in with its own challenge only [W12]', async () => {
    const { client, email } = await signIn(app);
    const created = await client.post('/passkeys/registration/options');
    const origin = 'http://localhost:8000';
    const { authenticator, credential } = SoftwareAuthenticator.create(
      origin,
      created.body as CreationOptions,
    );
    expect((await client.post('/passkeys/registration/verify', { credential })).status).toBe(201);
    const answer = async (mfa_token: string) => {
      const { body } = await app.client.post('/passkeys/authentication/options', { mfa_token });
      return authenticator.get(body as RequestOptions, { flags: { uv: false } });
    };
    const [first, second] = [await mfaToken(app, email), await mfaToken(app, email)];
    const assertion = await answer(first);
    const complete = (mfa_token: string) => app.client.post('/mfa', { mfa_token, credential: assertion });
    expect(answerOf(await complete(second))).toEqual([401, 'mfa_failed']);
    const reply = await app.client.post('/mfa', { mfa_token: second, credential: await answer(second) });
    const { sessionId } = signedInBy(app, email, reply);
    const [row] = await app.query(sql`select methods from sessions where id = ${sessionId}`);
    expect(row).toEqual({ methods: ['pwd', 'pop', 'user', 'mfa'] });
    expect(answerOf(await complete(second))).toEqual([401, 'mfa_token_invalid']);
  });

  describe('recovery codes', () => {
    it('are ten of 125 bits, stored as SHA-256 [T6]', async () => {
      const { client } = await enrolled(app);
      const codes = await addRecoveryCodes(client);
      expect(new Set(codes).size).toBe(10);
      for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){4}$/);
      const hashes = codes.map((code) => createHash('sha256').update(code.replaceAll('-', '')).digest('hex'));
      const rows = await app.query(
        sql<{ hash: string }>`select encode(code_hash, 'hex') as hash from recovery_codes`,
      );
      expect(rows.map(({ hash }) => hash)).toEqual(expect.arrayContaining(hashes));
      expect(app.logText()).not.toContain(codes[0]);
    });

    it('accept either case, other separators, O for 0 and I or L for 1', async () => {
      const { client, email } = await enrolled(app);
      const [code = ''] = await addRecoveryCodes(client);
      const typed = code
        .toLowerCase()
        .replaceAll('-', ' \u2013 ')
        .replaceAll('0', 'o')
        .replace('1', 'l')
        .replaceAll('1', 'I');
      expect((await present(email, { recovery_code: ` ${typed}\n` })).status).toBe(200);
      expect(answerOf(await present(email, { recovery_code: code }))).toEqual([401, 'mfa_failed']);
    });

    it('that are new invalidate all earlier ones, and work for their owner only [T6]', async () => {
      const [person, other] = [await enrolled(app), await enrolled(app)];
      const [early] = await addRecoveryCodes(person.client);
      const [late] = await addRecoveryCodes(person.client);
      await addRecoveryCodes(other.client);
      expect(answerOf(await present(person.email, { recovery_code: early }))).toEqual([401, 'mfa_failed']);
      expect(answerOf(await present(other.email, { recovery_code: late }))).toEqual([401, 'mfa_failed']);
      expect((await present(person.email, { recovery_code: late })).status).toBe(200);
    });

    it('require a second factor that they can replace', async () => {
      const { client, email, sessionId } = await signIn(app);
      expect(answerOf(await client.post('/recovery-codes'))).toEqual([409, 'no_second_factor']);
      await client.post('/totp');
      expect(answerOf(await client.post('/recovery-codes'))).toEqual([409, 'no_second_factor']);
      await addPasskeyRow(app, email);
      await given.sessionWithMethods(app, sessionId, ['pwd', 'mfa']);
      expect(await addRecoveryCodes(client)).toHaveLength(10);
    });
  });

  it('factors can only be changed within STEP_UP_TTL after re-authentication [S8, T5]', async () => {
    const { client, sessionId } = await enrolled(app);
    await given.staleSession(app, sessionId, '11 minutes');
    await app.query(
      sql`insert into revocations (kind, user_id, expires_at) select 'credential', user_id, now() + interval '1 hour' from sessions where id = ${sessionId}`,
    );
    for (const [method, url] of [
      ['POST', '/totp'],
      ['POST', '/totp/confirm'],
      ['DELETE', '/totp'],
      ['POST', '/recovery-codes'],
    ] as const) {
      const reply = await client.send(
        method,
        url,
        method === 'POST' && url.endsWith('m') ? { code: '123456' } : undefined,
      );
      expect({ url, answer: answerOf(reply) }).toEqual({ url, answer: [401, 'step_up_required'] });
    }
  });
});
