import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { createClient, type ClientOptions, type Proof, TraffyError } from '../../src/client/client.entry.js';
import { makeStale } from '../support/account.js';
import { startApp, type TestApp } from '../support/app.js';
import { recorder } from '../support/recorded-fetch.js';
import { until } from '../support/process.js';
import { freshEmail, PASSWORD, signUp, STRATEGIES } from '../support/strategies.js';
import { codeOfNow, forgetSteps, wrongCode } from '../support/totp.js';

const TRANSPORTS = ['bearer', 'cookie'] as const;
const CASES = STRATEGIES.flatMap(({ strategy }) => TRANSPORTS.map((transport) => ({ strategy, transport })));

/** Nothing of this file depends on the strategy, except how it is started. */
describe.each(CASES)('the client by $transport with AUTH_STRATEGY=$strategy', ({ strategy, transport }) => {
  let app: TestApp;
  let baseUrl: string;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    baseUrl = await app.listen();
  });
  afterAll(() => app.close());

  const clientOf = (options: ClientOptions = {}) => createClient({ baseUrl, transport, ...options });

  async function signedIn(options: ClientOptions = {}) {
    const email = await signUp(app);
    const client = clientOf(options);
    const result = await client.signIn({ email, password: PASSWORD });
    if (result.status !== 'signed_in') throw new Error('a second factor was asked for');
    return { client, email, sessionId: result.session.id };
  }

  it('signs up, signs in, reports who it is, and signs out', async () => {
    const client = clientOf();
    const states: unknown[] = [];
    client.onChange((state) => states.push(state));
    const email = freshEmail();
    expect(client.state).toEqual({ status: 'unknown' });
    expect(await client.me()).toEqual({ logged_in: false });
    expect(await client.signUp({ email, password: PASSWORD })).toMatchObject({
      message: 'Signup successful',
    });
    const result = await client.signIn({ email, password: PASSWORD });
    expect(Object.keys(result).toSorted()).toEqual(['email', 'session', 'status']);
    expect(await client.me()).toEqual({ logged_in: true, email });
    expect(await client.refresh()).toBe(true);
    expect((await client.account.get()).email).toBe(email);
    await client.signOut();
    expect(await client.me()).toEqual({ logged_in: false });
    expect(states).toEqual([
      { status: 'signed_out' },
      { status: 'signed_in', email },
      { status: 'signed_out' },
    ]);
  });

  it('throws problems with their code, status and fields', async () => {
    const client = clientOf();
    const wrong = await client
      .signIn({ email: freshEmail(), password: PASSWORD })
      .catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(TraffyError);
    expect(wrong).toMatchObject({ code: 'invalid_credentials', status: 401, problem: { action: 'login' } });
    const malformed = await client
      .signUp({ email: 'x', password: PASSWORD })
      .catch((error: unknown) => error);
    expect(malformed).toMatchObject({ code: 'validation_failed', problem: { errors: [{ path: 'email' }] } });
    await expect(client.sessions.list()).rejects.toMatchObject({ code: 'authentication_required' });
  });

  it('renews an expired credential once for all requests that wait, and repeats them', async () => {
    const brief = await startApp({ env: { AUTH_STRATEGY: strategy, ACCESS_TOKEN_TTL: '1s' }, sibling: app });
    const record = recorder(await brief.listen());
    const { client, email } = await signedIn({ fetch: record.fetch });
    const refreshes = () => record.calls.filter((call) => call.startsWith('POST /refresh'));
    if (strategy.startsWith('jwt')) {
      const { headers } = record.last('POST /login');
      await until(
        async () => (await brief.client.get('/users/me', headers)).status === 401 || undefined,
        15_000,
      );
    }
    record.calls.length = 0;
    const replies = await Promise.all([client.me(), client.account.get(), client.sessions.list()]);
    expect(replies[0]).toEqual({ logged_in: true, email });
    expect(replies[2]).toMatchObject([{ current: true }]);
    expect(refreshes()).toEqual(strategy.startsWith('jwt') ? ['POST /refresh 200'] : []);
    await brief.close();
  });

  it('asks for a proof once, and repeats the calls that need it', async () => {
    const questions: unknown[] = [];
    const proofs: Proof[] = [{ password: 'a wrong long passphrase' }, { password: PASSWORD }];
    const { client, sessionId } = await signedIn({
      onChallenge: ({ type, error }) => {
        questions.push([type, error?.code]);
        return proofs.shift();
      },
    });
    await makeStale(app, sessionId);
    const [data, started] = await Promise.all([client.account.export(), client.totp.start()]);
    expect(data.account['id']).toBeDefined();
    expect(started.secret).toMatch(/^[A-Z2-7]+$/);
    expect(questions).toEqual([
      ['step_up', undefined],
      ['step_up', 'reauthentication_failed'],
    ]);
    await makeStale(app, sessionId);
    await expect(client.account.export()).rejects.toMatchObject({ code: 'step_up_required' });
    expect(await client.me()).toMatchObject({ logged_in: true });
  });

  it('hands out a token with the time of the step-up, after a question and after a call', async () => {
    const record = recorder(baseUrl);
    const kept = new Map<string, string>();
    const { client, sessionId } = await signedIn({
      fetch: record.fetch,
      storage: {
        get: (key) => kept.get(key),
        set: (key, value) => kept.set(key, value),
        remove: (key) => kept.delete(key),
      },
      onChallenge: () => ({ password: PASSWORD }),
    });
    const holdsTokens = strategy.startsWith('jwt') && transport === 'bearer';
    /** Whether the token that other services get shows a proof of this minute; null without a token. */
    const showsProof = async () => {
      const token = await client.accessToken();
      return token && Date.now() / 1000 - Number(decodeJwt(token)['auth_time']) < 60;
    };
    const stepUps = [
      () => client.account.export(),
      () => client.reauthenticate({ password: PASSWORD }).then(() => client.account.export()),
    ];
    for (const stepUp of stepUps) {
      await makeStale(app, sessionId);
      // The next token is a new one, of a session whose proof is old.
      for (const [key, value] of kept) kept.set(key, JSON.stringify({ ...JSON.parse(value), expires_at: 0 }));
      expect(await showsProof()).toBe(holdsTokens ? false : null);
      record.calls.length = 0;
      await stepUp();
      expect(await showsProof()).toBe(holdsTokens ? true : null);
      await showsProof();
      expect(record.calls.filter((call) => call.startsWith('POST /refresh'))).toHaveLength(
        holdsTokens ? 1 : 0,
      );
    }
  });

  it('completes a sign-in with a second factor, by result or by callback', async () => {
    const { client, email } = await signedIn();
    const { secret } = await client.totp.start();
    await client.totp.confirm({ code: await codeOfNow(app, secret) });
    expect(await client.recoveryCodes()).toHaveLength(10);
    await client.signOut();
    const half = await client.signIn({ email, password: PASSWORD });
    if (half.status !== 'mfa_required') throw new Error('no second factor was asked for');
    expect(half.factors).toContain('totp');
    expect(client.state).toEqual({ status: 'signed_out' });
    await forgetSteps(app);
    const { mfa_token } = half;
    await client.mfa({ mfa_token, code: await codeOfNow(app, secret) });
    expect(client.state).toEqual({ status: 'signed_in', email });
    await forgetSteps(app);
    const codes = [await wrongCode(app, secret), await codeOfNow(app, secret)];
    const questions: unknown[] = [];
    const other = clientOf({
      onChallenge: ({ type, factors, error }) => {
        questions.push([type, factors?.includes('totp'), error?.code]);
        return { code: codes.shift() ?? '' };
      },
    });
    expect(await other.signIn({ email, password: PASSWORD })).toMatchObject({ status: 'signed_in', email });
    expect(questions).toEqual([
      ['mfa', true, undefined],
      ['mfa', true, 'mfa_failed'],
    ]);
  });

  it('notices a session that ended elsewhere, and drops its credential', async () => {
    const kept = new Map<string, string>();
    const storage = {
      get: (key: string) => Promise.resolve(kept.get(key)),
      set: (key: string, value: string) => Promise.resolve(kept.set(key, value)),
      remove: (key: string) => Promise.resolve(kept.delete(key)),
    };
    const { client, email } = await signedIn({ storage });
    const elsewhere = clientOf();
    await elsewhere.signIn({ email, password: PASSWORD });
    expect(await elsewhere.sessions.list()).toHaveLength(2);
    // A client that starts with the stored credential continues.
    expect(await clientOf({ storage }).me()).toEqual({ logged_in: true, email });
    await elsewhere.signOut('others');
    expect(kept.size).toBe(1);
    await expect(client.account.get()).rejects.toMatchObject({ code: 'credential_revoked', status: 401 });
    expect(client.state).toEqual({ status: 'signed_out' });
    expect(kept.size).toBe(0);
    expect(await elsewhere.me()).toEqual({ logged_in: true, email });
    await elsewhere.signOut('global');
    expect(await elsewhere.me()).toEqual({ logged_in: false });
  });

  it('changes the password and the profile, and deletes the account', async () => {
    const { client } = await signedIn();
    const longer = 'another long passphrase of mine';
    await client.password.change({ current_password: PASSWORD, new_password: longer });
    expect((await client.account.update({ name: 'Ada' })).name).toBe('Ada');
    const { events } = await client.account.events({ limit: 2 });
    expect(events).toHaveLength(2);
    await client.account.delete();
    expect(client.state).toEqual({ status: 'signed_out' });
    expect(await client.me()).toEqual({ logged_in: false });
  });

  it('stays signed in while no answer arrives or the server is not available', async () => {
    const record = recorder(baseUrl);
    const { client, email } = await signedIn({ fetch: record.fetch });
    record.fail(() => Promise.reject(new TypeError('fetch failed')));
    await expect(client.account.get()).rejects.toMatchObject({ code: 'network_error', status: 0 });
    await expect(client.me()).rejects.toMatchObject({ code: 'network_error' });
    await expect(client.signOut()).rejects.toMatchObject({ code: 'network_error' });
    const unavailable = { code: 'service_unavailable', detail: 'later' };
    const headers = { 'retry-after': '7' };
    record.fail(() => Promise.resolve(Response.json(unavailable, { status: 503, headers })));
    await expect(client.me()).rejects.toMatchObject({ code: 'service_unavailable', retryAfter: 7 });
    record.fail(() => Promise.resolve(new Response('<h1>Bad Gateway</h1>', { status: 502 })));
    await expect(client.me()).rejects.toMatchObject({ code: 'unexpected_reply', status: 502 });
    expect(client.state).toEqual({ status: 'signed_in', email });
    record.fail(undefined);
    expect(await client.me()).toEqual({ logged_in: true, email });
  });
});
