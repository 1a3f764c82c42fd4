import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Purger } from '../../src/platform/retention/purger.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { mailsTo, mailTo, mailsQueued } from '../support/mailbox.js';
import { freshEmail, PASSWORD, signIn, signUp, STRATEGIES } from '../support/strategies.js';
import { given } from '../support/given.js';
import { login, resetToken, verified } from '../support/recovery.js';

const OTHER = 'another quiet passphrase';
const FORM = /^trf_ot_[A-Za-z0-9_-]{43}$/;

const REMOVED = 'passkeys, authenticator apps and recovery codes of the account were removed';
const flat = (text: string) => text.replace(/\s+/g, ' ');

const reset = (app: TestApp, token: unknown, password: unknown = OTHER) =>
  app.client.post('/password/reset', { token, new_password: password });

describe.each(STRATEGIES)('reset with AUTH_STRATEGY=$strategy', ({ strategy }) => {
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

  it('ends every session and refresh token on every node, and does not sign in [E5, S5, F7, pain 5]', async () => {
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

  it('keeps the second factor of a verified account, which no mail replaces [E5, E12, T8]', async () => {
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

  it('of an account with an unverified address removes all earlier sign-in methods [E9, incident 15]', async () => {
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

  it('names removed factors in the mail only if any were removed [E9]', async () => {
    const [proved, bare] = [await verified(app), await signUp(app)];
    await plantFactors(app, proved);
    for (const email of [proved, bare]) {
      expect((await reset(app, await resetToken(app, email))).status).toBe(204);
      expect(flat((await mailTo(app, email, 'password_changed')).text)).not.toContain(REMOVED);
    }
  });
});

describe('reset links', () => {
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

  it('are requested with the same answer and work for known, unknown, disabled and locked addresses [E1]', async () => {
    const [known, disabled] = [await verified(app), await verified(app)];
    await given.disabledAccount(app, disabled);
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

  it('are requested with the same answer while the mail server fails [E1, fault 18]', async () => {
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

  it('have 140 bits, stored as SHA-256, and appear in no log, audit event or outbox row [E2]', async () => {
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
    const { code } = await mailTo(app, email, 'reset_password');
    expect(row?.everything).not.toContain(code);
    expect(row?.everything).not.toContain(code.replaceAll('-', ''));
    expect((await reset(app, token)).status).toBe(204);
    expect(app.logText()).not.toContain(secret);
    expect(app.logText()).not.toContain(email);
  });

  const spelt: readonly [string, (code: string) => string][] = [
    ['as it is', (code) => code],
    ['in lower case', (code) => code.toLowerCase()],
    ['without dashes', (code) => code.replaceAll('-', '')],
    ['with spaces and long dashes', (code) => ` ${code.replaceAll('-', ' \u2013\u00a0')} `],
    [
      'with O for 0, and I and l for 1',
      (code) => code.replaceAll('0', 'O').replace('1', 'I').replaceAll('1', 'l'),
    ],
  ];
  it.each(spelt)(
    'are also a text in the mail, taken %s, once for both [E2, E3, fault 28]',
    async (_what, spell) => {
      const email = await signUp(app);
      const verify = await mailTo(app, email, 'verify_email');
      const prove = (token: string) => app.client.post('/email/verify', { token });
      expect(verify.code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
      expect(verify.html).toContain(`<code>${verify.code}</code>`);
      expect((await prove(spell(verify.code))).status).toBe(204);
      expect((await prove(verify.token)).body['code']).toBe('token_invalid');

      await resetToken(app, email);
      const { code, token } = await mailTo(app, email, 'reset_password');
      expect((await prove(code)).body['code']).toBe('token_invalid');
      expect((await reset(app, token)).status).toBe(204);
      expect((await reset(app, spell(code))).body['code']).toBe('token_invalid');

      const wanted = freshEmail();
      const { client } = await signIn(app, email, OTHER);
      expect((await client.post('/email', { email: wanted })).status).toBe(202);
      const change = await mailTo(app, wanted, 'change_email');
      expect((await prove(spell(change.code))).status).toBe(204);
      expect((await client.get('/users/me')).body['email']).toBe(wanted);
    },
  );

  it('are refused as text with a wrong, missing or further character [E2, fault 28]', async () => {
    const email = await verified(app);
    await resetToken(app, email);
    const { code } = await mailTo(app, email, 'reset_password');
    const wrong = [
      `${code.slice(0, -1)}${code.endsWith('2') ? '3' : '2'}`,
      code.slice(0, -1),
      `${code}2`,
      code.slice(5),
      code.replace(/.$/, 'U'),
      code.replace(/.$/, '\u{1D7D8}'),
    ];
    for (const text of wrong)
      expect({ text, code: (await reset(app, text)).body['code'] }).toEqual({ text, code: 'token_invalid' });
    expect((await reset(app, code)).status).toBe(204);
  });

  it('of 20 concurrent redemptions on two nodes, exactly one succeeds [E3, incident 16]', async () => {
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

  it("are valid for an hour by the database's clock, and purged after it [E4]", async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    const [row] = await app.query(
      sql<{ seconds: number }>`select extract(epoch from t.expires_at - t.created_at)::int as seconds
        from one_time_tokens t join users u on u.id = t.user_id where u.email = ${email} and purpose = 'reset_password'`,
    );
    expect(row?.seconds).toBe(3600);
    await given.expiredMailTokens(app);
    expect((await reset(app, token)).body['code']).toBe('token_invalid');
    await app.running.app.get(Purger, { strict: false }).purge();
    const old = await app.query(sql`select 1 from one_time_tokens where expires_at <= now()`);
    expect(old).toEqual([]);
  });

  it('are replaced by later ones; a used one stays used when its mail is retried [E3]', async () => {
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
    await mailsQueued(app);
    expect((await reset(app, second, `${OTHER} still`)).body['code']).toBe('token_invalid');
  });

  it('use PUBLIC_URL, whatever headers a request has [E6, incident 26]', async () => {
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
    expect(link).toMatch(/^http:\/\/localhost:8000\/reset-password#token=trf_ot_/);
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
  ])('%s in place of an address is 400 and sends no mail [E7, E8, incident 36]', async (_what, email) => {
    const before = await outboxSize(app);
    const reply = await app.client.post('/password/forgot', { email });
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'email' }] });
    expect(await outboxSize(app)).toBe(before);
  });

  it('are sent to the stored address for any spelling, and to no other [E8]', async () => {
    const email = freshEmail();
    const stored = `Mixed.${email}`;
    await signUp(app, stored);
    const typed = stored.toUpperCase();
    expect((await app.client.post('/password/forgot', { email: typed })).status).toBe(202);
    expect(await mailsTo(app, stored, 'reset_password')).toHaveLength(1);
    expect(await mailsTo(app, typed)).toEqual([]);
    expect(await mailsTo(app, stored.toLowerCase())).toEqual([]);
  });

  it('are limited to five per hour with the same answer [E11]', async () => {
    const email = await verified(app);
    for (let i = 0; i < 8; i += 1)
      expect((await app.client.post('/password/forgot', { email })).status).toBe(202);
    expect(await mailsTo(app, email, 'reset_password')).toHaveLength(5);
    const { token } = await mailTo(app, email, 'reset_password');
    expect((await reset(app, token)).status).toBe(204);
  });

  it('are accepted in the body only, and carry their token in the fragment [E11]', async () => {
    const email = await verified(app);
    const token = await resetToken(app, email);
    const query = `?token=${token}`;
    const inQuery = await app.client.post(`/password/reset${query}`, { new_password: OTHER });
    expect(inQuery.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'token' }] });
    expect((await app.client.get(`/password/reset${query}`)).status).toBe(405);
    expect((await mailTo(app, email, 'reset_password')).link.split('#')[0]).not.toContain('trf_');
    expect((await reset(app, token)).status).toBe(204);
  });

  it('survive a weak password, which is refused with the reason [P1, P3, P8, P9]', async () => {
    const email = 'henrietta.quill@example.com';
    await signUp(app, email);
    const token = await resetToken(app, email);
    const weak = {
      'fourteen chars': ['too_short'],
      passwordpassword: ['common', 'guessable'],
      'Henrietta.Quill.2026': ['context_specific', 'guessable'],
      [PASSWORD]: ['unchanged'],
    };
    for (const [password, reasons] of Object.entries(weak)) {
      const reply = await reset(app, token, password);
      expect({ password, status: reply.status, ...reply.body }).toMatchObject({
        password,
        status: 400,
        code: 'weak_password',
        reason: reasons[0],
        errors: reasons.map((reason) => ({ path: 'new_password', reason })),
      });
    }
    const long = await reset(app, token, 'x'.repeat(1025));
    expect(long.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'new_password' }] });
    expect((await reset(app, token, 'fifteen chars !')).status).toBe(204);
  });

  it('restore an account with a compromised password, recorded [P10]', async () => {
    const email = await verified(app);
    await given.compromisedPassword(app, email);
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

  it('work during a lockout, and the new password signs in immediately [L4]', async () => {
    const email = await verified(app);
    for (let i = 0; i < 14; i += 1) await login(app, email, 'wrong wrong wrong wrong');
    expect((await login(app, email)).body['code']).toBe('invalid_credentials');
    expect((await reset(app, await resetToken(app, email))).status).toBe(204);
    expect((await login(app, email, OTHER)).status).toBe(200);
  });

  it('notify the owner at the stored address, and record who requested and who reset [L8]', async () => {
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

  it('cannot be replaced by other tokens, unknown or damaged ones, or those of a disabled account [E12]', async () => {
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
    await given.disabledAccount(app, email);
    expect((await reset(app, token)).body['code']).toBe('token_invalid');
  });

  it('revoke a pending change of address, which an attacker may have requested', async () => {
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

describe('a security mail', () => {
  it('links to a page [L8]', async () => {
    const app = await startApp({ env: { PAGES: 'off' } });
    const email = await verified(app);
    await reset(app, await resetToken(app, email));
    const { text, html } = await mailTo(app, email, 'password_changed');
    const [, path = ''] = /^http:\/\/localhost:8000(\/\S+)$/m.exec(text) ?? [];
    expect(path).toBe('/forgot');
    expect(html).toContain('<a href="http://localhost:8000/forgot">');
    expect((await app.client.get(path, { accept: 'text/html' })).status).toBe(200);
    await app.close();
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
