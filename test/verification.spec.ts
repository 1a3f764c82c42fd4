import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { UserAdministrationService } from '../src/auth/admin/user-administration.service.js';
import { SessionAdministration } from '../src/auth/admin/session-administration.service.js';
import { SessionsService } from '../src/auth/sessions/sessions.service.js';
import { Outbox } from '../src/mail/outbox.service.js';
import { unsealShown } from '../src/mail/shown-mail.js';
import { PasswordHasher } from '../src/users/passwords/password-hasher.service.js';
import { withdrawAddressChanges } from '../src/users/one-time-tokens/withdraw-address-changes.js';
import { openShared, type Sharing, startApp, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { allMails, mailsTo, mailTo, settleMails } from './support/mailbox.js';
import { freshEmail, PASSWORD, type SignedIn, signIn, signUp, STRATEGIES } from './support/strategies.js';

const MINE = 'an owner chooses this one';
const OUTSIDE = { strict: false };
const DOER = { actor: 'admin:x' } as const;
const VERIFIED = { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' };

const FACTORS: { name: string; values: [string, string, ...string[]] }[] = [
  { name: 'AUTH_STRATEGY', values: ['session', 'session,jwt', 'jwt,session', 'jwt'] },
  { name: 'AUTH_REQUIRE_VERIFIED_EMAIL', values: ['false', 'true'] },
  { name: 'PUBLIC_URL', values: ['http://localhost:8000', 'https://auth.example.com'] },
  { name: 'DOCS', values: ['on', 'off'] },
  { name: 'STEP_UP_TTL', values: ['1m', '1h'] },
  { name: 'SESSIONS_PER_USER', values: ['1', '20'] },
  { name: 'RATE_LIMIT_LOGIN', values: ['off', '1000/1m'] },
];

/**
 * Each strategy twice, with opposite values of all else; which they are, the bits of the setting's number say. No two of these
 * columns are equal or opposite, so each pair of values occurs.
 */
const COMBINATIONS: Record<string, string>[] = [0, 1, 2, 3].flatMap((bit) =>
  [0, 1].map((flip) =>
    Object.fromEntries(
      FACTORS.map(({ name, values }, index) => [
        name,
        index === 0 ? (values[bit] ?? '') : (values[((index >> bit) & 1) ^ flip] ?? ''),
      ]),
    ),
  ),
);

const verify = (app: TestApp, token: unknown) => app.client.post('/email/verify', { token });
const login = (app: TestApp, email: string, password = PASSWORD) =>
  app.client.post('/login', { email, password });

/** Proves the address of an account by the newest link that went there. */
async function prove(app: TestApp, email: string): Promise<void> {
  const { token } = await mailTo(app, email, 'verify_email');
  expect((await verify(app, token)).status).toBe(204);
}

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

interface Account {
  readonly id: string;
  readonly email: string;
  readonly is_verified: boolean;
  readonly password_hash: string;
}

async function accountOf(app: TestApp, email: string): Promise<Account | undefined> {
  const [row] = await app.query(
    sql<Account>`select id, email, email_verified_at is not null as is_verified, password_hash
      from users where email_canonical = ${email.toLowerCase()}`,
  );
  return row;
}

describe.each(STRATEGIES)('a change of address with AUTH_STRATEGY=$strategy', ({ strategy }) => {
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

  it('E10, L8: is confirmed at the new address, told to the old one, and ends all sessions but the one it was asked for in', async () => {
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
      (_owner, userId) => app.running.app.get(SessionAdministration, OUTSIDE).endAll(userId, DOER),
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
    [
      'an operator who declares dead whatever the person had',
      (_owner, userId) => app.running.app.get(SessionsService, OUTSIDE).revokeMadeBefore(userId),
    ],
  ])(
    'E10, S5: asked for by somebody who signed out again, it does not outlive %s, composed or not',
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
      await app.query(sql`update outbox_mails set next_attempt_at = now() where state = 'waiting'`);
      expect(await mailsTo(app, wanted, 'change_email')).toHaveLength(1);
      expect(await app.query(sql`select 1 from one_time_tokens where email = ${wanted}`)).toEqual([]);
      expect((await accountOf(app, owner.email))?.email).toBe(owner.email);
    },
  );

  it('S5: the session in which it was asked for may end the others, and change the password, without losing it', async () => {
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

  it('E10: needs a fresh proof of who asks', async () => {
    const { client, email, sessionId } = await signIn(app);
    await app.query(
      sql`update sessions set authenticated_at = now() - interval '1 hour' where id = ${sessionId}`,
    );
    const reply = await client.post('/email', { email: `new.${email}` });
    expect(reply.body).toMatchObject({ code: 'step_up_required', action: 'step_up' });
    expect(await mailsTo(app, `new.${email}`)).toEqual([]);
  });
});

describe('the address of an account', () => {
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

  it('E3, incident 16: of 20 proofs at once on two nodes exactly one succeeds', async () => {
    const email = await signUp(app);
    const { token } = await mailTo(app, email, 'verify_email');
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => verify(i % 2 ? app : other, token)),
    );
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([204, ...Array.from({ length: 19 }, () => 400)]);
    expect((await accountOf(app, email))?.is_verified).toBe(true);
  });

  it('E4: the link of a sign-up is good for a day, and leads to PUBLIC_URL', async () => {
    const email = await signUp(app);
    const { link, token } = await mailTo(app, email, 'verify_email');
    expect(link).toBe(`http://localhost:8000/account/verify-email#token=${token}`);
    const [row] = await app.query(
      sql<{ hours: number }>`select extract(epoch from t.expires_at - t.created_at)::int / 3600 as hours
        from one_time_tokens t join users u on u.id = t.user_id where u.email = ${email}`,
    );
    expect(row?.hours).toBeLessThanOrEqual(24);
  });

  it('E10: a proof is bound to the address it was sent to: after a change it is worth nothing', async () => {
    const { client, email } = await signIn(app);
    const { token } = await mailTo(app, email, 'verify_email');
    await app.query(
      sql`update users set email = ${`x${email}`}, email_canonical = ${`x${email}`} where email = ${email}`,
    );
    expect((await verify(app, token)).body['code']).toBe('token_invalid');
    expect((await client.get('/users/me')).body['email_verified']).toBe(false);
  });

  it('sends the link again to who is signed in, at most five times an hour (E11), and not once it is proved', async () => {
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

  it('incident 34: of two changes at once on two nodes the later wins, and no token proves an address it was not sent to', async () => {
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

  it('incident 34: a later wish supersedes an earlier one at once, though its mail went out', async () => {
    const { client, email } = await signIn(app);
    await client.post('/email', { email: `first.${email}` });
    const { token } = await mailTo(app, `first.${email}`, 'change_email');
    await client.post('/email', { email: `second.${email}` });
    expect((await verify(app, token)).body['code']).toBe('token_invalid');
    const second = await mailTo(app, `second.${email}`, 'change_email');
    expect((await verify(app, second.token)).status).toBe(204);
  });

  it('incident 34: nor does an earlier wish get a link once there is a later one, where its mail was slow', async () => {
    const { client, email } = await signIn(app);
    await client.post('/email', { email: `first.${email}` });
    await mailTo(app, `first.${email}`, 'change_email');
    await delayAgain(app, `first.${email}`);
    await client.post('/email', { email: `second.${email}` });
    const second = await tokenOfChange(app, `second.${email}`);
    await app.query(sql`update outbox_mails set next_attempt_at = now() where state = 'waiting'`);
    expect(await mailsTo(app, `first.${email}`, 'change_email')).toHaveLength(1);
    expect((await verify(app, second)).status).toBe(204);
  });

  it('E10: a mail that is withdrawn while it is composed brings no link', async () => {
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
    await database.transaction((tx) => withdrawAddressChanges(tx, userId, null));
    const outbox = app.running.app.get(Outbox, OUTSIDE);
    expect(await database.transaction((tx) => outbox.compose(tx, { ...job, userId, createdAt }))).toBeNull();
    expect(await app.query(sql`select 1 from one_time_tokens where email = ${wanted}`)).toEqual([]);
  });

  it('L6: a taken address gets the same answer, its owner the mail, and nobody a link', async () => {
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

  it('H6: an address that was taken between mail and click is 409 to who holds its token, and nothing changes', async () => {
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

  it('a wish dies with its session, where somebody else put an end to that; not where its holder signed out', async () => {
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
  ])('E7, E8: a change to %s is 400, and no mail', async (_what, email) => {
    const { client } = await signIn(app);
    await settleMails(app);
    const before = await app.query(sql`select 1 from outbox_mails`);
    const reply = await client.post('/email', { email });
    expect(reply.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'email' }] });
    expect(await app.query(sql`select 1 from outbox_mails`)).toHaveLength(before.length);
  });
});

describe('AUTH_REQUIRE_VERIFIED_EMAIL=true', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: VERIFIED });
  });
  afterAll(() => app.close());

  it('L5, E9: a right password of an unproved account is answered like a wrong one, and sends the link again', async () => {
    const email = await signUp(app);
    const replies = [await login(app, email), await login(app, email, MINE), await login(app, freshEmail())];
    const seen = replies.map(({ status, body: { request_id: _id, ...body }, setCookies }) => ({
      status,
      body,
      setCookies,
    }));
    expect(seen).toEqual([seen[0], seen[0], seen[0]]);
    expect(seen[0]).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    await expectMails(app, email, 2);
    expect(app.logs).toContainEqual(expect.objectContaining({ event: 'login_failed', reason: 'unverified' }));
    await prove(app, email);
    expect((await login(app, email)).status).toBe(200);
  });

  it('E11: no more than five mails an hour come of that', async () => {
    const email = await signUp(app);
    for (let i = 0; i < 7; i += 1) {
      await login(app, email);
      await settleMails(app);
    }
    expect(await mailsTo(app, email, 'verify_email')).toHaveLength(5);
  });

  // How long that takes is what `npm run bench:timing` looks at.
  it('L6: a free, a taken and an unproved address are answered alike, in body, headers and work', async () => {
    const taken = await signUp(app);
    await prove(app, taken);
    const unproved = await signUp(app);
    const shapes: unknown[] = [];
    const ids = new Set();
    const hash = jest.spyOn(app.running.app.get(PasswordHasher, { strict: false }), 'hash');
    // So often that the owner of the taken address is no longer told (E11).
    const rounds = Array.from({ length: 6 }, () => [freshEmail(), taken, unproved]).flat();
    for (const email of rounds) {
      await settleMails(app);
      const { status, body, headers, setCookies } = await app.client.post('/signup', {
        email,
        password: MINE,
      });
      ids.add(body['id']);
      const { id: _id, ...fixed } = body;
      const hashes = hash.mock.calls.splice(0).length;
      shapes.push({ status, fixed, keys: Object.keys(headers).toSorted(), setCookies, hashes });
      expect(body['id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    }
    hash.mockRestore();
    for (const shape of shapes) expect(shape).toEqual(shapes[0]);
    expect(shapes[0]).toHaveProperty('status', 201);
    expect(ids.size).toBe(shapes.length);
    expect(await mailsTo(app, taken, 'signup_attempt')).toHaveLength(5);
    expect((await login(app, taken)).status).toBe(200);
    expect((await login(app, taken, MINE)).status).toBe(401);
  });

  it('E9, incident 15: whoever opens the link of their own sign-up gets their own password, and what was planted goes', async () => {
    const victim = await signUp(app, undefined, 'planted by the attacker');
    const [planted] = await mailsTo(app, victim, 'verify_email');
    await signUp(app, victim, MINE);
    const { token } = await mailTo(app, victim, 'verify_email');
    expect(token).not.toBe(planted?.token);
    // As if the attacker had got in while it was not required.
    await app.query(sql`update users set name = 'planted' where email = ${victim}`);
    await app.query(
      sql`insert into recovery_codes (code_hash, user_id) select sha256(random()::text::bytea), id from users where email = ${victim}`,
    );
    expect((await login(app, victim, MINE)).status).toBe(401);
    expect((await verify(app, token)).status).toBe(204);
    expect((await login(app, victim, 'planted by the attacker')).status).toBe(401);
    const { client } = await signIn(app, victim, MINE);
    expect((await client.get('/users/me')).body).toMatchObject({ name: null, email_verified: true });
    expect(await app.query(sql`select 1 from recovery_codes`)).toEqual([]);
    expect((await verify(app, planted?.token)).body['code']).toBe('token_invalid');
  });

  it('E9: a link that brings a password does nothing once the address was proved otherwise', async () => {
    const email = await signUp(app);
    await signUp(app, email, 'somebody else chose this');
    const [brings, own] = await mailsTo(app, email, 'verify_email');
    expect((await verify(app, own?.token)).status).toBe(204);
    expect((await verify(app, brings?.token)).body['code']).toBe('token_invalid');
    expect((await login(app, email)).status).toBe(200);
  });

  it('H6, incident 16: of many sign-ups at once for one address there is one account, and every one is 201', async () => {
    const email = freshEmail();
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        app.client.post('/signup', { email: i % 2 ? email : email.toUpperCase(), password: PASSWORD }),
      ),
    );
    expect(replies.every(({ status }) => status === 201)).toBe(true);
    const accounts = await app.query(sql`select 1 from users where email_canonical = ${email.toLowerCase()}`);
    expect(accounts).toHaveLength(1);
  });
});

describe.each(['false', 'true'])('a random walk with AUTH_REQUIRE_VERIFIED_EMAIL=%s', (required) => {
  it('incident 20: no path sets a password or an address without using up a token that was mailed for it', async () => {
    const app = await startApp({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: required } });
    const walk = new Walk(app, seeded(20));
    await walk.begin();
    let changes = 0;
    for (let step = 0; step < 45; step += 1) {
      const before = await walk.accounts();
      const { did, token } = await walk.step(step);
      for (const [id, now] of await walk.accounts()) {
        const old = before.get(id);
        if (old === undefined || (old.password_hash === now.password_hash && old.email === now.email))
          continue;
        changes += 1;
        const mail = (await allMails(app)).find((candidate) => candidate.token === token);
        const isMoved = old.email !== now.email;
        expect({ step, did, to: mail?.recipient, isMoved }).toEqual({ step, did, to: now.email, isMoved });
        expect(isMoved ? ['change_email'] : ['reset_password', 'verify_email']).toContain(mail?.kind);
        // One of both, and once.
        expect(isMoved && now.password_hash !== old.password_hash).toBe(false);
        expect((await verify(app, token)).status).toBe(400);
        expect((await redeem(app, token, `${MINE} never`)).status).toBe(400);
      }
    }
    expect(changes).toBeGreaterThanOrEqual(3);
    await app.close();
  });
});

describe('every combination of settings', () => {
  let shared: Awaited<ReturnType<typeof openShared>>;
  beforeAll(async () => {
    shared = await openShared();
  });
  afterAll(() => shared.close());

  it('incident 27: the settings below are combined so that each pair of values occurs', () => {
    for (const [i, one] of FACTORS.entries())
      for (const other of FACTORS.slice(i + 1))
        for (const a of one.values)
          for (const b of other.values)
            expect(COMBINATIONS.some((row) => row[one.name] === a && row[other.name] === b)).toBe(true);
  });

  it.each(COMBINATIONS.map((env) => ({ env, name: JSON.stringify(env) })))(
    'incident 27: proofs by mail, step-up, ended sessions and second thoughts hold with $name',
    async ({ env }) => expect(holds(shared, env)).resolves.toBeUndefined(),
  );
});

async function holds(shared: Sharing, env: Readonly<Record<string, string>>): Promise<void> {
  const app = await startApp({ env, sibling: shared, force: true });
  const email = await signUp(app);
  const isRequired = env['AUTH_REQUIRE_VERIFIED_EMAIL'] === 'true';
  expect((await login(app, email)).status).toBe(isRequired ? 401 : 200);
  const again = await app.client.post('/signup', { email, password: MINE });
  expect(again.status).toBe(isRequired ? 201 : 409);
  const [proof] = (await mailsTo(app, email, 'verify_email')).toReversed();
  expect(proof?.link).toMatch(new RegExp(`^${env['PUBLIC_URL']}/account/verify-email#`));
  expect((await verify(app, proof?.token)).status).toBe(204);
  const reply = await login(app, email);
  expect(reply.status).toBe(200);
  const headers = credentialOf(reply);
  const wanted = `new.${email}`;
  expect((await app.client.post('/email', { email: wanted }, headers)).status).toBe(202);
  expect((await app.client.get('/users/me', headers)).body['email']).toBe(email);
  expect(await mailsTo(app, email, 'email_change_requested')).toHaveLength(1);
  const change = await mailTo(app, wanted, 'change_email');
  expect((await redeem(app, change.token, MINE)).status).toBe(400);
  expect((await verify(app, change.token)).status).toBe(204);
  expect(await mailsTo(app, email, 'email_changed')).toHaveLength(1);
  await app.client.post('/password/forgot', { email: wanted });
  const { token } = await mailTo(app, wanted, 'reset_password');
  const done = await redeem(app, token, MINE);
  expect({ status: done.status, text: done.text, cookies: done.setCookies }).toEqual({
    status: 204,
    text: '',
    cookies: [],
  });
  expect((await app.client.get('/users/me', headers)).status).toBe(401);
  expect((await login(app, wanted)).status).toBe(401);
  await app.close();
}

const TRIES = 'forgot forgot reset reset verify verify signup change resend expire'.split(' ');

/** Somebody who tries whatever there is, with every token that was ever mailed and some that were not. */
class Walk {
  private readonly addresses = [freshEmail(), freshEmail()];
  private readonly passwords = new Map<string, string>();

  constructor(
    private readonly app: TestApp,
    private readonly random: () => number,
  ) {}

  async begin(): Promise<void> {
    for (const email of this.addresses) {
      await signUp(this.app, email, `${PASSWORD} ${email}`);
      this.passwords.set(email, `${PASSWORD} ${email}`);
    }
  }

  async accounts(): Promise<Map<string, Account>> {
    await settleMails(this.app);
    // An hour goes by, so that the walk does not end with the first five mails.
    await this.app.query(sql`update outbox_mails set created_at = created_at - interval '1 hour'`);
    const rows = await this.app.query(
      sql<Account>`select id, email, email_verified_at is not null as is_verified, password_hash from users`,
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** @returns what was tried, and the token that it was tried with. */
  async step(count: number): Promise<{ did: string; token: string }> {
    const { client } = this.app;
    const email = this.pick(this.addresses);
    const password = `${MINE} ${count}`;
    const did = this.pick(TRIES);
    const token = await this.someToken(did);
    if (did === 'forgot') await client.post('/password/forgot', { email });
    if (did === 'reset') await this.reset(token, password);
    if (did === 'verify') await this.verify(token);
    if (did === 'signup') await client.post('/signup', { email, password });
    if (did === 'change') await this.change(email);
    if (did === 'resend') await client.post('/email/verify/resend', undefined, await this.credentials(email));
    if (did === 'expire' && this.random() < 0.2)
      await this.app.query(sql`update one_time_tokens set expires_at = now()`);
    return { did, token };
  }

  private async reset(token: string, password: string): Promise<void> {
    const mail = (await allMails(this.app)).find((candidate) => candidate.token === token);
    if ((await redeem(this.app, token, password)).status === 204 && mail)
      this.passwords.set(mail.recipient, password);
  }

  private async verify(token: string): Promise<void> {
    await verify(this.app, token);
  }

  private async change(email: string): Promise<void> {
    const wanted = this.random() < 0.3 ? this.pick(this.addresses) : freshEmail();
    const password = this.passwords.get(email);
    const { status } = await this.app.client.post('/email', { email: wanted }, await this.credentials(email));
    if (status !== 202) return;
    this.addresses.push(wanted);
    if (password !== undefined && !this.passwords.has(wanted)) this.passwords.set(wanted, password);
  }

  /** Whatever a sign-in gives. */
  private async credentials(email: string): Promise<Record<string, string>> {
    const reply = await login(this.app, email, this.passwords.get(email) ?? PASSWORD);
    return reply.status === 200 ? credentialOf(reply) : {};
  }

  private async someToken(did: string): Promise<string> {
    const mails = (await allMails(this.app)).filter(({ token }) => token !== '');
    // Mostly one that may fit: else nothing happens for long.
    const fitting = mails.filter(({ kind }) => (kind === 'reset_password') === (did === 'reset'));
    const tokens = (this.random() < 0.7 ? fitting : mails).map(({ token }) => token);
    // Newer ones rather than older ones: most of those are worth nothing.
    const token = tokens[Math.floor(this.random() ** 6 * tokens.length)] ?? '';
    return this.random() < 0.1 ? `${token.slice(0, -2)}AA` : token;
  }

  private pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.random() * values.length)] as T;
  }
}

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function redeem(app: TestApp, token: string, password: string): Promise<Reply> {
  return app.client.post('/password/reset', { token, new_password: password });
}

/** The headers that carry the credential of a sign-in, whatever its cookies are called. */
function credentialOf(reply: Reply): Record<string, string> {
  const cookies = reply.setCookies
    .filter((line) => !line.includes('Max-Age=0'))
    .map((line) => line.split(';')[0]);
  const token = reply.body['access_token'] as string | undefined;
  return token === undefined ? { cookie: cookies.join('; ') } : { authorization: `Bearer ${token}` };
}

/** Waits until so many proofs went to an address: a sign-in does not wait for the one that it causes. */
async function expectMails(app: TestApp, email: string, count: number): Promise<void> {
  const until = Date.now() + 5_000;
  const look = async () => (await mailsTo(app, email, 'verify_email')).length;
  while ((await look()) < count && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await look()).toBe(count);
}
