import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../support/app.js';
import { cookieValue, type Reply } from '../support/client.js';
import { Holder } from '../support/holder.js';
import { PASSWORD } from '../support/strategies.js';
import { addTotp, codeOfNow, forgetSteps, wrongCode } from '../support/totp.js';
import { SoftwareAuthenticator } from '../support/webauthn.js';
import { eventsOf, call, changePassword, countOf, makeStale, reauthenticate } from '../support/account.js';
import { given } from '../support/given.js';

const OTHER = 'another long passphrase';

describe('the account', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
  });
  afterAll(() => app.close());

  const idOf = async (holder: Holder) => (await holder.open(app)).body['id'] as string;

  describe('re-authentication', () => {
    it('with a wrong password is a 403 that keeps the session and does not count as step-up [S8]', async () => {
      const holder = await Holder.signIn(app);
      const stranger = await Holder.signIn(app);
      await changePassword(app, stranger, PASSWORD, OTHER);
      await makeStale(app, holder.sessionId);
      // incident 21: also with one that is right for somebody else.
      for (const password of [' ', `${PASSWORD} `, OTHER]) {
        const reply = await reauthenticate(app, holder, { password });
        expect({ status: reply.status, cookies: reply.setCookies, code: reply.body['code'] }).toEqual({
          status: 403,
          cookies: [],
          code: 'reauthentication_failed',
        });
      }
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
      expect(await eventsOf(app, await idOf(holder))).toContainEqual({
        kind: 'reauthentication_failed',
        session_id: holder.sessionId,
        details: { reason: 'wrong' },
      });
    });

    it('refuses a body without any proof', async () => {
      const holder = await Holder.signIn(app);
      for (const body of [{}, undefined, { password: 1 }, { password: null }, { password: [PASSWORD] }]) {
        const reply = await call(app, holder, 'POST', '/reauthenticate', body);
        expect({ body, code: reply.body['code'] }).toEqual({ body, code: 'validation_failed' });
      }
      const reply = await reauthenticate(app, holder, { code: '123456' });
      expect(reply.body['code']).toBe('reauthentication_failed');
    });

    it('shares the guess counters of sign-in [L3]', async () => {
      const holder = await Holder.signIn(app);
      await makeStale(app, holder.sessionId);
      const guesses = async () => {
        const [row] = await app.query(
          sql<{ n: number }>`select coalesce(max(failures), 0)::int as n from guess_counters
            where authenticator = 'password' and subject = sha256(convert_to(${holder.email}, 'UTF8'))`,
        );
        return row?.n;
      };
      await reauthenticate(app, holder, { password: 'wrong' });
      await changePassword(app, holder, 'wrong', OTHER);
      expect(await guesses()).toBe(2);
      // Right, but nothing came of it: no guess, and no success either.
      await changePassword(app, holder, PASSWORD, 'short');
      expect(await guesses()).toBe(2);
      expect((await reauthenticate(app, holder)).status).toBe(204);
      expect(await guesses()).toBe(0);
      // What the limit does not admit is refused, though it is right.
      for (let guess = 0; guess < 12; guess += 1) await reauthenticate(app, holder, { password: 'wrong' });
      expect((await reauthenticate(app, holder)).body['code']).toBe('reauthentication_failed');
      expect((await changePassword(app, holder, PASSWORD, OTHER)).body['code']).toBe(
        'current_password_wrong',
      );
      expect((await holder.open(app)).status).toBe(200);
    });

    it('never revives an ended session', async () => {
      const holder = await Holder.signIn(app);
      for (const change of [
        sql`update sessions set expires_at = created_at + interval '1 microsecond' where id = ${holder.sessionId}`,
        sql`update sessions set revoked_at = now(), revoked_reason = 'logout' where id = ${holder.sessionId}`,
      ]) {
        await app.query(change);
        expect((await reauthenticate(app, holder)).status).toBe(401);
        expect((await holder.open(app)).status).toBe(401);
      }
    });

    it('of two concurrent requests with one cookie, the first wins and the second cookie is dead [S2, S3]', async () => {
      const holder = await Holder.signIn(app);
      const replies = await Promise.all([1, 2].map(() => reauthenticate(app, holder.copy())));
      expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 401]);
      const won = replies.find(({ status }) => status === 204) as Reply;
      const [row] = await app.query(
        sql<{
          good: boolean;
        }>`select secret_hash = sha256(convert_to(${cookieValue(won, 'session')}, 'UTF8')) as good
          from sessions where id = ${holder.sessionId}`,
      );
      expect(row).toEqual({ good: true });
    });

    it('with a compromised password allows a password change only', async () => {
      const holder = await Holder.signIn(app);
      await given.compromisedPassword(app, holder.email);
      const reply = await reauthenticate(app, holder);
      expect(reply.body).toMatchObject({ code: 'reauthentication_failed', detail: /POST \/password/ });
      expect((await changePassword(app, holder, PASSWORD, OTHER)).status).toBe(204);
      expect((await reauthenticate(app, holder, { password: OTHER })).status).toBe(204);
    });
  });

  describe('with a second factor', () => {
    let holder: Holder;
    let secret: string;
    /** The code of now, as if none had been used. */
    const freshCode = async () => {
      await forgetSteps(app);
      return codeOfNow(app, secret);
    };
    beforeAll(async () => {
      holder = await Holder.signIn(app);
      secret = await addTotp(app, app.client.with(holder.headers));
    });

    it('the password alone is not enough for step-up [incident 25]', async () => {
      await makeStale(app, holder.sessionId);
      for (const body of [{ password: PASSWORD }, { code: await freshCode() }]) {
        const reply = await reauthenticate(app, holder, body);
        expect({ status: reply.status, ...reply.body }).toMatchObject({
          status: 403,
          code: 'factor_required',
          factors: ['totp'],
        });
      }
      for (const body of [
        { password: PASSWORD, code: await wrongCode(app, secret) },
        { password: 'wrong', code: await freshCode() },
        { password: PASSWORD, recovery_code: '7K2QX-0M4TB-VR9HD-3WN5E-YC8JZ' },
      ]) {
        const reply = await reauthenticate(app, holder, body);
        expect(reply.body['code']).toBe('reauthentication_failed');
      }
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
    });

    it('password and code are enough, once, and the session records the methods [incident 16]', async () => {
      await makeStale(app, holder.sessionId);
      const code = await freshCode();
      expect((await reauthenticate(app, holder, { password: PASSWORD, code })).status).toBe(204);
      const [session] = await app.query(sql`select methods from sessions where id = ${holder.sessionId}`);
      expect(session).toEqual({ methods: ['pwd', 'otp', 'mfa'] });
      const again = await reauthenticate(app, holder, { password: PASSWORD, code });
      expect(again.body['code']).toBe('reauthentication_failed');
    });

    it('the password is not enough to change it in a session that never used the factor [incident 25]', async () => {
      const changing = await Holder.signIn(app);
      const other = await Holder.signIn(app, changing.email);
      const seed = await addTotp(app, app.client.with(changing.headers));
      for (const current of [PASSWORD, 'a wrong passphrase of some length']) {
        const reply = await changePassword(app, other, current, OTHER);
        expect({ status: reply.status, ...reply.body }).toMatchObject({
          status: 401,
          code: 'step_up_required',
          action: 'step_up',
        });
      }
      expect((await call(app, changing, 'GET', '/users/me')).status).toBe(200);
      await makeStale(app, changing.sessionId);
      expect((await changePassword(app, changing, PASSWORD, OTHER)).body['code']).toBe('step_up_required');
      const code = await codeOfNow(app, seed);
      expect((await reauthenticate(app, other, { password: PASSWORD, code })).status).toBe(204);
      expect((await changePassword(app, other, PASSWORD, OTHER)).status).toBe(204);
    });

    it('password and recovery code are enough, once [T6]', async () => {
      const { codes } = (await call(app, holder, 'POST', '/recovery-codes')).body;
      const body = { password: PASSWORD, recovery_code: codes[0] };
      expect((await reauthenticate(app, holder, body)).status).toBe(204);
      expect((await reauthenticate(app, holder, body)).body['code']).toBe('reauthentication_failed');
      expect(await countOf(app, 'recovery_codes', holder.email)).toBe(9);
    });
  });

  describe('with a passkey', () => {
    const begin = async (asked: Holder) =>
      (await call(app, asked, 'POST', '/passkeys/authentication/options', { purpose: 'reauthentication' }))
        .body as { challenge: string; rpId: string };
    /** Somebody with a passkey and a session that is stale. */
    const enrol = async () => {
      const holder = await Holder.signIn(app);
      const options = (await call(app, holder, 'POST', '/passkeys/registration/options')).body as never;
      const made = SoftwareAuthenticator.create(app.config.app.PUBLIC_URL, options);
      await call(app, holder, 'POST', '/passkeys/registration/verify', { credential: made.credential });
      await makeStale(app, holder.sessionId);
      return { holder, authenticator: made.authenticator };
    };

    it('a passkey with user verification is enough, once, and for this session alone', async () => {
      const { holder, authenticator } = await enrol();
      const elsewhere = await begin(await signInByPasskey(holder.email, authenticator));
      const foreign = await reauthenticate(app, holder, { credential: authenticator.get(elsewhere) });
      expect(foreign.body['code']).toBe('reauthentication_failed');
      const credential = authenticator.get(await begin(holder));
      expect((await reauthenticate(app, holder, { credential })).status).toBe(204);
      const [session] = await app.query(sql`select methods from sessions where id = ${holder.sessionId}`);
      expect(session).toEqual({ methods: ['pop', 'user', 'mfa'] });
      const again = await reauthenticate(app, holder, { credential });
      expect(again.body['code']).toBe('reauthentication_failed');
    });

    it('a passkey without user verification also needs the password [incident 25]', async () => {
      const { holder, authenticator } = await enrol();
      const present = async () => authenticator.get(await begin(holder), { flags: { uv: false } });
      const alone = await reauthenticate(app, holder, { credential: await present() });
      expect(alone.body).toMatchObject({ code: 'factor_required', factors: ['passkey'] });
      expect((await reauthenticate(app, holder)).body['code']).toBe('factor_required');
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
      const both = { password: PASSWORD, credential: await present() };
      expect((await reauthenticate(app, holder, both)).status).toBe(204);
    });

    it('two passkeys without user verification are not enough without the password [T8, incident 25]', async () => {
      const { holder, authenticator } = await enrol();
      await reauthenticate(app, holder, { credential: authenticator.get(await begin(holder)) });
      const secret = await addTotp(app, app.client.with(holder.headers));
      await makeStale(app, holder.sessionId);
      const credential = authenticator.get(await begin(holder), { flags: { uv: false } });
      const both = { code: await codeOfNow(app, secret), credential };
      expect((await reauthenticate(app, holder, both)).body['code']).toBe('factor_required');
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
    });

    it('a passkey of another user is refused [incident 21]', async () => {
      const mine = await enrol();
      const theirs = await enrol();
      const credential = theirs.authenticator.get(await begin(mine.holder));
      const reply = await reauthenticate(app, mine.holder, { credential });
      expect(reply.body['code']).toBe('reauthentication_failed');
      expect((await mine.holder.open(app)).body['email']).toBe(mine.holder.email);
    });

    async function signInByPasskey(email: string, authenticator: SoftwareAuthenticator): Promise<Holder> {
      const options = (await app.client.post('/passkeys/authentication/options')).body as never;
      const signedIn = new Holder(email);
      signedIn.take(
        await app.client.post('/passkeys/authentication/verify', { credential: authenticator.get(options) }),
      );
      return signedIn;
    }
  });
});
