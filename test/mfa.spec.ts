import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { ServiceClients } from '../src/auth/clients/service-clients.service.js';
import { MfaChallenges } from '../src/auth/mfa/mfa-challenges.service.js';
import { PresentedSessions } from '../src/auth/presented-sessions.service.js';
import { RecoveryCodes } from '../src/auth/recovery-codes/recovery-codes.service.js';
import { Passkeys } from '../src/auth/passkeys/passkeys.service.js';
import { Totp } from '../src/auth/totp/totp.service.js';
import { TotpEnrolment } from '../src/auth/totp/totp-enrolment.service.js';
import { TotpSeeds } from '../src/auth/totp/totp-seeds.service.js';
import { RouteTable } from '../src/http/route-table.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { startApp, TEST_SECRET, type TestApp } from './support/app.js';
import { cookieValue, type Reply } from './support/client.js';
import { PASSWORD, signIn, STRATEGIES } from './support/strategies.js';
import { type CreationOptions, type RequestOptions, SoftwareAuthenticator } from './support/webauthn.js';
import {
  addRecoveryCodes,
  addTotp,
  codeAt,
  codeOfNow,
  type Enrolled,
  enrolled,
  forgetSteps,
  mfaToken,
  signedInBy,
  signInByTotp,
  stepOfNow,
  wrongCode,
} from './support/totp.js';

const OTHER_SECRET = 'Zb3xR8wN1qK6tV0yU5hG2mJ9sD4fAeLcPoIuTyQr';

const login = (app: TestApp, email: string, body: object = {}) =>
  app.client.post('/login', { email, password: PASSWORD, ...body });
const answerOf = ({ status, body }: Reply) => [status, body['code']];

/** A passkey that nobody has: it counts as a factor all the same. */
async function addPasskeyRow(app: TestApp, email: string): Promise<string> {
  const [row] = await app.query(
    sql<{
      id: string;
    }>`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
        select gen_random_uuid(), id, 'key', sha256(id::text::bytea), '\\x00', '{}', false, false, '00000000-0000-0000-0000-000000000000'
        from users where email = ${email} returning id`,
  );
  return row?.id ?? '';
}

/** What was to be told of factors by mail, the oldest first. */
function mailsTo(app: TestApp, email: string): Promise<{ kind: string; params: Record<string, string> }[]> {
  return app.query(
    sql`select kind, params from outbox_mails where recipient = ${email} and (kind like 'factor_%' or kind like 'recovery_%') order by created_at, id`,
  );
}

async function auditOf(app: TestApp, email: string): Promise<string[]> {
  const rows = await app.query(
    sql<{ kind: string }>`select a.kind from audit_events a join users u on u.id = a.user_id
      where u.email = ${email} order by a.at, a.id`,
  );
  return rows.map(({ kind }) => kind);
}

/** What signing in does once the password was right: many of these need no hash. */
async function beginSignIn(app: TestApp, email: string): Promise<string> {
  const [user] = await app.query(
    sql<{ id: string; hash: string }>`select id, password_hash as hash from users where email = ${email}`,
  );
  const { id: userId, hash: passwordHash } = user ?? { id: '', hash: '' };
  const half = { userId, passwordHash, methods: ['pwd'], transport: 'bearer' } as const;
  return app.running.app.get(MfaChallenges, { strict: false }).begin(half);
}

async function idOf(app: TestApp, email: string): Promise<string> {
  const [row] = await app.query(sql<{ id: string }>`select id from users where email = ${email}`);
  return row?.id ?? '';
}

