import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { startApp, type TestApp } from './support/app.js';
import { chromiumPath, openPage } from './support/browser.js';
import { onServer } from './support/database.js';
import { mailsTo, mailTo, settleMails } from './support/mailbox.js';
import { freshEmail, PASSWORD, signIn, signUp, STRATEGIES } from './support/strategies.js';

const OTHER = 'another quiet passphrase';
const FORM = /^trf_ot_[A-Za-z0-9_-]{43}$/;

/** An account whose address is proved, as its row says. */
async function verified(app: TestApp): Promise<string> {
  const email = await signUp(app);
  await app.query(sql`update users set email_verified_at = now() where email = ${email}`);
  return email;
}

/** The token of a mail that was asked for just now. */
async function resetToken(app: TestApp, email: string): Promise<string> {
  expect((await app.client.post('/password/forgot', { email })).status).toBe(202);
  return (await mailTo(app, email, 'reset_password')).token;
}

const REMOVED = 'Passkeys, authenticator apps and recovery codes of the account were removed';
const flat = (text: string) => text.replace(/\s+/g, ' ');

const reset = (app: TestApp, token: unknown, password: unknown = OTHER) =>
  app.client.post('/password/reset', { token, new_password: password });
const login = (app: TestApp, email: string, password = PASSWORD) =>
  app.client.post('/login', { email, password });

describe.each(STRATEGIES)('a reset with AUTH_STRATEGY=$strategy', ({ strategy }) => {
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

  it('E5, S5, F7, pain 5: ends every session on every node and refresh tokens with them, and signs nobody in', async () => {
    const email = await verified(app);
    const [here, there] = [await signIn(app, email), await signIn(other, email)];
    const token = await resetToken(app, email);
    const reply = await app.client.post('/password/reset', { token, new_password: OTHER }, here.headers);
    expect({ status: reply.status, text: reply.text, cookies: reply.setCookies }).toEqual({
      status: 204,
      text: '',
      cookies: [],
    });
    expect((await here.client.get('/users/me')).body['code']).toBe('credential_revoked');
    await expectSoon(async () => (await other.client.get('/users/me', there.headers)).status, 401);
    for (const { reply: signedIn } of [here, there]) {
      const refreshToken = signedIn.body['refresh_token'];
      if (refreshToken === undefined) continue;
      const refused = await app.client.post('/refresh', { refresh_token: refreshToken });
      expect(refused.body['code']).toBe('refresh_revoked');
    }
    expect((await login(app, email)).status).toBe(401);
    expect((await login(other, email, OTHER)).status).toBe(200);
  });

  it('E5, E12, T8: leaves the second factor of a proved account, which no mail stands in for', async () => {
    const email = await verified(app);
    await plantFactors(app, email);
    expect((await reset(app, await resetToken(app, email))).status).toBe(204);
    const reply = await login(app, email, OTHER);
    expect(reply.body).toMatchObject({ code: 'mfa_required', factors: ['totp', 'passkey', 'recovery_code'] });
    const { token } = await mailTo(app, email, 'reset_password');
    const second = await app.client.post('/mfa', { mfa_token: reply.body['mfa_token'], code: token });
    expect(second.status).toBeGreaterThanOrEqual(400);
    expect(second.setCookies).toEqual([]);
  });

  it('E9, incident 15: of an account nobody proved to own, nothing that was there before opens it any more', async () => {
    const { email, client } = await signIn(app);
    await plantFactors(app, email);
    await client.send('PATCH', '/users/me', { name: 'Mallory' });
    expect((await reset(app, await resetToken(app, email))).status).toBe(204);
    expect((await client.get('/users/me')).status).toBe(401);
    const signedIn = await signIn(app, email, OTHER);
    expect((await signedIn.client.get('/users/me')).body).toMatchObject({ name: null, email_verified: true });
    expect(await leftOf(app, email)).toEqual({ passkeys: 0, totp: 0, codes: 0, tokens: 0 });
    expect(flat((await mailTo(app, email, 'password_changed')).text)).toContain(REMOVED);
  });

  it('E9: the mail names no factors that were removed where they stayed, or there were none', async () => {
    const [proved, bare] = [await verified(app), await signUp(app)];
    await plantFactors(app, proved);
    for (const email of [proved, bare]) {
      expect((await reset(app, await resetToken(app, email))).status).toBe(204);
      expect(flat((await mailTo(app, email, 'password_changed')).text)).not.toContain(REMOVED);
    }
  });
});

