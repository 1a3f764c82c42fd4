import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { PresentedSessions } from '../../../src/auth/credentials/presented-sessions.service.js';
import { Totp } from '../../../src/auth/factors/totp/totp.service.js';
import { TotpSeeds } from '../../../src/auth/factors/totp/totp-seeds.service.js';
import { startApp, TEST_SECRET, type TestApp } from '../../support/app.js';
import { signIn } from '../../support/strategies.js';
import {
  addRecoveryCodes,
  addTotp,
  codeAt,
  codeOfNow,
  enrolled,
  forgetSteps,
  mfaToken,
  signInByTotp,
  stepOfNow,
  wrongCode,
} from '../../support/totp.js';
import {
  addPasskeyRow,
  answerOf,
  auditOf,
  beginSignIn,
  idOf,
  login,
  mailsTo,
} from '../../support/second-factors.js';

const OTHER_SECRET = 'Zb3xR8wN1qK6tV0yU5hG2mJ9sD4fAeLcPoIuTyQr';

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

  describe('authenticator app', () => {
    it('gets a seed of 160 bits in base32, as a key URI and as a QR code [T2]', async () => {
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

    it('has a seed that is encrypted at rest, shown to its owner alone, and never logged, mailed or recorded [T2]', async () => {
      const person = await enrolled(app);
      const other = await enrolled(app);
      await person.client.post('/totp');
      const seeds = app.running.app.get(TotpSeeds, { strict: false });
      const [row] = await app.query(
        sql<{
          id: string;
          seed: Buffer;
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

    it('works until another one is confirmed in its place, and no longer [T5]', async () => {
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

    it('consumes a code in vain if another app was confirmed first [T5]', async () => {
      const person = await enrolled(app);
      const userId = await idOf(app, person.email);
      const totp = app.running.app.get(Totp, { strict: false });
      const match = await totp.match(userId, await codeOfNow(app, person.secret));
      await addTotp(app, person.client);
      if (!match) throw new Error('the code was wrong');
      expect(await totp.useUp(app.running.database.database, userId, match)).toBe(false);
    });

    it('is confirmed by one good code of its own within an hour [T5]', async () => {
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

    it('accepts one step of drift to either side, whatever time the client claims [T3]', async () => {
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

    it('accepts no code twice, and none older than the last [T1]', async () => {
      const { email, secret } = await enrolled(app);
      const step = await stepOfNow(app);
      expect((await present(email, { code: codeAt(secret, step) })).status).toBe(200);
      expect(answerOf(await present(email, { code: codeAt(secret, step) }))).toEqual([401, 'mfa_failed']);
      expect(answerOf(await present(email, { code: codeAt(secret, step - 1) }))).toEqual([401, 'mfa_failed']);
      expect((await present(email, { code: codeAt(secret, step + 1) })).status).toBe(200);
      expect(await auditOf(app, email)).toContain('mfa_failed');
    });

    it('is removed immediately together with the recovery codes; other sessions end on request [T5, S5]', async () => {
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

    it('ends the other sessions at its confirmation on request [S5]', async () => {
      const first = await signIn(app);
      const second = await signIn(app, first.email);
      const { secret } = (await first.client.post('/totp')).body;
      const body = { code: await codeOfNow(app, secret), end_other_sessions: true };
      expect((await first.client.post('/totp/confirm', body)).status).toBe(204);
      expect((await second.client.get('/users/me')).body['code']).toBe('credential_revoked');
      expect((await first.client.get('/users/me')).status).toBe(200);
      expect(await auditOf(app, first.email)).toContain('sessions_revoked');
    });

    it('that is added during a password check is required too [incident 25]', async () => {
      const { email } = await signIn(app);
      const presented = app.running.app.get(PresentedSessions, { strict: false });
      const idsOf = presented.idsOf.bind(presented);
      // The last step before the lock.
      jest.spyOn(presented, 'idsOf').mockImplementationOnce(async (credentials) => {
        await addPasskeyRow(app, email);
        return idsOf(credentials);
      });
      expect(answerOf(await login(app, email))).toEqual([401, 'mfa_required']);
    });
  });

  describe('interoperability', () => {
    it('generates the codes of RFC 6238, appendix B', () => {
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
  });

  it('the first of AUTH_SECRETS alone decrypts every seed after a rewrap', async () => {
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
