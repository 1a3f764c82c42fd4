import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../support/app.js';
import { Holder } from '../support/holder.js';
import { freshEmail, PASSWORD, signUp } from '../support/strategies.js';
import {
  eventsOf,
  canSignIn,
  changePassword,
  countOf,
  makeStale,
  reauthenticate,
} from '../support/account.js';
import { given } from '../support/given.js';

const OTHER = 'another long passphrase';

describe('the account', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
  });
  afterAll(() => app.close());

  const idOf = async (holder: Holder) => (await holder.open(app)).body['id'] as string;

  describe('password change', () => {
    it('applies the password policy of sign-up [P1, P3, P6, P8, P9]', async () => {
      const email = `grandiloquence.${freshEmail()}`;
      await signUp(app, email);
      const holder = await Holder.signIn(app, email);
      for (const [wanted, ...reasons] of [
        ['x'.repeat(7) + 'yz wvut'.slice(0, 7), 'too_short', 'guessable'],
        ['passwordpassword', 'common', 'guessable'],
        ['monkey monkey monkey!', 'guessable'],
        ['Grandiloquence-Grandiloquence', 'context_specific', 'guessable'],
        ['traffy-TRAFFY-traffy!', 'context_specific', 'guessable'],
      ] as const) {
        const reply = await changePassword(app, holder, PASSWORD, wanted);
        expect({ wanted, status: reply.status, ...reply.body }).toMatchObject({
          wanted,
          status: 400,
          code: 'weak_password',
          reason: reasons[0],
          errors: reasons.map((reason) => ({ path: 'new_password', reason })),
        });
      }
      const tooLong = await changePassword(app, holder, PASSWORD, 'ä'.repeat(513));
      expect(tooLong.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'new_password' }] });
      expect((await changePassword(app, holder, PASSWORD, 'fifteen chars !')).status).toBe(204);
      const longest = `${'0123456789 abcdef'.repeat(60)}`;
      expect((await changePassword(app, holder, 'fifteen chars !', `${longest}!`)).status).toBe(204);
      expect(await canSignIn(app, email, longest)).toBe(false);
      expect(await canSignIn(app, email, `${longest}!`)).toBe(true);
    });

    it('accepts either Unicode spelling of the new and of the current password [P7]', async () => {
      const holder = await Holder.signIn(app);
      expect((await changePassword(app, holder, PASSWORD, 'caf\u00e9 au lait, s\u2019il')).status).toBe(204);
      const unchanged = await changePassword(
        app,
        holder,
        'cafe\u0301 au lait, s\u2019il',
        'cafe\u0301 au lait, s\u2019il',
      );
      expect(unchanged.body).toMatchObject({ code: 'weak_password', reason: 'unchanged' });
      expect((await changePassword(app, holder, 'cafe\u0301 au lait, s\u2019il', OTHER)).status).toBe(204);
    });

    it('requires the current password; a wrong one is a 403 that keeps the session, is recorded and changes nothing [pain 6]', async () => {
      const holder = await Holder.signIn(app);
      const elsewhere = await Holder.signIn(app, holder.email);
      const reply = await changePassword(app, holder, `${PASSWORD}!`, OTHER);
      expect({ status: reply.status, cookies: reply.setCookies, ...reply.body }).toMatchObject({
        status: 403,
        cookies: [],
        code: 'current_password_wrong',
        errors: [{ path: 'current_password', message: 'is wrong' }],
      });
      expect(reply.body).not.toHaveProperty('action');
      expect((await holder.open(app)).status).toBe(200);
      expect((await elsewhere.open(app)).status).toBe(200);
      expect(await canSignIn(app, holder.email, PASSWORD)).toBe(true);
      expect(await eventsOf(app, await idOf(holder))).toContainEqual({
        kind: 'reauthentication_failed',
        session_id: holder.sessionId,
        details: { reason: 'wrong', purpose: 'password' },
      });
      // A wrong one never learns whether the new one is the current one.
      const probe = await changePassword(app, holder, `${PASSWORD}!`, PASSWORD);
      expect(probe.body['code']).toBe('current_password_wrong');
    });

    it('accepts a recent step-up in place of the current password, and no older one [pain 6]', async () => {
      const holder = await Holder.signIn(app);
      await makeStale(app, holder.sessionId);
      const stale = await changePassword(app, holder, undefined, OTHER);
      expect({ status: stale.status, ...stale.body }).toMatchObject({
        status: 401,
        code: 'step_up_required',
        action: 'step_up',
      });
      expect(await canSignIn(app, holder.email, OTHER)).toBe(false);
      expect((await reauthenticate(app, holder)).status).toBe(204);
      const same = await changePassword(app, holder, undefined, PASSWORD);
      expect(same.body).toMatchObject({ code: 'weak_password', reason: 'unchanged' });
      expect((await changePassword(app, holder, undefined, OTHER)).status).toBe(204);
      expect(await canSignIn(app, holder.email, OTHER)).toBe(true);
    });

    it('sets the first password of an account without one after step-up', async () => {
      const holder = await Holder.signIn(app);
      await given.passwordHash(app, holder.email, null);
      for (const guess of [' ', PASSWORD])
        expect((await changePassword(app, holder, guess, OTHER)).body['code']).toBe('current_password_wrong');
      expect((await changePassword(app, holder, undefined, OTHER)).status).toBe(204);
      expect(await canSignIn(app, holder.email, OTHER)).toBe(true);
    });

    it('notifies the owner by mail, is recorded, clears the compromised mark and ends pending flows [L8]', async () => {
      const holder = await Holder.signIn(app);
      const id = await idOf(holder);
      await given.compromisedPassword(app, id);
      const hash = () => crypto.getRandomValues(Buffer.alloc(32));
      await app.query(
        sql`insert into mfa_challenges (token_hash, user_id, methods, transport, expires_at)
            values (${hash()}, ${id}, ${['pwd']}, 'bearer', now() + interval '10 minutes')`,
      );
      for (const [purpose, waiting] of [
        ['reset_password', null],
        ['verify_email', 'the hash of a password that waits'],
        ['change_email', null],
      ])
        await app.query(
          sql`insert into one_time_tokens (token_hash, purpose, user_id, email, password_hash, expires_at)
              values (${hash()}, ${purpose}, ${id}, ${holder.email}, ${waiting}, now() + interval '1 hour')`,
        );
      expect((await changePassword(app, holder, PASSWORD, OTHER)).status).toBe(204);
      expect(await countOf(app, 'mfa_challenges', holder.email)).toBe(0);
      const links = await app.query(
        sql<{
          purpose: string;
        }>`select distinct purpose from one_time_tokens where user_id = ${id} order by purpose`,
      );
      // The other is its own affair: whoever proves the address wins.
      expect(links.map(({ purpose }) => purpose)).toEqual(['verify_email']);
      const [user] = await app.query(sql`select password_compromised_at from users where id = ${id}`);
      expect(user).toEqual({ password_compromised_at: null });
      const mails = await app.query(
        sql`select kind, recipient, params from outbox_mails where user_id = ${id} and kind = 'password_changed'`,
      );
      expect(mails).toEqual([
        {
          kind: 'password_changed',
          recipient: holder.email,
          params: { ip: '127.0.0.1', user_agent: 'lightMyRequest' },
        },
      ]);
      expect((await eventsOf(app, id)).at(-1)).toMatchObject({
        kind: 'password_changed',
        session_id: holder.sessionId,
      });
    });

    it('commits with its mail, its record and the ended sessions, or not at all [pain 5]', async () => {
      const holder = await Holder.signIn(app);
      const elsewhere = await Holder.signIn(app, holder.email);
      await app.query(
        sql`alter table outbox_mails add constraint "no_mail" check (kind <> 'password_changed') not valid`,
      );
      const failed = await changePassword(app, holder, PASSWORD, OTHER);
      await app.query(sql`alter table outbox_mails drop constraint "no_mail"`);
      expect(failed.status).toBe(500);
      expect((await elsewhere.open(app)).status).toBe(200);
      expect((await holder.open(app)).status).toBe(200);
      expect(await canSignIn(app, holder.email, PASSWORD)).toBe(true);
      expect((await eventsOf(app, await idOf(holder))).map(({ kind }) => kind)).not.toContain(
        'password_changed',
      );
    });
  });
});