describe('links to another password', () => {
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

  it('E1: a known, an unknown, a disabled and a locked address get the same answer and the same work', async () => {
    const [known, disabled] = [await verified(app), await verified(app)];
    await app.query(sql`update users set disabled_at = now() where email = ${disabled}`);
    const replies = [];
    for (const email of [known, disabled, freshEmail()]) {
      const before = await outboxSize(app);
      const { status, text, headers, setCookies } = await app.client.post('/password/forgot', { email });
      const { date: _date, 'x-request-id': _id, ...fixed } = headers;
      replies.push({ status, text, fixed, setCookies, rows: (await outboxSize(app)) - before });
    }
    expect(replies[0]).toMatchObject({ status: 202, text: '', setCookies: [], rows: 1 });
    for (const reply of replies) expect(reply).toEqual(replies[0]);
    expect(await mailsTo(app, disabled, 'reset_password')).toEqual([]);
    expect(await mailsTo(app, known, 'reset_password')).toHaveLength(1);
  });

  it('E1, fault 18: nor does a mail server that fails show in the answer', async () => {
    const failing = await startApp({ env: { SMTP_URL: 'smtp://127.0.0.1:9' } });
    const known = await verified(failing);
    const answers = [];
    for (const email of [known, freshEmail()]) {
      const start = performance.now();
      const { status, text } = await failing.client.post('/password/forgot', { email });
      answers.push({ status, text, isQuick: performance.now() - start < 5_000 });
    }
    expect(answers).toEqual([answers[0], answers[0]]);
    expect(answers[0]).toEqual({ status: 202, text: '', isQuick: true });
    await failing.close();
  });

  it('E2: carry 256 bits of which only SHA-256 is kept, and no log, audit event or outbox row has them', async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    expect(token).toMatch(FORM);
    const [row] = await app.query(
      sql<{ everything: string }>`select string_agg(t, '') as everything from (
        select row_to_json(o)::text as t from one_time_tokens o union all select row_to_json(m)::text from outbox_mails m
        union all select row_to_json(a)::text from audit_events a) as rows`,
    );
    const secret = token.slice('trf_ot_'.length);
    expect(row?.everything).not.toContain(secret);
    expect(row?.everything).not.toContain(Buffer.from(secret).toString('hex'));
    expect(row?.everything).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
    expect((await reset(app, token)).status).toBe(204);
    expect(app.logText()).not.toContain(secret);
    expect(app.logText()).not.toContain(email);
  });

  it('E3, incident 16: of 20 redemptions at once on two nodes exactly one succeeds', async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => reset(i % 2 ? app : other, token, `${OTHER} ${i}`)),
    );
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([204, ...Array.from({ length: 19 }, () => 400)]);
    const winner = replies.findIndex(({ status }) => status === 204);
    expect((await login(app, email, `${OTHER} ${winner}`)).status).toBe(200);
  });

  it('E4: are good for an hour by the database’s clock, and go when it is over', async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    const [row] = await app.query(
      sql<{ seconds: number }>`select extract(epoch from t.expires_at - t.created_at)::int as seconds
        from one_time_tokens t join users u on u.id = t.user_id where u.email = ${email} and purpose = 'reset_password'`,
    );
    expect(row?.seconds).toBe(3600);
    await app.query(sql`update one_time_tokens set expires_at = now()`);
    expect((await reset(app, token)).body['code']).toBe('token_invalid');
    await app.running.app.get(Sweeper, { strict: false }).sweep();
    const old = await app.query(sql`select 1 from one_time_tokens where expires_at <= now()`);
    expect(old).toEqual([]);
  });

  it('E3: the latest counts, and one that was used does not come back when its mail is tried again', async () => {
    const email = await verified(app);
    const first = await resetToken(app, email);
    const second = await resetToken(app, email);
    expect((await reset(app, first)).body['code']).toBe('token_invalid');
    const { id } = await mailTo(app, email, 'reset_password');
    const tryAgain = () =>
      app.query(
        sql`update outbox_mails set state = 'waiting', rendered = null, next_attempt_at = now() where id = ${id}`,
      );
    await tryAgain();
    expect((await mailTo(app, email, 'reset_password')).token).toBe(second);
    expect((await reset(app, second)).status).toBe(204);
    await tryAgain();
    await settleMails(app);
    expect((await reset(app, second, `${OTHER} still`)).body['code']).toBe('token_invalid');
  });

  it('E6, incident 26: lead to PUBLIC_URL, whatever a request says it was sent to', async () => {
    const email = await verified(app);
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'gopher',
      forwarded: 'host=evil.example;proto=gopher',
      'x-original-host': 'evil.example',
    };
    expect((await app.client.post('/password/forgot', { email }, headers)).status).toBe(202);
    const { text, html, link } = await mailTo(app, email, 'reset_password');
    expect(link).toMatch(/^http:\/\/localhost:8000\/account\/reset-password#token=trf_ot_/);
    expect(text + html).not.toMatch(/evil|gopher/);
  });

  it.each([
    ['an array', ['victim@example.com', 'thief@example.com']],
    ['an object', { address: 'victim@example.com' }],
    ['a comma list', 'victim@example.com,thief@example.com'],
    ['CR and LF', 'victim@example.com\r\nBcc: thief@example.com'],
    ['a dotless i', 'v\u0131ctim@example.com'],
    ['the Kelvin sign', 'mi\u212Ae@example.com'],
    ['a display name', 'Victim <victim@example.com>'],
  ])('E7, E8, incident 36: %s instead of an address is 400, and no mail', async (_what, email) => {
    const before = await outboxSize(app);
    const reply = await app.client.post('/password/forgot', { email });
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'email' }] });
    expect(await outboxSize(app)).toBe(before);
  });

  it('E8: another spelling of an address leads to the stored one, and to it alone', async () => {
    const email = freshEmail();
    const stored = `Mixed.${email}`;
    await signUp(app, stored);
    const typed = stored.toUpperCase();
    expect((await app.client.post('/password/forgot', { email: typed })).status).toBe(202);
    expect(await mailsTo(app, stored, 'reset_password')).toHaveLength(1);
    expect(await mailsTo(app, typed)).toEqual([]);
    expect(await mailsTo(app, stored.toLowerCase())).toEqual([]);
  });

  it('E11: more than five an hour are not sent, and the answer stays the same', async () => {
    const email = await verified(app);
    for (let i = 0; i < 8; i += 1)
      expect((await app.client.post('/password/forgot', { email })).status).toBe(202);
    expect(await mailsTo(app, email, 'reset_password')).toHaveLength(5);
    const { token } = await mailTo(app, email, 'reset_password');
    expect((await reset(app, token)).status).toBe(204);
  });

  it('E11: the token counts in the body alone, and a link has it where no server sees it', async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    const query = `?token=${token}`;
    const inQuery = await app.client.post(`/password/reset${query}`, { new_password: OTHER });
    expect(inQuery.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'token' }] });
    expect((await app.client.get(`/password/reset${query}`)).status).toBe(405);
    expect((await mailTo(app, email, 'reset_password')).link.split('#')[0]).not.toContain('trf_');
    expect((await reset(app, token)).status).toBe(204);
  });

  it('P1, P3, P8, P9: a weak password is refused with the reason, and leaves the link as it is', async () => {
    const email = 'henrietta.quill@example.com';
    await signUp(app, email);
    const token = await resetToken(app, email);
    const weak = {
      'fourteen chars': 'too_short',
      passwordpassword: 'common',
      'Henrietta.Quill.2026': 'context_specific',
      [PASSWORD]: 'unchanged',
    };
    for (const [password, reason] of Object.entries(weak)) {
      const reply = await reset(app, token, password);
      expect({ password, status: reply.status, ...reply.body }).toMatchObject({
        password,
        status: 400,
        code: 'weak_password',
        reason,
        errors: [{ path: 'new_password' }],
      });
    }
    const long = await reset(app, token, 'x'.repeat(1025));
    expect(long.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'new_password' }] });
    expect((await reset(app, token, 'fifteen chars !')).status).toBe(204);
  });

  it('P10: a password that counts as known to others opens nothing until the reset, which is recorded', async () => {
    const email = await verified(app);
    await app.query(sql`update users set password_compromised_at = now() where email = ${email}`);
    const reply = await login(app, email);
    expect(reply.status).toBe(401);
    expect(reply.body).toMatchObject({ code: 'password_change_required', action: 'login' });
    expect(reply.setCookies).toEqual([]);
    expect((await login(app, email, OTHER)).body['code']).toBe('invalid_credentials');
    expect(await auditOf(app, email)).toContainEqual({ kind: 'login_failed', reason: 'compromised' });
    expect(app.logs).toContainEqual(
      expect.objectContaining({ event: 'login_failed', reason: 'compromised', user: expect.any(String) }),
    );
    const token = await resetToken(app, email);
    expect((await reset(app, token, PASSWORD)).body['reason']).toBe('unchanged');
    expect((await reset(app, token)).status).toBe(204);
    expect((await login(app, email, OTHER)).status).toBe(200);
  });

  it('L4: lead back in while sign-in is locked, and the new password opens at once', async () => {
    const email = await verified(app);
    for (let i = 0; i < 14; i += 1) await login(app, email, 'wrong wrong wrong wrong');
    expect((await login(app, email)).body['code']).toBe('invalid_credentials');
    expect((await reset(app, await resetToken(app, email))).status).toBe(204);
    expect((await login(app, email, OTHER)).status).toBe(200);
  });

  it('L8: the owner is told at the stored address, and the audit trail has who asked and who did', async () => {
    const email = await verified(app);
    const asking = { 'user-agent': 'Asking/1.0' };
    expect((await app.client.post('/password/forgot', { email }, asking)).status).toBe(202);
    await reset(app, (await mailTo(app, email, 'reset_password')).token);
    expect((await mailTo(app, email, 'password_changed')).text).toContain('127.0.0.1');
    const [asked] = await app.query(
      sql`select actor, ip, user_agent, request_id is not null as has_request from audit_events
        where kind = 'password_reset_requested' and user_id = (select id from users where email = ${email})`,
    );
    expect(asked).toEqual({ actor: 'user', ip: '127.0.0.1', user_agent: 'Asking/1.0', has_request: true });
    const kinds = (await auditOf(app, email)).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['password_reset_requested', 'password_reset']));
    expect(app.logs.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['password_reset_requested', 'password_reset']),
    );
  });

  it('E12: no other token opens it: those for addresses, unknown and mangled ones, and those of a disabled account', async () => {
    const email = await signUp(app);
    const verify = await mailTo(app, email, 'verify_email');
    const token = await resetToken(app, email);
    const flipped = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    for (const wrong of [
      verify.token,
      flipped,
      token.slice(7),
      `${token} `,
      '',
      'trf_ot_',
      `trf_ot_${'A'.repeat(43)}`,
    ])
      expect({ wrong, code: (await reset(app, wrong)).body['code'] }).toEqual({
        wrong,
        code: 'token_invalid',
      });
    expect((await app.client.post('/email/verify', { token })).body['code']).toBe('token_invalid');
    await app.query(sql`update users set disabled_at = now() where email = ${email}`);
    expect((await reset(app, token)).body['code']).toBe('token_invalid');
  });

  it('takes back a change of address that was under way: whoever asked for it may be why the password is reset', async () => {
    const email = await verified(app);
    const thief = freshEmail();
    const { client } = await signIn(app, email);
    expect((await client.post('/email', { email: thief })).status).toBe(202);
    const change = await mailTo(app, thief, 'change_email');
    expect((await reset(app, await resetToken(app, email))).status).toBe(204);
    expect((await app.client.post('/email/verify', { token: change.token })).body['code']).toBe(
      'token_invalid',
    );
    expect((await login(app, email, OTHER)).body['email']).toBe(email);
  });
});