describe.each(STRATEGIES)('a second factor with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it('incident 25, T5: is asked for from the first confirmed code on, and not before', async () => {
    const { client, email } = await signIn(app);
    const { secret } = (await client.post('/totp')).body;
    expect((await login(app, email)).status).toBe(200);
    const confirmed = await client.post('/totp/confirm', { code: await codeOfNow(app, secret) });
    expect([confirmed.status, confirmed.text]).toEqual([204, '']);
    const reply = await login(app, email);
    expect(reply.status).toBe(401);
    expect(reply.setCookies).toEqual([]);
    expect(reply.body).toMatchObject({ code: 'mfa_required', action: 'login', factors: ['totp'] });
    expect(Object.keys(reply.body).toSorted()).toEqual(
      [
        'action',
        'code',
        'detail',
        'factors',
        'mfa_token',
        'request_id',
        'status',
        'title',
        'type',
      ].toSorted(),
    );
    // The session that was there goes on.
    expect((await client.get('/users/me')).status).toBe(200);
  });

  it('incident 25, S8: a session from before it has to show it before it changes anything; the one that added it has', async () => {
    const { client, email } = await signIn(app);
    const before = await signIn(app, email);
    const secret = await addTotp(app, client);
    const sensitive = [
      ['DELETE', '/totp'],
      ['POST', '/totp'],
      ['POST', '/recovery-codes'],
      ['POST', '/passkeys/registration/options'],
      ['GET', '/users/me/export'],
      ['POST', '/email', { email: `new.${email}` }],
      ['POST', '/password', { new_password: 'another long passphrase' }],
      ['DELETE', '/users/me'],
    ] as const;
    for (const [method, url, body] of sensitive) {
      const reply = await before.client.send(method, url, body);
      expect([url, ...answerOf(reply)]).toEqual([url, 401, 'step_up_required']);
    }
    expect((await before.client.get('/users/me')).status).toBe(200);
    await addRecoveryCodes(client);
    const proof = await before.client.post('/reauthenticate', {
      password: PASSWORD,
      code: await codeOfNow(app, secret),
    });
    expect(proof.status).toBe(204);
    const { headers = before.headers } =
      proof.setCookies.length > 0 ? { headers: { cookie: proof.setCookies[0] ?? '' } } : {};
    expect((await app.client.send('DELETE', '/totp', undefined, headers)).status).toBe(204);
  });

  it('S2-3: completes a sign-in as /login answers, with a session that is new, and ends the one brought along', async () => {
    const person = await enrolled(app);
    const before = await signInByTotp(app, person);
    await app.query(
      sql`update sessions set authenticated_at = now() - interval '1 hour' where id = ${before.sessionId}`,
    );
    await forgetSteps(app);
    const mfa_token = await mfaToken(app, person.email);
    const code = await codeOfNow(app, person.secret);
    const reply = await before.client.post('/mfa', { mfa_token, code });
    const after = signedInBy(app, person.email, reply);
    expect(Object.keys(reply.body)).toEqual(Object.keys(person.reply.body));
    expect(reply.body).toMatchObject({ success: true, email: person.email });
    expect(reply.body['session'].strategy).toBe(issues);
    expect(after.sessionId).not.toBe(before.sessionId);
    expect(after.headers).not.toEqual(before.headers);
    expect((await before.client.get('/users/me')).status).toBe(401);
    expect((await after.client.get('/users/me')).status).toBe(200);
    // Signed in a moment ago, by RFC 8176's names for both factors.
    const [row] = await app.query(
      sql`select methods, authenticated_at > now() - interval '1 minute' as fresh from sessions where id = ${after.sessionId}`,
    );
    expect(row).toEqual({ methods: ['pwd', 'otp', 'mfa'], fresh: true });
    expect(answerOf(await app.client.post('/mfa', { mfa_token, code }))).toEqual([401, 'mfa_token_invalid']);
  });

  it('incident 25: whatever the factors, the password alone opens nothing, and each that there is is named', async () => {
    const { client, email } = await signIn(app);
    const sets = [
      { totp: true, passkey: false },
      { totp: false, passkey: true },
      { totp: true, passkey: true },
    ];
    for (const { totp, passkey } of sets) {
      for (const codes of [false, true]) {
        await app.query(sql`delete from totp_authenticators`);
        await app.query(sql`delete from passkeys`);
        await app.query(sql`delete from recovery_codes`);
        if (totp) await addTotp(app, client);
        if (passkey) await addPasskeyRow(app, email);
        if (codes) await addRecoveryCodes(client);
        const { status, body, setCookies } = await login(app, email);
        const factors = [
          ...(totp ? ['totp'] : []),
          ...(passkey ? ['passkey'] : []),
          ...(codes ? ['recovery_code'] : []),
        ];
        expect({ status, factors: body['factors'] }).toEqual({ status: 401, factors });
        expect([setCookies, body['session'], body['access_token']]).toEqual([[], undefined, undefined]);
      }
    }
    // T8, E12: a mailbox is no factor, nor are recovery codes without one that they stand in for.
    await app.query(sql`delete from totp_authenticators`);
    await app.query(sql`delete from passkeys`);
    await app.query(sql`update users set email_verified_at = now() where email = ${email}`);
    expect((await login(app, email)).status).toBe(200);
  });

  it('T7, S13, incidents 13, 24: the mfa_token opens no route, however it is carried, and is good for its own all the while', async () => {
    const person = await enrolled(app);
    const token = await mfaToken(app, person.email);
    const names = ['session', 'access_token', 'refresh_token'].flatMap((name) => [name, `__Host-${name}`]);
    const carriers = [
      { cookie: names.map((name) => `${name}=${token}`).join('; ') },
      { authorization: `Bearer ${token}` },
    ];
    const opened: string[] = [];
    let closed = 0;
    for (const { path, method } of app.running.app.get(RouteTable, { strict: false }).all()) {
      if (['HEAD', 'OPTIONS'].includes(method)) continue;
      const url = path.replaceAll(/:\w+/g, '019a0000-0000-7000-8000-000000000000').replace('*', 'x');
      const anonymous = await app.client.send(method as 'GET', url);
      if (anonymous.status === 401) closed += 1;
      for (const headers of carriers) {
        const { status, body } = await app.client.send(method as 'GET', url, undefined, headers);
        if (status !== 401 && status !== anonymous.status) opened.push(`${method} ${path}: ${status}`);
        if (body['logged_in'] === true) opened.push(`${method} ${path}`);
      }
    }
    expect(opened).toEqual([]);
    expect(closed).toBeGreaterThan(15);
    expect(answerOf(await app.client.post('/refresh', { refresh_token: token }))).toEqual([
      401,
      'refresh_invalid',
    ]);
    await app.client.post('/logout', { refresh_token: token });
    const service = await app.running.app
      .get(ServiceClients, { strict: false })
      .add(`resource-${strategy}`, ['introspect', 'revoke']);
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${btoa(`${service?.id}:${service?.secret}`)}`,
    };
    const form = (path: string) => app.client.post(path, `token=${encodeURIComponent(token)}`, headers);
    expect((await form('/introspect')).body).toEqual({ active: false });
    expect((await form('/revoke')).status).toBe(200);
    // None of it used the token up, and a session that it becomes is none of these.
    const code = await codeOfNow(app, person.secret);
    signedInBy(app, person.email, await app.client.post('/mfa', { mfa_token: token, code }));
    expect((await app.client.get('/users/me', carriers[1])).status).toBe(401);
    expect((await app.client.get('/users/me', carriers[0])).status).toBe(401);
  });

  it('T6, L8: a recovery code stands in for it once, and its owner is told how many are left', async () => {
    const person = await enrolled(app);
    const [code] = await addRecoveryCodes(person.client);
    const reply = await app.client.post('/mfa', {
      mfa_token: await mfaToken(app, person.email),
      recovery_code: code,
    });
    const { sessionId, client } = signedInBy(app, person.email, reply);
    expect((await client.get('/users/me')).status).toBe(200);
    const [row] = await app.query(sql`select methods from sessions where id = ${sessionId}`);
    expect(row).toEqual({ methods: ['pwd', 'mfa'] });
    const again = await app.client.post('/mfa', {
      mfa_token: await mfaToken(app, person.email),
      recovery_code: code,
    });
    expect(answerOf(again)).toEqual([401, 'mfa_failed']);
    const mails = await mailsTo(app, person.email);
    expect(mails.map(({ kind }) => kind)).toEqual([
      'factor_added',
      'recovery_codes_made',
      'recovery_code_used',
    ]);
    expect(mails.map(({ params }) => params['left'])).toEqual([undefined, undefined, '9']);
    expect(await auditOf(app, person.email)).toContain('recovery_code_used');
  });
});

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

  describe('an authenticator app', () => {
    it('T2: gets a seed of 160 bits in base32, as a key URI and as a QR code', async () => {
      const { client, email } = await signIn(app);
      const { status, headers, body } = await client.post('/totp');
      expect(status).toBe(200);
      expect(headers['cache-control']).toBe('no-store');
      expect(Object.keys(body)).toEqual(['secret', 'otpauth_uri', 'qr_svg']);
      expect(body['secret']).toMatch(/^[A-Z2-7]{32}$/);
      const uri = new URL(body['otpauth_uri']);
      expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual([
        'otpauth:',
        'totp',
        `/localhost:${email}`,
      ]);
      expect(Object.fromEntries(uri.searchParams)).toEqual({
        issuer: 'localhost',
        secret: body['secret'],
        algorithm: 'SHA1',
        digits: '6',
        period: '30',
      });
      expect(body['qr_svg']).toMatch(
        /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^]*<path [^]*<\/svg>\s*$/,
      );
      expect(body['qr_svg']).not.toMatch(/<script|<image|href/);
      expect((await client.post('/totp')).body['secret']).not.toBe(body['secret']);
    });

    it('T2: has its seed encrypted at rest, for its owner alone, and in no log, mail or audit event', async () => {
      const person = await enrolled(app);
      const other = await enrolled(app);
      await person.client.post('/totp');
      const seeds = app.running.app.get(TotpSeeds, { strict: false });
      const [row] = await app.query(
        sql<{
          id: string;
          seed: Uint8Array;
        }>`select u.id, t.seed from totp_authenticators t join users u on u.id = t.user_id where u.email = ${person.email}`,
      );
      const [stranger] = await app.query(
        sql<{ id: string }>`select id from users where email = ${other.email}`,
      );
      const seed = seeds.unseal(row?.id ?? '', row?.seed ?? Buffer.alloc(0));
      expect(codeAt(person.secret, 1)).toMatch(/^\d{6}$/);
      expect(seed).toHaveLength(20);
      expect(Buffer.from(row?.seed ?? []).includes(seed ?? '-')).toBe(false);
      expect(seeds.unseal(stranger?.id ?? '', row?.seed ?? Buffer.alloc(0))).toBeNull();
      const [dump] = await app.query(
        sql<{
          text: string;
        }>`select (select coalesce(string_agg(m::text, ''), '') from outbox_mails m) || (select string_agg(a::text, '') from audit_events a)
          || (select string_agg(t::text, '') from totp_authenticators t) as text`,
      );
      for (const secret of [person.secret, seed?.toString('hex') ?? '-']) {
        expect(dump?.text).not.toContain(secret);
        expect(app.logText()).not.toContain(secret);
      }
    });

    it('T5: keeps working until another was confirmed in its place, and not any longer', async () => {
      const person = await enrolled(app);
      const { secret } = (await person.client.post('/totp')).body;
      expect(answerOf(await present(person.email, { code: await codeOfNow(app, secret) }))).toEqual([
        401,
        'mfa_failed',
      ]);
      expect((await present(person.email, { code: await codeOfNow(app, person.secret) })).status).toBe(200);
      const code = await codeOfNow(app, secret);
      expect((await person.client.post('/totp/confirm', { code })).status).toBe(204);
      // T1: what confirmed it is used up.
      expect(answerOf(await present(person.email, { code }))).toEqual([401, 'mfa_failed']);
      await forgetSteps(app);
      expect(answerOf(await present(person.email, { code: await codeOfNow(app, person.secret) }))).toEqual([
        401,
        'mfa_failed',
      ]);
      expect((await present(person.email, { code: await codeOfNow(app, secret) })).status).toBe(200);
    });

    it('T5: a code that was right a moment before another took its place is used up for nothing', async () => {
      const person = await enrolled(app);
      const userId = await idOf(app, person.email);
      const totp = app.running.app.get(Totp, { strict: false });
      const match = await totp.match(userId, await codeOfNow(app, person.secret));
      await addTotp(app, person.client);
      if (!match) throw new Error('the code was wrong');
      expect(await totp.useUp(app.running.database.database, userId, match)).toBe(false);
    });

    it('T5: is confirmed by one good code of its own, within the hour', async () => {
      const { client, email } = await signIn(app);
      const confirm = (code: string) => client.post('/totp/confirm', { code });
      expect(answerOf(await confirm('123456'))).toEqual([409, 'totp_not_started']);
      const { secret } = (await client.post('/totp')).body;
      expect(answerOf(await confirm(await wrongCode(app, secret)))).toEqual([400, 'totp_code_wrong']);
      const code = await codeOfNow(app, secret);
      await app.query(
        sql`update totp_authenticators set pending_at = now() - interval '61 minutes' where pending_at is not null`,
      );
      expect(answerOf(await confirm(code))).toEqual([409, 'totp_not_started']);
      const { secret: another } = (await client.post('/totp')).body;
      const typed = (await codeOfNow(app, another)).replace(/^.../, '$& ');
      expect((await confirm(typed)).status).toBe(204);
      expect(answerOf(await confirm(typed))).toEqual([409, 'totp_not_started']);
      expect(await mailsTo(app, email)).toMatchObject([{ kind: 'factor_added', params: { factor: 'totp' } }]);
      expect(await auditOf(app, email)).toContain('totp_added');
    });

    it('T3: is right for one step of drift to either side, and it does not matter what time the client says it is', async () => {
      const { email, secret } = await enrolled(app);
      const totp = app.running.app.get(Totp, { strict: false });
      const userId = await idOf(app, email);
      const isRight = async (offset: number) => {
        await forgetSteps(app);
        return (await totp.match(userId, codeAt(secret, (await stepOfNow(app)) + offset))) !== null;
      };
      const rights = [];
      for (const offset of [-2, -1, 0, 1, 2]) rights.push(await isRight(offset));
      expect(rights).toEqual([false, true, true, true, false]);
      for (const code of ['', '12345', '1234567', 'é12345', '-12345', '１２３４５６'])
        expect(await totp.match(userId, code)).toBeNull();
      const late = (await stepOfNow(app)) + 2;
      const body = { mfa_token: await mfaToken(app, email), code: codeAt(secret, late) };
      const date = new Date(late * 30_000).toUTCString();
      expect(answerOf(await app.client.post('/mfa', body, { date }))).toEqual([401, 'mfa_failed']);
    });

    it('T1: takes no code twice, nor an older one after it', async () => {
      const { email, secret } = await enrolled(app);
      const step = await stepOfNow(app);
      expect((await present(email, { code: codeAt(secret, step) })).status).toBe(200);
      expect(answerOf(await present(email, { code: codeAt(secret, step) }))).toEqual([401, 'mfa_failed']);
      expect(answerOf(await present(email, { code: codeAt(secret, step - 1) }))).toEqual([401, 'mfa_failed']);
      expect((await present(email, { code: codeAt(secret, step + 1) })).status).toBe(200);
      expect(await auditOf(app, email)).toContain('mfa_failed');
    });

    it('T5, S5: is removed at once, and with it the recovery codes; other sessions end if that is asked for', async () => {
      const person = await enrolled(app);
      await addRecoveryCodes(person.client);
      const other = await signInByTotp(app, person);
      expect((await person.client.send('DELETE', '/totp')).status).toBe(204);
      expect((await other.client.get('/users/me')).status).toBe(200);
      expect((await login(app, person.email)).status).toBe(200);
      const [left] = await app.query(
        sql<{
          count: number;
        }>`select count(*)::int as count from recovery_codes r join users u on u.id = r.user_id where u.email = ${person.email}`,
      );
      expect(left?.count).toBe(0);
      expect(answerOf(await person.client.send('DELETE', '/totp'))).toEqual([404, 'not_found']);
      await addTotp(app, person.client);
      await addPasskeyRow(app, person.email);
      await addRecoveryCodes(person.client);
      const url = '/totp?end_other_sessions=true';
      expect((await person.client.send('DELETE', url)).status).toBe(204);
      expect((await other.client.get('/users/me')).body['code']).toBe('credential_revoked');
      expect((await person.client.get('/users/me')).status).toBe(200);
      // Codes that still stand in for a passkey stay.
      expect((await login(app, person.email)).body['factors']).toEqual(['passkey', 'recovery_code']);
      const kinds = (await mailsTo(app, person.email)).map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'factor_removed')).toHaveLength(2);
      expect(await auditOf(app, person.email)).toContain('totp_removed');
    });

    it('S4: nobody changes it, or makes codes for it, by what is remembered of a session that has ended', async () => {
      const person = await enrolled(app);
      const passkey = await addPasskeyRow(app, person.email);
      const { secret } = (await person.client.post('/totp')).body;
      const userId = await idOf(app, person.email);
      await person.client.post('/logout');
      // Behind the guard, which lets pass what it remembers for a moment.
      const request = {
        userId,
        sessionId: person.sessionId,
        otherSessions: 'end',
        client: { requestId: 'x', ip: '127.0.0.1', userAgent: null },
      } as const;
      const of = <T>(service: abstract new (...parameters: never[]) => T) =>
        app.running.app.get<T>(service, { strict: false });
      expect(await of(TotpEnrolment).confirm(request, await codeOfNow(app, secret))).toBe('session_ended');
      expect(await of(TotpEnrolment).remove(request)).toBe('session_ended');
      expect(await of(RecoveryCodes).replace(request)).toBe('session_ended');
      expect(await of(Passkeys).remove(request, passkey)).toBe('session_ended');
      expect((await login(app, person.email)).body['factors']).toEqual(['totp', 'passkey']);
      expect((await mailsTo(app, person.email)).map(({ kind }) => kind)).toEqual(['factor_added']);
    });

    it('S5: ends the other sessions at its confirmation, if that is asked for', async () => {
      const first = await signIn(app);
      const second = await signIn(app, first.email);
      const { secret } = (await first.client.post('/totp')).body;
      const body = { code: await codeOfNow(app, secret), end_other_sessions: true };
      expect((await first.client.post('/totp/confirm', body)).status).toBe(204);
      expect((await second.client.get('/users/me')).body['code']).toBe('credential_revoked');
      expect((await first.client.get('/users/me')).status).toBe(200);
      expect(await auditOf(app, first.email)).toContain('sessions_revoked');
    });

    it('incident 25: one that is added while a password is being checked is asked for, too', async () => {
      const { email } = await signIn(app);
      const presented = app.running.app.get(PresentedSessions, { strict: false });
      const idsOf = presented.idsOf.bind(presented);
      // The last step before the lock.
      jest.spyOn(presented, 'idsOf').mockImplementationOnce(async (brought) => {
        await addPasskeyRow(app, email);
        return idsOf(brought);
      });
      expect(answerOf(await login(app, email))).toEqual([401, 'mfa_required']);
    });
  });

  describe('guesses', () => {
    it('T7: five factors may be tried with one token, however many come at once', async () => {
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

    it('a wrong one leaves the token good for the right one', async () => {
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

    it('T4, L3, L4: are counted over all sign-ins, and stop at a lock that leaves sessions and other factors alone', async () => {
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

    it('L3: a success starts the count of both factors anew', async () => {
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

  describe('an mfa_token', () => {
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
    ])('is good for nothing once it %s', async (_what, change) => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email);
      const code = await codeOfNow(app, secret);
      await app.query(change(await idOf(app, email)));
      const reply = await app.client.post('/mfa', { mfa_token, code });
      expect(answerOf(reply)).toEqual([401, 'mfa_token_invalid']);
      expect([reply.body['action'], reply.setCookies]).toEqual(['login', []]);
    });

    it('is good for nothing where addresses must be verified and its owner’s is not', async () => {
      const { email, secret } = await enrolled(app);
      const strict = await startApp({
        env: { AUTH_STRATEGY: 'jwt,session', AUTH_REQUIRE_VERIFIED_EMAIL: 'true' },
        sibling: app,
      });
      const body = { mfa_token: await mfaToken(app, email), code: await codeOfNow(app, secret) };
      expect(answerOf(await strict.client.post('/mfa', body))).toEqual([401, 'mfa_token_invalid']);
      await app.query(sql`update users set email_verified_at = now() where email = ${email}`);
      expect((await strict.client.post('/mfa', body)).status).toBe(200);
      await strict.close();
    });

    it('is 32 random bytes of which SHA-256 is kept, and goes when its time is over', async () => {
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
      await app.running.app.get(Sweeper, { strict: false }).sweep();
      expect(await rows()).toHaveLength(0);
    });

    it('of nobody is refused, and so is a request with two factors or none, which names them', async () => {
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

    it('travels on as the sign-in asked: tokens in cookies stay out of the body', async () => {
      const { email, secret } = await enrolled(app);
      const mfa_token = await mfaToken(app, email, { transport: 'cookie' });
      const reply = await app.client.post('/mfa', { mfa_token, code: await codeOfNow(app, secret) });
      expect(Object.keys(reply.body)).toEqual(['success', 'email', 'session']);
      const cookie = `access_token=${cookieValue(reply, 'access_token')}`;
      expect((await app.client.get('/users/me', { cookie })).status).toBe(200);
      expect(cookieValue(reply, 'refresh_token')).toMatch(/^trf_rt_/);
    });
  });

  it('W12: a passkey completes it, in its answer to this very sign-in and no other', async () => {
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
    it('T6: are ten of 125 bits, of which SHA-256 is kept', async () => {
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

    it('may be typed in either case, with other dashes or spaces, with O for 0 and I or L for 1', async () => {
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

    it('T6: make all earlier ones worthless, and are nobody else’s', async () => {
      const [person, other] = [await enrolled(app), await enrolled(app)];
      const [early] = await addRecoveryCodes(person.client);
      const [late] = await addRecoveryCodes(person.client);
      await addRecoveryCodes(other.client);
      expect(answerOf(await present(person.email, { recovery_code: early }))).toEqual([401, 'mfa_failed']);
      expect(answerOf(await present(other.email, { recovery_code: late }))).toEqual([401, 'mfa_failed']);
      expect((await present(person.email, { recovery_code: late })).status).toBe(200);
    });

    it('need a second factor that they can stand in for', async () => {
      const { client, email, sessionId } = await signIn(app);
      expect(answerOf(await client.post('/recovery-codes'))).toEqual([409, 'no_second_factor']);
      await client.post('/totp');
      expect(answerOf(await client.post('/recovery-codes'))).toEqual([409, 'no_second_factor']);
      await addPasskeyRow(app, email);
      await app.query(sql`update sessions set methods = '{pwd,mfa}' where id = ${sessionId}`);
      expect(await addRecoveryCodes(client)).toHaveLength(10);
    });
  });

  it('S8, T5: factors change only within STEP_UP_TTL after a proof of who one is', async () => {
    const { client, sessionId } = await enrolled(app);
    await app.query(
      sql`update sessions set authenticated_at = now() - interval '11 minutes' where id = ${sessionId}`,
    );
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

  describe('beside other implementations', () => {
    /** Debian's oathtool, of the OATH Toolkit. */
    const hasOathtool = spawnSync('oathtool', ['--version']).status === 0;
    const describeWithOathtool =
      hasOathtool || process.env['TEST_TOOLS'] === 'required' ? describe : describe.skip;
    const oathtool = (...args: string[]) => execFileSync('oathtool', args, { encoding: 'utf8' }).trim();

    it('RFC 6238, appendix B: the codes of the tests are those of the standard', () => {
      const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
      const times = [59, 1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000, 20_000_000_000];
      expect(times.map((time) => codeAt(secret, Math.floor(time / 30)))).toEqual([
        '287082',
        '081804',
        '050471',
        '005924',
        '279037',
        '353130',
      ]);
    });

    describeWithOathtool('oathtool', () => {
      it('makes codes that confirm an app and sign in', async () => {
        const { client, email } = await signIn(app);
        const { secret } = (await client.post('/totp')).body;
        const step = await stepOfNow(app);
        const reply = await client.post('/totp/confirm', { code: oathtool('--totp', '-b', secret) });
        expect(reply.status).toBe(204);
        await forgetSteps(app);
        expect((await present(email, { code: oathtool('--totp', '-b', secret) })).status).toBe(200);
        const codes = oathtool('--totp', '-b', '-w', '3', `--now=@${step * 30}`, secret).split('\n');
        expect(codes).toEqual([0, 1, 2, 3].map((offset) => codeAt(secret, step + offset)));
      });
    });
  });

  it('after a rewrap the first of AUTH_SECRETS alone opens every seed, confirmed or not', async () => {
    const person = await enrolled(app);
    const { secret } = (await person.client.post('/totp')).body;
    const seedsUnder = (...secrets: string[]) =>
      new TotpSeeds(app.running.database.database, { AUTH_SECRETS: secrets });
    const foreign = await seedsUnder(OTHER_SECRET).rewrap();
    expect(foreign.rewrapped).toBe(0);
    const [all] = await app.query(
      sql<{
        count: number;
      }>`select count(seed)::int + count(pending_seed)::int as count from totp_authenticators`,
    );
    expect(foreign.unopened).toBe(all?.count);
    expect(await seedsUnder(OTHER_SECRET, TEST_SECRET).rewrap()).toEqual({
      rewrapped: all?.count,
      unopened: 0,
    });
    expect(await seedsUnder(OTHER_SECRET).rewrap()).toEqual({ rewrapped: 0, unopened: 0 });
    // This node has the old secret alone: it says so in its log, and takes no code.
    expect(answerOf(await present(person.email, { code: await codeOfNow(app, person.secret) }))).toEqual([
      401,
      'mfa_failed',
    ]);
    expect(app.logs.some(({ event }) => event === 'totp_seed_unopened')).toBe(true);
    const renewed = await startApp({
      env: { AUTH_STRATEGY: 'jwt,session', AUTH_SECRETS: `${OTHER_SECRET},${TEST_SECRET}` },
      sibling: app,
    });
    await signInByTotp(renewed, person);
    const confirmed = await renewed.client.post(
      '/totp/confirm',
      { code: await codeOfNow(app, secret) },
      person.headers,
    );
    expect(confirmed.status).toBe(204);
    await renewed.close();
    expect((await seedsUnder(TEST_SECRET, OTHER_SECRET).rewrap()).unopened).toBe(0);
  });
});

describe('on two nodes at once', () => {
  let app: TestApp;
  let other: TestApp;
  let person: Enrolled;
  beforeAll(async () => {
    const env = { AUTH_STRATEGY: 'session,jwt' };
    app = await startApp({ env });
    other = await startApp({ env, sibling: app });
    person = await enrolled(app);
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  /** Sends as many requests, each with a token of its own and from a network of its own, to both nodes. */
  async function race(count: number, factor: object): Promise<Reply[]> {
    const tokens = await Promise.all(Array.from({ length: count }, () => beginSignIn(app, person.email)));
    return Promise.all(
      tokens.map((mfa_token, i) =>
        (i % 2 ? app : other).client.send('POST', '/mfa', { mfa_token, ...factor }, {}, `10.1.${i}.1`),
      ),
    );
  }
  const statuses = (replies: readonly Reply[]) => replies.map(({ status }) => status).toSorted();
  const onlyOne = (count: number) => [200, ...Array<number>(count - 1).fill(401)];

  it('T1, incident 16: of 20 with one code, one signs in', async () => {
    const replies = await race(20, { code: await codeOfNow(app, person.secret) });
    expect(statuses(replies)).toEqual(onlyOne(20));
    await forgetSteps(app);
    const code = await codeOfNow(app, person.secret);
    const userId = await idOf(app, person.email);
    const verified = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? app : other).running.app.get(Totp, { strict: false }).verify(userId, code),
      ),
    );
    expect(verified.filter(Boolean)).toHaveLength(1);
  });

  it('T6, incident 37: of 20 with one recovery code, one signs in', async () => {
    const [recovery_code = '', second = ''] = await addRecoveryCodes(person.client);
    const replies = await race(20, { recovery_code });
    expect(statuses(replies)).toEqual(onlyOne(20));
    const userId = await idOf(app, person.email);
    const used = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const node = (i % 2 ? app : other).running;
        const codes = node.app.get(RecoveryCodes, { strict: false });
        return node.database.database.transaction((tx) => codes.use(tx, userId, second));
      }),
    );
    expect(used.filter(Boolean)).toHaveLength(1);
    const mails = await mailsTo(app, person.email);
    expect(mails.filter(({ kind }) => kind === 'recovery_code_used')).toHaveLength(2);
  });

  it('E3: of 20 with one token and the right code, one signs in', async () => {
    await forgetSteps(app);
    const mfa_token = await mfaToken(app, person.email);
    const code = await codeOfNow(app, person.secret);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? app : other).client.post('/mfa', { mfa_token, code })),
    );
    expect(statuses(replies)).toEqual(onlyOne(20));
  });

  it('T7, E3: of five with one token and a factor of their own each, one signs in', async () => {
    const codes = await addRecoveryCodes(person.client);
    const mfa_token = await mfaToken(app, person.email);
    const replies = await Promise.all(
      codes
        .slice(0, 5)
        .map((recovery_code, i) => (i % 2 ? app : other).client.post('/mfa', { mfa_token, recovery_code })),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401, 401]);
    // The others keep theirs.
    const userId = await idOf(app, person.email);
    expect(await app.query(sql`select 1 from recovery_codes where user_id = ${userId}`)).toHaveLength(9);
  });

  it('T5: of two that confirm the same app, one does', async () => {
    const { secret } = (await person.client.post('/totp')).body;
    const code = await codeOfNow(app, secret);
    const replies = await Promise.all(
      [app, other].map((node) => node.client.post('/totp/confirm', { code }, person.headers)),
    );
    expect(statuses(replies)).toEqual([204, 409]);
  });
});
