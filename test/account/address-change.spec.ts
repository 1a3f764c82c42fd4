import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { UserAdministrationService } from '../../src/admin/user-administration.service.js';
import { Outbox } from '../../src/mail/outbox.service.js';
import { unsealShown } from '../../src/mail/shown-mail.js';
import { revokeAddressChanges } from '../../src/users/one-time-tokens/revoke-tokens.js';
import { startApp, type TestApp } from '../support/app.js';
import { mailsTo, mailTo, mailsQueued } from '../support/mailbox.js';
import { endMadeBefore } from '../support/sign-out.js';
import { freshEmail, PASSWORD, type SignedIn, signIn, signUp, STRATEGIES } from '../support/strategies.js';
import { login, type Account, verify } from '../support/addresses.js';
import { given } from '../support/given.js';

const MINE = 'an owner chooses this one';
const OUTSIDE = { strict: false };
const DOER = { actor: 'admin:x' } as const;

interface Row {
  readonly id: string;
  readonly kind: 'change_email';
  readonly user_id: string;
  readonly recipient: string;
  readonly params: Record<string, string>;
  readonly nonce: Buffer;
  readonly created_at: Date;
}

/** A mail as the one that went to an address, which no attempt was made to send yet. */
async function delayAgain(app: TestApp, recipient: string): Promise<void> {
  await app.query(
    sql`insert into outbox_mails (id, kind, user_id, recipient, params, nonce, next_attempt_at, expires_at)
        select gen_random_uuid(), kind, user_id, recipient, params - 'composed', sha256(nonce), now() + interval '1 hour', expires_at
        from outbox_mails where recipient = ${recipient} and kind = 'change_email'`,
  );
}

/** The token of the newest change of address, while other mails go on waiting. */
async function tokenOfChange(app: TestApp, recipient: string): Promise<string> {
  const look = () =>
    app.query(
      sql<{
        id: string;
        rendered: Buffer;
      }>`select id, rendered from outbox_mails where recipient = ${recipient} and state = 'shown'`,
    );
  const until = Date.now() + 10_000;
  let [row] = await look();
  while (!row && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    [row] = await look();
  }
  const mail = row && unsealShown(app.config.auth.AUTH_SECRETS, row.id, row.rendered);
  return decodeURIComponent(/#token=(\S+)/.exec(mail?.text ?? '')?.[1] ?? '');
}

async function accountOf(app: TestApp, email: string): Promise<Account | undefined> {
  const [row] = await app.query(
    sql<Account>`select id, email, email_verified_at is not null as is_verified, password_hash
      from users where email_canonical = ${email.toLowerCase()}`,
  );
  return row;
}

describe.each(STRATEGIES)('change of address with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    other = await startApp({ env: { AUTH_STRATEGY: strategy }, sibling: app });
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  it('is confirmed at the new address, notified to the old one, and ends all other sessions [E10, L8]', async () => {
    const { client, email } = await signIn(app);
    const elsewhere = await signIn(other, email);
    const wanted = `New.${email}`;
    const reply = await client.post('/email', { email: wanted });
    expect({ status: reply.status, text: reply.text }).toEqual({ status: 202, text: '' });
    expect((await mailTo(app, email, 'email_change_requested')).text).toContain('N***@example.com');
    const { token } = await mailTo(app, wanted, 'change_email');
    expect((await client.get('/users/me')).body).toMatchObject({ email, email_verified: false });
    const confirmed = await verify(other, token);
    expect({ status: confirmed.status, cookies: confirmed.setCookies }).toEqual({ status: 204, cookies: [] });
    expect((await client.get('/users/me')).body).toMatchObject({ email: wanted, email_verified: true });
    // This node hears in a moment what the other one did.
    await app.query(sql`select 1`);
    expect((await client.get('/me')).body['email']).toBe(wanted);
    expect((await other.client.get('/users/me', elsewhere.headers)).status).toBe(401);
    expect((await mailTo(app, email, 'email_changed')).text).toContain('N***@example.com');
    expect((await login(app, email)).status).toBe(401);
    expect((await login(app, wanted)).status).toBe(200);
    expect((await verify(app, token)).body['code']).toBe('token_invalid');
  });

  it.each<[string, (owner: SignedIn, userId: string) => Promise<unknown>]>([
    [
      'a change of the password',
      async ({ client }) => {
        const body = { current_password: PASSWORD, new_password: MINE };
        expect((await client.post('/password', body)).status).toBe(204);
      },
    ],
    ['a sign-out of the others', ({ client }) => client.post('/logout?scope=others')],
    ['a sign-out everywhere', ({ client }) => client.post('/logout?scope=global')],
    [
      'an administrator who ends the sessions',
      async (_owner, userId) => {
        const admin = await signIn(app);
        await given.role(app, admin.email, 'admin');
        const reply = await admin.client.send('DELETE', `/admin/users/${userId}/sessions`);
        expect(reply.status).toBe(200);
      },
    ],
    [
      'an administrator who disables and enables the account',
      async (_owner, userId) => {
        const users = app.running.app.get(UserAdministrationService, OUTSIDE);
        await users.change(userId, { state: 'disabled' }, DOER);
        await users.change(userId, { state: 'enabled' }, DOER);
      },
    ],
    [
      'an administrator who resets the factors',
      (_owner, userId) => app.running.app.get(UserAdministrationService, OUTSIDE).removeFactors(userId, DOER),
    ],
    ['an operator who declares dead whatever the person had', (_owner, userId) => endMadeBefore(app, userId)],
  ])(
    'requested by an attacker who signed out, does not survive %s, composed or not [E10, S5]',
    async (_what, end) => {
      const owner = await signIn(other);
      const thief = await signIn(app, owner.email);
      const wanted = freshEmail();
      expect((await thief.client.post('/email', { email: wanted })).status).toBe(202);
      const { token } = await mailTo(app, wanted, 'change_email');
      await delayAgain(app, wanted);
      await thief.client.post('/logout');
      const account = await accountOf(app, owner.email);
      await end(owner, account?.id ?? '');
      expect((await verify(app, token)).body['code']).toBe('token_invalid');
      // The mail that had not been tried, because the mail server was slow, brings no link either.
      await given.dueMails(app);
      expect(await mailsTo(app, wanted, 'change_email')).toHaveLength(1);
      expect(await app.query(sql`select 1 from one_time_tokens where email = ${wanted}`)).toEqual([]);
      expect((await accountOf(app, owner.email))?.email).toBe(owner.email);
    },
  );

  it('survives when its own session ends the others and changes the password [S5]', async () => {
    const { client, email } = await signIn(app);
    await signIn(other, email);
    const wanted = freshEmail();
    await client.post('/email', { email: wanted });
    const { token } = await mailTo(app, wanted, 'change_email');
    await client.post('/logout?scope=others');
    expect((await client.post('/password', { new_password: MINE })).status).toBe(204);
    expect((await verify(other, token)).status).toBe(204);
    expect((await login(app, wanted, MINE)).status).toBe(200);
  });

  it('requires step-up [E10]', async () => {
    const { client, email, sessionId } = await signIn(app);
    await given.staleSession(app, sessionId);
    const reply = await client.post('/email', { email: `new.${email}` });
    expect(reply.body).toMatchObject({ code: 'step_up_required', action: 'step_up' });
    expect(await mailsTo(app, `new.${email}`)).toEqual([]);
  });
});