const canBrowse = !onServer && (chromiumPath !== undefined || process.env['TEST_TOOLS'] === 'required');

describe('the pages that mails lead to', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { DOCS: 'off' } });
  });
  afterAll(() => app.close());

  it.each(['verify-email', 'change-email', 'reset-password', 'password'])(
    'E11, C6: /account/%s runs nothing inline and from nowhere else, sends no referrer and is not stored',
    async (name) => {
      const reply = await app.client.get(`/account/${name}`, { accept: 'text/html' });
      expect(reply.status).toBe(200);
      expect(reply.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      const policy = String(reply.headers['content-security-policy']);
      for (const rule of [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'none'",
      ])
        expect(policy).toContain(rule);
      expect(policy).not.toMatch(/unsafe|https?:/);
      expect(reply.text).not.toMatch(/https?:|<script>|<style|\son\w+=|style=/);
      for (const [, path = ''] of reply.text.matchAll(/(?:src|href)="(\/[^"]*)"/g))
        expect((await app.client.get(path, { accept: '*/*' })).status).toBe(200);
    },
  );

  it('E9: says before the reset that factors can go with it', async () => {
    const { text } = await app.client.get('/account/reset-password', { accept: 'text/html' });
    expect(text).toMatch(/never confirmed.*passkeys, authenticator app and recovery codes/);
  });

  it('L8: each link of a security mail is a page that is served', async () => {
    const email = await verified(app);
    await reset(app, await resetToken(app, email));
    const { text, html } = await mailTo(app, email, 'password_changed');
    const [, path = ''] = /^http:\/\/localhost:8000(\/\S+)$/m.exec(text) ?? [];
    expect(path).toBe('/account/password');
    expect(html).toContain('<a href="http://localhost:8000/account/password">');
    expect((await app.client.get(path, { accept: 'text/html' })).status).toBe(200);
  });

  (canBrowse ? describe : describe.skip)('in a real browser', () => {
    let origin: string;
    beforeAll(async () => {
      origin = await app.listen();
    });

    it('whoever got a security mail asks for a link, chooses another password, and is signed out everywhere', async () => {
      const email = await verified(app);
      const thief = await signIn(app, email);
      const { page, complaints, close } = await openPage();
      await page.goto(`${origin}/account/password`);
      await page.getByLabel('E-mail address').fill('a@b');
      await page.getByRole('button').click();
      await page.getByText('This is no e-mail address').waitFor();
      await page.getByLabel('E-mail address').fill(email);
      await page.getByRole('button').click();
      await page.getByText('a mail with a link is on its way').waitFor();
      const { token } = await mailTo(app, email, 'reset_password');
      await page.goto(`${origin}/account/reset-password#token=${token}`);
      await page.getByLabel('New password').fill(OTHER);
      await page.getByRole('button').click();
      await page.getByText('Your password is changed').waitFor();
      expect((await thief.client.get('/users/me')).status).toBe(401);
      expect((await login(app, email, OTHER)).status).toBe(200);
      expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
      await close();
    });

    it('another password is chosen after a click, and the token leaves the address bar', async () => {
      const email = await verified(app);
      const token = await resetToken(app, email);
      const { page, complaints, requests, close } = await openPage();
      await page.goto(`${origin}/account/reset-password#token=${token}`);
      const field = page.getByLabel('New password');
      await field.fill('too short');
      expect(page.url()).toBe(`${origin}/account/reset-password`);
      await page.getByRole('button').click();
      await page.getByText('at least 15 characters').waitFor();
      await field.fill(OTHER);
      await page.getByRole('button').click();
      await page.getByText('Your password is changed').waitFor();
      expect((await login(app, email, OTHER)).status).toBe(200);
      await page.goto(`${origin}/account/reset-password#token=${token}`);
      await page.getByLabel('New password').fill(`${OTHER} again`);
      await page.getByRole('button').click();
      await page.getByText('does not work any more').waitFor();
      expect(requests.filter((url) => url.includes('trf_ot_') && !url.includes('#'))).toEqual([]);
      expect(requests.every((url) => url.startsWith(origin) || url.startsWith('data:'))).toBe(true);
      // The refused passwords are answered 400, which the console notes.
      expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
      await close();
    });
  });
});

