import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { ServiceClients } from '../../../src/services/service-clients.service.js';
import { RecoveryCodes } from '../../../src/auth/factors/recovery-codes/recovery-codes.service.js';
import { Totp } from '../../../src/auth/factors/totp/totp.service.js';
import { RouteTable } from '../../../src/platform/http/route-table.js';
import { startApp, type TestApp } from '../../support/app.js';
import { type Reply } from '../../support/client.js';
import { PASSWORD, signIn, STRATEGIES } from '../../support/strategies.js';
import {
  addRecoveryCodes,
  addTotp,
  codeOfNow,
  type Enrolled,
  enrolled,
  forgetSteps,
  mfaToken,
  signedInBy,
  signInByTotp,
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
import { given } from '../../support/given.js';

describe.each(STRATEGIES)('a second factor with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it('is required from the first confirmed code on, and not before [T5, incident 25]', async () => {
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

  it('is required from older sessions before any change; the session that added it has it [S8, incident 25]', async () => {
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

  it('completes a sign-in like /login, with a new session, and ends the presented one [S2, S3]', async () => {
    const person = await enrolled(app);
    const before = await signInByTotp(app, person);
    await given.staleSession(app, before.sessionId);
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

  it('is required with every combination of factors, and the answer names each [incident 25]', async () => {
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
    await given.verifiedEmail(app, email);
    expect((await login(app, email)).status).toBe(200);
  });

  it('the mfa_token works at no other route in any position, and stays valid for its own [T7, S13, incident 13, incident 24]', async () => {
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

  it('a recovery code replaces it once, and the owner is notified of the remaining number [T6, L8]', async () => {
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

describe('concurrency on two nodes', () => {
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

  it('of 20 sign-ins with one code, one succeeds [T1, incident 16]', async () => {
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

  it('of 20 sign-ins with one recovery code, one succeeds [T6, incident 37]', async () => {
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

  it('of 20 sign-ins with one token and the right code, one succeeds [E3]', async () => {
    await forgetSteps(app);
    const mfa_token = await mfaToken(app, person.email);
    const code = await codeOfNow(app, person.secret);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? app : other).client.post('/mfa', { mfa_token, code })),
    );
    expect(statuses(replies)).toEqual(onlyOne(20));
  });

  it('of five sign-ins with one token and a factor of their own each, one succeeds [T7, E3]', async () => {
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

  it('of two confirmations of one app, one succeeds [T5]', async () => {
    const { secret } = (await person.client.post('/totp')).body;
    const code = await codeOfNow(app, secret);
    const replies = await Promise.all(
      [app, other].map((node) => node.client.post('/totp/confirm', { code }, person.headers)),
    );
    expect(statuses(replies)).toEqual([204, 409]);
  });
});