describe('address of an account', () => {
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    app = await startApp();
    other = await startApp({ sibling: app });
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  it('of 20 concurrent confirmations on two nodes, exactly one succeeds [E3, incident 16]', async () => {
    const email = await signUp(app);
    const { token } = await mailTo(app, email, 'verify_email');
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => verify(i % 2 ? app : other, token)),
    );
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([204, ...Array.from({ length: 19 }, () => 400)]);
    expect((await accountOf(app, email))?.is_verified).toBe(true);
  });

  it('the link of a sign-up is valid for a day and uses PUBLIC_URL [E4]', async () => {
    const email = await signUp(app);
    const { link, token } = await mailTo(app, email, 'verify_email');
    expect(link).toBe(`http://localhost:8000/verify-email#token=${token}`);
    const [row] = await app.query(
      sql<{ hours: number }>`select extract(epoch from t.expires_at - t.created_at)::int / 3600 as hours
        from one_time_tokens t join users u on u.id = t.user_id where u.email = ${email}`,
    );
    expect(row?.hours).toBeLessThanOrEqual(24);
  });

  it('a token is bound to its address, and worthless after a change [E10]', async () => {
    const { client, email } = await signIn(app);
    const { token } = await mailTo(app, email, 'verify_email');
    await app.query(
      sql`update users set email = ${`x${email}`}, email_canonical = ${`x${email}`} where email = ${email}`,
    );
    expect((await verify(app, token)).body['code']).toBe('token_invalid');
    expect((await client.get('/users/me')).body['email_verified']).toBe(false);
  });

  it('a signed-in user can request another link, five per hour, until verified [E11]', async () => {
    const { client, email } = await signIn(app);
    const { token: first } = await mailTo(app, email, 'verify_email');
    for (let i = 0; i < 7; i += 1) expect((await client.post('/email/verify/resend')).status).toBe(202);
    expect(await mailsTo(app, email, 'verify_email')).toHaveLength(5);
    expect((await verify(app, first)).status).toBe(204);
    const { token: last } = await mailTo(app, email, 'verify_email');
    expect((await verify(app, last)).body['code']).toBe('token_invalid');
    await app.query(sql`update outbox_mails set created_at = created_at - interval '2 hours'`);
    expect((await client.post('/email/verify/resend')).status).toBe(202);
    expect(await mailsTo(app, email, 'verify_email')).toHaveLength(5);
  });

  it('of two concurrent changes on two nodes, the later wins, and no token confirms a foreign address [incident 34]', async () => {
    const { client, headers, email } = await signIn(app);
    const wanted = Array.from({ length: 4 }, (_, i) => `${i}.${email}`);
    await Promise.all(
      wanted.map((address, i) => (i % 2 ? app : other).client.post('/email', { email: address }, headers)),
    );
    const mails = (await Promise.all(wanted.map((address) => mailsTo(app, address, 'change_email')))).flat();
    expect(mails.length).toBeGreaterThan(0);
    const replies = await Promise.all(mails.map(({ token }, i) => verify(i % 2 ? app : other, token)));
    const winners = mails.filter((_, i) => replies[i]?.status === 204);
    expect(winners).toHaveLength(1);
    expect((await client.get('/users/me')).body['email']).toBe(winners[0]?.recipient);
  });

  it('a later request replaces an earlier one immediately, even if its mail was sent [incident 34]', async () => {
    const { client, email } = await signIn(app);
    await client.post('/email', { email: `first.${email}` });
    const { token } = await mailTo(app, `first.${email}`, 'change_email');
    await client.post('/email', { email: `second.${email}` });
    expect((await verify(app, token)).body['code']).toBe('token_invalid');
    const second = await mailTo(app, `second.${email}`, 'change_email');
    expect((await verify(app, second.token)).status).toBe(204);
  });

  it('an earlier request with a slow mail gets no link after a later one [incident 34]', async () => {
    const { client, email } = await signIn(app);
    await client.post('/email', { email: `first.${email}` });
    await mailTo(app, `first.${email}`, 'change_email');
    await delayAgain(app, `first.${email}`);
    await client.post('/email', { email: `second.${email}` });
    const second = await tokenOfChange(app, `second.${email}`);
    await given.dueMails(app);
    expect(await mailsTo(app, `first.${email}`, 'change_email')).toHaveLength(1);
    expect((await verify(app, second)).status).toBe(204);
  });

  it('a mail that is revoked while it is composed contains no link [E10]', async () => {
    const { client, email } = await signIn(app);
    const wanted = `late.${email}`;
    await client.post('/email', { email: wanted });
    await mailTo(app, wanted, 'change_email');
    await delayAgain(app, wanted);
    await client.post('/logout');
    const [row] = await app.query(
      sql<Row>`select id, kind, user_id, recipient, params, nonce, created_at from outbox_mails where recipient = ${wanted} and state = 'waiting'`,
    );
    if (!row) throw new Error('there is no such mail');
    const { user_id: userId, created_at: createdAt, ...job } = row;
    const { database } = app.running.database;
    await database.transaction((tx) => revokeAddressChanges(tx, [userId], 'any'));
    const outbox = app.running.app.get(Outbox, OUTSIDE);
    expect(await database.transaction((tx) => outbox.compose(tx, { ...job, userId, createdAt }))).toBeNull();
    expect(await app.query(sql`select 1 from one_time_tokens where email = ${wanted}`)).toEqual([]);
  });

  it('a taken address gets the same answer, its owner a mail, and no account a link [L6]', async () => {
    const owner = await signUp(app);
    const { client, email } = await signIn(app);
    const replies = [
      await client.post('/email', { email: owner.toUpperCase() }),
      await client.post('/email', { email: `free.${email}` }),
    ];
    const [taken, free] = replies.map(({ status, text }) => ({ status, text }));
    expect(taken).toEqual(free);
    expect(await mailsTo(app, owner, 'signup_attempt')).toHaveLength(1);
    expect(await mailsTo(app, owner, 'change_email')).toEqual([]);
  });

  it('an address taken between mail and click is 409 for the holder of the token [H6]', async () => {
    const { client, email } = await signIn(app);
    const wanted = freshEmail();
    await client.post('/email', { email: wanted });
    const { token } = await mailTo(app, wanted, 'change_email');
    await signUp(app, wanted);
    const reply = await verify(app, token);
    expect(reply.status).toBe(409);
    expect(reply.body['code']).toBe('email_taken');
    expect((await client.get('/users/me')).body['email']).toBe(email);
  });

  it('a request ends with its session if that was ended from outside, not at its own sign-out', async () => {
    for (const [pathOf, method, status] of [
      [() => '/logout?scope=others', 'POST', 400],
      [(id: string) => `/sessions/${id}`, 'DELETE', 400],
      [() => '/logout', 'POST', 204],
    ] as const) {
      const asking = await signIn(app);
      const wanted = freshEmail();
      await asking.client.post('/email', { email: wanted });
      const { token } = await mailTo(app, wanted, 'change_email');
      const ending = status === 204 ? asking : await signIn(app, asking.email);
      await ending.client.send(method, pathOf(asking.sessionId));
      expect((await verify(app, token)).status).toBe(status);
    }
  });

  it.each([
    ['an array', ['a@example.com', 'b@example.com']],
    ['a comma list', 'a@example.com,b@example.com'],
    ['CR and LF', 'a@example.com\r\nBcc: b@example.com'],
    ['a Kelvin sign', 'mi\u212Ae@example.com'],
  ])('a change to %s is 400 and sends no mail [E7, E8]', async (_what, email) => {
    const { client } = await signIn(app);
    await mailsQueued(app);
    const before = await app.query(sql`select 1 from outbox_mails`);
    const reply = await client.post('/email', { email });
    expect(reply.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'email' }] });
    expect(await app.query(sql`select 1 from outbox_mails`)).toHaveLength(before.length);
  });
});