async function outboxSize(app: TestApp): Promise<number> {
  const [row] = await app.query(sql<{ size: number }>`select count(*)::int as size from outbox_mails`);
  return row?.size ?? 0;
}

async function auditOf(app: TestApp, email: string): Promise<{ kind: string; reason: string | null }[]> {
  return app.query(
    sql<{ kind: string; reason: string | null }>`select kind, details->>'reason' as reason
      from audit_events where user_id = (select id from users where email = ${email})`,
  );
}

/** Every second factor, as rows. */
async function plantFactors(app: TestApp, email: string): Promise<void> {
  const owner = sql`(select id from users where email = ${email})`;
  const noise = Buffer.from(crypto.randomUUID());
  await app.query(
    sql`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
        values (${crypto.randomUUID()}, ${owner}, 'planted', ${noise}, ${noise}, ${['internal']}, false, false, ${crypto.randomUUID()})`,
  );
  await app.query(
    sql`insert into totp_authenticators (user_id, seed, confirmed_at) values (${owner}, ${noise}, now())`,
  );
  await app.query(
    sql`insert into recovery_codes (code_hash, user_id) values (sha256(${noise}::bytea), ${owner})`,
  );
}

async function leftOf(app: TestApp, email: string): Promise<Record<string, number> | undefined> {
  const owner = sql`(select id from users where email = ${email})`;
  const [row] = await app.query(
    sql<
      Record<string, number>
    >`select (select count(*)::int from passkeys where user_id = ${owner}) as passkeys,
        (select count(*)::int from totp_authenticators where user_id = ${owner}) as totp,
        (select count(*)::int from recovery_codes where user_id = ${owner}) as codes,
        (select count(*)::int from one_time_tokens where user_id = ${owner}) as tokens`,
  );
  return row;
}

/** Waits a moment until something is as it must be. */
async function expectSoon<T>(look: () => Promise<T>, expected: T): Promise<void> {
  const until = Date.now() + 3_000;
  while ((await look()) !== expected && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 25));
  expect(await look()).toEqual(expected);
}
