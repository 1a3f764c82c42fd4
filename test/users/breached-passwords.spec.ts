import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load.config.js';
import { startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { mailTo } from '../support/mailbox.js';
import { until } from '../support/process.js';
import { provokePasswords } from '../support/provoke/passwords.js';
import { type RangeServer, sha1, startRangeServer } from '../support/range-server.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../support/strategies.js';

let range: RangeServer;
let app: TestApp;
let strict: TestApp;
beforeAll(async () => {
  range = await startRangeServer();
  app = await startApp({ env: { BREACHED_PASSWORDS_URL: range.url } });
  strict = await startApp({
    sibling: app,
    env: { BREACHED_PASSWORDS_URL: `${range.url}/range/`, BREACHED_PASSWORDS_UNAVAILABLE: 'refuse' },
  });
});
afterAll(async () => {
  await strict.close();
  await app.close();
  await range.close();
});
beforeEach(() => {
  range.behaviour = 'answers';
  range.requests.length = 0;
});

const signup = (password: string, email = freshEmail(), to = app) =>
  to.client.post('/signup', { email, password });

let counter = 0;
/** A password that no test had before. */
const fresh = () => `harbour lantern ${(counter += 1)} teaspoon`;

describe('breached passwords', () => {
  it('are refused at sign-up with the reason [P8]', async () => {
    const password = fresh();
    range.leaked.set(password, 1);
    const reply = await signup(password);
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({
      code: 'weak_password',
      reason: 'breached',
      errors: [{ path: 'password' }],
    });
    expect(reply.body['detail']).toContain('data breach');
    expect((await signup(`${password}!`)).status).toBe(201);
  });

  it('are refused at a password change [P8]', async () => {
    const password = fresh();
    range.leaked.set(password, 3);
    const { client } = await signIn(app);
    const change = { current_password: PASSWORD, new_password: password };
    const reply = await client.post('/password', change);
    expect({ status: reply.status, reason: reply.body['reason'] }).toEqual({
      status: 400,
      reason: 'breached',
    });
  });

  it('are refused at a reset [P8]', async () => {
    const password = fresh();
    range.leaked.set(password, 3);
    const email = await signUp(app);
    await app.client.post('/password/forgot', { email });
    const { token } = await mailTo(app, email, 'reset_password');
    const reply = await app.client.post('/password/reset', { token, new_password: password });
    expect({ status: reply.status, reason: reply.body['reason'] }).toEqual({
      status: 400,
      reason: 'breached',
    });
  });

  it('answer 503 wherever a password is set, if the service is unavailable and the setting is refuse', async () => {
    const answers: unknown[] = [];
    await provokePasswords(app, async (name, ...calls) => {
      for (const reply of await Promise.all(calls)) answers.push([name, reply.status, reply.body['code']]);
    });
    const code = 'breach_check_unavailable';
    expect(answers).toEqual([
      ['post /signup', 503, code],
      ['post /password', 503, code],
      ['post /password/reset', 503, code],
    ]);
  });

  it('do not count the right password as a wrong guess if the service is unavailable [L4]', async () => {
    const email = await signUp(app);
    const { client } = await signIn(strict, email);
    range.behaviour = 'fails';
    for (let round = 0; round < 12; round += 1) {
      const reply = await client.post('/password', { current_password: PASSWORD, new_password: fresh() });
      expect(reply.status).toBe(503);
    }
    range.behaviour = 'answers';
    const reply = await client.post('/password', { current_password: PASSWORD, new_password: fresh() });
    expect(reply.status).toBe(204);
  });

  it('are looked up by five hex digits of the SHA-1, with padding', async () => {
    const password = fresh();
    const email = freshEmail();
    expect((await signup(password, email)).status).toBe(201);
    expect(range.requests).toHaveLength(1);
    const [request] = range.requests;
    expect(request).toMatchObject({
      method: 'GET',
      url: `/range/${sha1(password).slice(0, 5)}`,
      body: '',
    });
    expect(request?.headers['add-padding']).toBe('true');
    expect(Object.keys(request?.headers ?? {}).toSorted()).toEqual(
      expect.not.arrayContaining(['cookie', 'authorization', 'referer', 'x-request-id']),
    );
    const told = JSON.stringify(request);
    for (const secret of [password, sha1(password).slice(5), email]) expect(told).not.toContain(secret);
    expect(app.logText()).not.toContain(sha1(password).slice(0, 5));
  });

  it('are looked up in composed form (NFC) [P7]', async () => {
    range.leaked.set('un café crème sans sucre', 2);
    expect((await signup('un cafe\u0301 cre\u0300me sans sucre')).body['reason']).toBe('breached');
  });

  it('ignore padding lines', async () => {
    const password = fresh();
    range.leaked.set(password, 0);
    expect((await signup(password)).status).toBe(201);
  });

  it('are not looked up for passwords that are refused anyway', async () => {
    expect((await signup('too short')).body['reason']).toBe('too_short');
    expect((await signup('traffytraffytraffy')).body['reason']).toBe('context_specific');
    expect(range.requests).toEqual([]);
  });

  it.each([
    ['fails', 'status 500'],
    ['hangs', 'TimeoutError'],
    ['redirects', 'status 302'],
    ['floods', 'more than 1 MiB'],
    ['talks', 'not the range format'],
  ] as const)(
    'if the service %s, are accepted with a log line (%s), or refused with 503, as configured',
    async (behaviour, cause) => {
      range.behaviour = behaviour;
      const password = fresh();
      const before = app.logs.length;
      const [accepted, refused] = await Promise.all([signup(password), signup(password, undefined, strict)]);
      expect(accepted.status).toBe(201);
      expect(app.logs.slice(before)).toContainEqual(
        expect.objectContaining({ event: 'breach_check_unavailable', policy: 'accept', cause }),
      );
      expect(refused.status).toBe(503);
      expect(refused.body['code']).toBe('breach_check_unavailable');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect(`${app.logText()}${strict.logText()}`).not.toContain(sha1(password).slice(0, 5));
      // A redirect is not followed.
      expect(range.requests).toHaveLength(2);
    },
  );

  it('name the cause if nothing listens', async () => {
    const { url, close } = await startRangeServer();
    await close();
    const cut = await startApp({ env: { BREACHED_PASSWORDS_URL: `${url}/range/` } });
    try {
      expect((await signup(fresh(), undefined, cut)).status).toBe(201);
      expect(cut.logs).toContainEqual(
        expect.objectContaining({ event: 'breach_check_unavailable', cause: 'ECONNREFUSED' }),
      );
    } finally {
      await cut.close();
    }
  });

  it('are given up after 1.5 s', async () => {
    range.behaviour = 'hangs';
    const since = performance.now();
    await signup(fresh(), undefined, strict);
    // And what a busy machine adds.
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  const load = (url: string) =>
    loadConfig({ APP_ENV: 'test', AUTH_SECRETS: TEST_SECRET, BREACHED_PASSWORDS_URL: url });

  it.each([
    ['https://ranges.example', 'https://ranges.example/range/'],
    ['https://ranges.example/own/range/', 'https://ranges.example/own/range/'],
    ['http://127.0.0.1:9000/range', 'http://127.0.0.1:9000/range/'],
  ])('BREACHED_PASSWORDS_URL %s is requested as %s', (given, asked) => {
    expect(load(given).password.BREACHED_PASSWORDS_URL).toBe(asked);
  });

  it.each([
    'http://ranges.example',
    'https://user:pass@ranges.example',
    'https://ranges.example/?key=1',
    'ranges.example',
  ])('BREACHED_PASSWORDS_URL %s is refused', (given) => {
    expect(() => load(given)).toThrow('BREACHED_PASSWORDS_URL');
  });
});

describe('feedback', () => {
  it('suggests how to improve a refused password', async () => {
    const { body } = await signup('password1');
    expect(body).toMatchObject({
      reason: 'too_short',
      feedback: { warning: expect.any(String), suggestions: expect.any(Array) },
    });
    expect(body['feedback'].suggestions.length).toBeGreaterThan(0);
  });

  it.each(['静かな湖のほとりで朝ごはんを食べる', '静かな森をゆっくりと歩く朝の時間', PASSWORD])(
    'comes with refusals only: %s is accepted [P4, P5]',
    async (password) => {
      expect((await signup(password)).status).toBe(201);
    },
  );

  it('for the longest password does not delay other requests [incident 35]', async () => {
    const email = 'marguerite@example.com';
    await signup('password1');
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const long = 'M4rgu3r1t3'.repeat(102);
    const longestDelay = async () => {
      delay.reset();
      delay.enable();
      for (const password of [long, 'm@rguer!te'.repeat(102), 'margueritetraffy'.repeat(64)]) {
        expect(Buffer.byteLength(password)).toBeLessThanOrEqual(1024);
        expect((await signup(password, email)).body['reason']).toBe('context_specific');
      }
      delay.disable();
      return delay.max / 1e6;
    };
    // What else the machine does can hold them up once, and not each time.
    await until(async () => (await longestDelay()) < 400 || undefined, 10_000);
  });
});
