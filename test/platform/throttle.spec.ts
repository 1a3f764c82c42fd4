import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { clientNetwork } from '../../src/platform/throttle/client-network.js';
import { startApp, type TestApp } from '../support/app.js';
import { redisUrl } from '../support/database.js';
import { cookieValue, type Reply } from '../support/client.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { freshEmail, PASSWORD, signIn, strategyOf } from '../support/strategies.js';
import { TcpProxy } from '../support/tcp-proxy.js';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const open: TestApp[] = [];
afterEach(async () => {
  for (const node of open.splice(0)) await node.close();
});

async function limited(env: Record<string, string>): Promise<TestApp> {
  const node = await startApp({ env, sibling: app });
  open.push(node);
  return node;
}

const attempt = (node: TestApp, headers = {}, remoteAddress?: string) =>
  node.client.send(
    'POST',
    '/login',
    { email: 'nobody@example.com', password: PASSWORD },
    headers,
    remoteAddress,
  );

/** A List of Structured Fields (RFC 9651) whose items are Strings with integer parameters. */
function parseLimits(field: unknown): Record<string, Record<string, number>> {
  const items = String(field).split(', ');
  return Object.fromEntries(
    items.map((item) => {
      const match = /^"([a-z]+)"((?:;[a-z]+=\d+)+)$/.exec(item);
      if (!match) throw new Error(`not a structured field: ${item}`);
      const parameters = (match[2] ?? '')
        .slice(1)
        .split(';')
        .map((pair) => pair.split('='));
      return [match[1], Object.fromEntries(parameters.map(([name, value]) => [name, Number(value)]))];
    }),
  );
}

function expectLimited(reply: Reply, policy: string): void {
  expect(reply.status).toBe(429);
  expect(reply.body).toMatchObject({
    code: 'rate_limited',
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    'violated-policies': [policy],
  });
  expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
}

describe('rate limits', () => {
  it('a page of another site cannot use up the sign-ins of its visitors', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '2/1m', RATE_LIMIT_SIGNUP: '2/1m' });
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const path of ['/login', '/signup', '/reauthenticate', '/password/forgot'])
      for (let count = 0; count < 4; count += 1)
        expect((await node.client.post(path, undefined, foreign)).body['code']).toBe('cross_site_request');
    expect((await attempt(node)).status).toBe(401);
    const account = { email: freshEmail(), password: PASSWORD };
    expect((await node.client.post('/signup', account)).status).toBe(201);
  });

  it('sign-in counts under its own policy, and header fields report the remainder [L9]', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '3/1m', RATE_LIMIT_DEFAULT: '600/1m' });
    for (const left of [2, 1, 0]) {
      const reply = await attempt(node);
      expect(reply.status).toBe(401);
      expect(parseLimits(reply.headers['ratelimit-policy'])).toEqual({
        default: { q: 600, w: 60 },
        login: { q: 3, w: 60 },
      });
      const remaining = parseLimits(reply.headers['ratelimit']);
      expect(remaining['login']).toMatchObject({ r: left });
      expect(remaining['login']?.['t']).toBeGreaterThan(0);
    }
    const refused = await attempt(node);
    expectLimited(refused, 'login');
    expect(parseLimits(refused.headers['ratelimit'])['login']).toMatchObject({ r: 0 });
    expect((await node.client.get('/me')).status).toBe(200);
  });

  it('sign-up has its own policy, and every request counts for the default one', async () => {
    const node = await limited({ RATE_LIMIT_SIGNUP: '1/1h', RATE_LIMIT_DEFAULT: '4/1m' });
    const signup = () => node.client.post('/signup', { email: freshEmail(), password: PASSWORD });
    expect((await signup()).status).toBe(201);
    expectLimited(await signup(), 'signup');
    expect((await node.client.get('/me')).status).toBe(200);
    expect((await node.client.get('/me')).status).toBe(200);
    expectLimited(await node.client.get('/me'), 'default');
    expectLimited(await node.client.get('/users/me'), 'default');
  });

  it('of 50 concurrent attempts, exactly the limit passes', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '10/1m' });
    const replies = await Promise.all(Array.from({ length: 50 }, () => attempt(node)));
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(40);
  });

  it('a new window allows requests again', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '1/1s' });
    expect((await attempt(node)).status).toBe(401);
    expectLimited(await attempt(node), 'login');
    const until = Date.now() + 5_000;
    let status = 429;
    while (status === 429 && Date.now() < until) ({ status } = await attempt(node));
    expect(status).toBe(401);
  });

  it('health checks are never limited', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '1/1m' });
    for (let call = 0; call < 5; call += 1) {
      expect((await node.client.get('/health/live')).status).toBe(200);
      expect((await node.client.get('/health/ready')).status).toBe(200);
    }
  });

  const refused: [string, number, Parameters<TestApp['client']['send']>, env?: Record<string, string>][] = [
    ['malformed JSON', 400, ['POST', '/login', '{']],
    ['an address that cannot be decoded', 400, ['GET', '/users/%zz']],
    ['an unknown address', 404, ['GET', '/nothing']],
    ['a method that is not there', 405, ['DELETE', '/login']],
    ['an Accept header without JSON', 406, ['GET', '/me', undefined, { accept: 'text/html' }]],
    ['a body that is too large', 413, ['POST', '/login', `"${'x'.repeat(16_385)}"`]],
    ['a body of another type', 415, ['POST', '/login', 'a=b', { 'content-type': 'text/plain' }]],
    ['a page of the documentation', 200, ['GET', '/docs']],
    ['the specification', 200, ['GET', '/openapi.json']],
    [
      'a CORS preflight',
      204,
      [
        'OPTIONS',
        '/login',
        undefined,
        { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
      ],
      { TRUSTED_ORIGINS: 'https://app.example.com' },
    ],
  ];
  it.each(refused)(
    '%s (%i) counts although it reaches no guard',
    async (_what, status, request, env = {}) => {
      const node = await limited({ RATE_LIMIT_DEFAULT: '2/1m', DOCS: 'on', ...env });
      for (const left of [1, 0]) {
        const reply = await node.client.send(...request);
        expect(reply.status).toBe(status);
        expect(reply.headers['ratelimit-policy']).toBe('"default";q=2;w=60');
        expect(parseLimits(reply.headers['ratelimit'])).toEqual({
          default: { r: left, t: expect.any(Number) },
        });
      }
      const last = await node.client.send(...request);
      expectLimited(last, 'default');
      expect(last.headers).toMatchObject({
        'content-type': expect.stringMatching(/^application\/problem\+json/),
        'ratelimit-policy': '"default";q=2;w=60',
        'x-request-id': last.body['request_id'],
        'x-content-type-options': 'nosniff',
      });
    },
  );

  it('a page of a trusted origin can read the limit and its reset', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '1/1m', TRUSTED_ORIGINS: 'https://app.example.com' });
    await node.client.get('/me');
    const reply = await node.client.get('/me', { origin: 'https://app.example.com' });
    expectLimited(reply, 'default');
    expect(reply.headers['access-control-allow-origin']).toBe('https://app.example.com');
    expect(reply.headers['access-control-expose-headers']).toContain('retry-after');
  });

  it('each policy counts a request once', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '9/1m', RATE_LIMIT_LOGIN: '5/1m' });
    await attempt(node);
    const { headers } = await attempt(node);
    expect(parseLimits(headers['ratelimit'])).toMatchObject({ default: { r: 7 }, login: { r: 3 } });
  });

  it('a path that only begins like a health check counts', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '1/1m' });
    expect((await node.client.get('/health/nothing')).status).toBe(404);
    expectLimited(await node.client.get('/health/nothing'), 'default');
  });

  it('requests count before any check: refused credentials and cross-site requests too', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '2/1m' });
    expect((await node.client.get('/users/me')).status).toBe(401);
    expect((await node.client.post('/logout', undefined, { 'sec-fetch-site': 'cross-site' })).status).toBe(
      403,
    );
    expectLimited(await node.client.get('/users/me'), 'default');
  });
});

/** A way to ask as a machine does: with a credential that is good, and with one that is not. */
interface MachineRoute {
  readonly route: string;
  readonly good: (node: TestApp) => Promise<() => Promise<Reply>>;
  readonly bad: (node: TestApp) => Promise<Reply>;
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const asService = (path: string): MachineRoute => ({
  route: `POST ${path}`,
  good: async (node) => {
    const clients = node.running.app.get(ServiceClients, { strict: false });
    const service = await clients.add(`service-${crypto.randomUUID()}`, ['introspect', 'revoke']);
    const authorization = `Basic ${btoa(`${service?.id}:${service?.secret}`)}`;
    return () => node.client.post(path, 'token=unknown', { ...FORM, authorization });
  },
  bad: (node) => node.client.post(path, 'token=unknown', { ...FORM, authorization: `Basic ${btoa('a:b')}` }),
});
const MACHINE_ROUTES: readonly MachineRoute[] = [
  {
    route: 'GET /verify',
    good: async (node) => {
      const { headers } = await signIn(node);
      return () => node.client.get('/verify', headers);
    },
    bad: (node) => node.client.get('/verify', { authorization: 'Bearer guessed' }),
  },
  asService('/introspect'),
  asService('/revoke'),
];

describe.each(MACHINE_ROUTES)(
  '$route, called by services for each of their requests [L9]',
  ({ good, bad }) => {
    it('counts refused calls only', async () => {
      const node = await limited({ RATE_LIMIT_DEFAULT: '8/1m' });
      const ask = await good(node);
      const { headers } = await node.client.get('/me');
      const { r: left = 0 } = parseLimits(headers['ratelimit'])['default'] ?? {};
      for (let call = 0; call < 20; call += 1) {
        const reply = await ask();
        expect(reply.status).toBeLessThan(300);
        expect(reply.headers).not.toHaveProperty('ratelimit');
      }
      for (let after = left - 1; after >= 0; after -= 1) {
        const reply = await bad(node);
        expect(reply.status).toBe(401);
        expect(parseLimits(reply.headers['ratelimit'])).toEqual({
          default: { r: after, t: expect.any(Number) },
        });
        expect(reply.headers['ratelimit-policy']).toBe('"default";q=8;w=60');
      }
      // The quota is one: neither a guess, nor the right one among them, nor anything else passes now.
      for (const reply of [await bad(node), await ask(), await node.client.get('/me')]) {
        expect(reply.status).toBe(429);
        expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
        expect(parseLimits(reply.headers['ratelimit'])).toEqual({ default: { r: 0, t: expect.any(Number) } });
      }
    });

    it('of 40 concurrent guesses, no more than the quota are checked', async () => {
      const node = await limited({ RATE_LIMIT_DEFAULT: '8/1m' });
      const replies = await Promise.all(Array.from({ length: 40 }, () => bad(node)));
      expect(replies.filter(({ status }) => status === 401)).toHaveLength(8);
      expect(replies.filter(({ status }) => status === 429)).toHaveLength(32);
    });

    it('gives the quota of successful and of refused calls back', async () => {
      const node = await limited({ RATE_LIMIT_DEFAULT: '12/1m' });
      const ask = await good(node);
      const { headers } = await node.client.get('/me');
      const { r: before = 0 } = parseLimits(headers['ratelimit'])['default'] ?? {};
      // More concurrent requests than the quota: some are refused.
      await Promise.all(Array.from({ length: 30 }, () => ask()));
      const after = await node.client.get('/me');
      expect(parseLimits(after.headers['ratelimit'])['default']).toMatchObject({ r: before - 1 });
    });

    it('is refused until the window ends, and no longer', async () => {
      const node = await limited({ RATE_LIMIT_DEFAULT: '6/2s' });
      const ask = await good(node);
      const until = Date.now() + 10_000;
      while ((await bad(node)).status !== 429 && Date.now() < until);
      expect((await ask()).status).toBe(429);
      let status = 429;
      while (status === 429 && Date.now() < until) ({ status } = await ask());
      expect(status).toBeLessThan(300);
    });
  },
);

it('wrong guesses at /verify count, also beside a good credential [L9]', async () => {
  const app = await startApp({ env: { RATE_LIMIT_DEFAULT: '8/1m' } });
  const { reply } = await signIn(app);
  const guesses = Array.from({ length: 3 }, (_, index) => `session=trf_st_${String(index).repeat(43)}`);
  const cookie = [`session=${cookieValue(reply, 'session')}`, ...guesses].join('; ');
  const statuses: number[] = [];
  for (let call = 0; call < 8; call += 1) statuses.push((await app.client.get('/verify', { cookie })).status);
  expect(statuses).toContain(204);
  expect(statuses.at(-1)).toBe(429);
  await app.close();
});

describe('beside a live cookie, /verify', () => {
  const limit = 12;

  /** The statuses of twice as many calls as refusals are allowed. */
  async function statusesWith(
    node: TestApp,
    headers: (cookie: string) => Record<string, string>,
  ): Promise<Set<number>> {
    const { reply } = await signIn(node);
    const cookie = `session=${cookieValue(reply, 'session')}`;
    const statuses = new Set<number>();
    for (let call = 0; call < limit * 2; call += 1)
      statuses.add((await node.client.get('/verify', headers(cookie))).status);
    return statuses;
  }

  const foreignJwt = ['{"alg":"RS256","kid":"1"}', '{"iss":"https://idp.example","sub":"1"}', 'x']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

  it.each([
    ['a token of GitHub', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'],
    ['a JWT of another issuer', foreignJwt],
    ['a text', 'secret'],
    ['no token', ''],
    ['half a JWT', 'eyJhbGciOiJub25lIn0.'],
  ])('ignores %s as the Bearer token of the application behind it [L9]', async (_what, token) => {
    for (const strategy of ['session', 'session,jwt']) {
      const node = await limited({ AUTH_STRATEGY: strategy, RATE_LIMIT_DEFAULT: `${limit}/1m` });
      const headers = (cookie: string) => ({ cookie, authorization: `Bearer ${token}` });
      expect(await statusesWith(node, headers)).toEqual(new Set([204]));
      const basic = (cookie: string) => ({ cookie, authorization: 'Basic eDp5' });
      expect(await statusesWith(node, basic)).toEqual(new Set([204]));
    }
  });

  it('ignores cookies of the application that have our names', async () => {
    const node = await limited({ AUTH_STRATEGY: 'session,jwt', RATE_LIMIT_DEFAULT: `${limit}/1m` });
    const headers = (cookie: string) => ({
      cookie: `session=s%3Aabc.def; access_token=${foreignJwt}; ${cookie}`,
    });
    expect(await statusesWith(node, headers)).toEqual(new Set([204]));
  });

  it('does not count a credential that was issued here and has ended', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: `${limit}/1m` });
    const ended = await signIn(node);
    await ended.client.post('/logout');
    const headers = (cookie: string) => ({ cookie: `${ended.headers['cookie']}; ${cookie}` });
    expect(await statusesWith(node, headers)).toEqual(new Set([204]));
  });

  it('counts a made-up token of our issuer or prefix as a guess [L9]', async () => {
    const iss = app.config.app.PUBLIC_URL;
    const forged = ['{"alg":"none"}', JSON.stringify({ iss }), 'x'].map((part) =>
      Buffer.from(part).toString('base64url'),
    );
    for (const token of [forged.join('.'), `trf_st_${'x'.repeat(43)}`, 'trf_rt_x']) {
      const node = await limited({ AUTH_STRATEGY: 'session,jwt', RATE_LIMIT_DEFAULT: `${limit}/1m` });
      const headers = (cookie: string) => ({ cookie, authorization: `Bearer ${token}` });
      expect(await statusesWith(node, headers)).toEqual(new Set([204, 429]));
    }
  });
});

it('undecided calls of /verify count: a 503 was work too [L9]', async () => {
  const node = await startApp({ env: { RATE_LIMIT_DEFAULT: '6/1m' } });
  const { r: left = 0 } = parseLimits((await node.client.get('/me')).headers['ratelimit'])['default'] ?? {};
  // No verdict about it is cached: each call needs the database.
  const unknown = `session=trf_st_${'u'.repeat(43)}`;
  await node.running.database.close();
  const statuses = [];
  for (let call = 0; call <= left; call += 1)
    statuses.push((await node.client.get('/verify', { cookie: unknown })).status);
  expect(statuses).toEqual([...Array.from({ length: left }, () => 503), 429]);
  await node.running.app.close();
  await node.testDatabase.drop();
});

describe('client address [L10, pain 9, incident 14]', () => {
  it('is the socket address without a trusted proxy; a forged X-Forwarded-For is reported once', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '3/1m' });
    const replies = [];
    for (let i = 0; i < 10; i += 1)
      replies.push(await attempt(node, { 'x-forwarded-for': `203.0.113.${i}` }));
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(3);
    expect(node.logs.filter(({ event }) => event === 'untrusted_proxy')).toHaveLength(1);
  });

  it('is the last address that one trusted hop wrote', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '1/1m', TRUST_PROXY: '1' });
    expect((await attempt(node, { 'x-forwarded-for': '198.51.100.1' })).status).toBe(401);
    expect((await attempt(node, { 'x-forwarded-for': '198.51.100.2' })).status).toBe(401);
    expectLimited(await attempt(node, { 'x-forwarded-for': '203.0.113.9, 198.51.100.1' }), 'login');
  });

  it('is taken from the networks of TRUST_PROXY only', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '1/1m', TRUST_PROXY: '10.0.0.0/8' });
    const forwarded = (address: string, proxy: string) =>
      attempt(node, { 'x-forwarded-for': address }, proxy);
    expect((await forwarded('198.51.100.1', '10.1.2.3')).status).toBe(401);
    expect((await forwarded('198.51.100.2', '10.1.2.3')).status).toBe(401);
    expect((await forwarded('198.51.100.3', '192.0.2.1')).status).toBe(401);
    expectLimited(await forwarded('198.51.100.4', '192.0.2.1'), 'login');
  });

  it('is one for sessions, events and log lines, whatever the proxy writes', async () => {
    const node = await limited({ TRUST_PROXY: '1' });
    const { email } = await signIn(node);
    for (const [written, address] of [
      ['203.0.113.7:51234', '203.0.113.7'],
      ['::ffff:203.0.113.8', '203.0.113.8'],
      ['[2001:DB8::0:1]:443', '2001:db8::1'],
      ['fe80::1%eth0', 'fe80::1'],
      // The peer wrote no address of a client: its own one is at least true.
      ['unknown', '192.0.2.1'],
      ['198.51.100.1, _hidden', '192.0.2.1'],
      ['', '192.0.2.1'],
    ] as const) {
      const from = { 'x-forwarded-for': written };
      const login = await node.client.send(
        'POST',
        '/login',
        { email, password: PASSWORD },
        from,
        '192.0.2.1',
      );
      const client = node.client.with(strategyOf(node).credentialOf(login));
      const { sessions } = (await client.get('/sessions')).body as {
        sessions: { current: boolean; ip: string }[];
      };
      expect({ written, ip: sessions.find(({ current }) => current)?.ip }).toEqual({ written, ip: address });
      const { events } = (await client.get('/users/me/events')).body as { events: { ip: string }[] };
      expect(events[0]?.ip).toBe(address);
      const lines = node.logs.filter((line) => line['request_id'] === login.headers['x-request-id']);
      expect(lines.length).toBeGreaterThan(1);
      expect(new Set(lines.map(({ ip }) => ip))).toEqual(new Set([address]));
    }
    expect(node.logs.filter(({ event }) => event === 'unreadable_client_address')).toHaveLength(1);
  });

  it('also counts for a path that cannot be decoded', async () => {
    const node = await limited({ RATE_LIMIT_DEFAULT: '1/1m', TRUST_PROXY: '1' });
    const from = (address: string) => node.client.get('/%zz', { 'x-forwarded-for': address });
    expect((await from('203.0.113.7')).status).toBe(400);
    expect((await from('203.0.113.8')).status).toBe(400);
    expectLimited(await from('203.0.113.7:99'), 'default');
  });

  it('is found behind trusted proxies in every spelling of their addresses', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '1/1m', TRUST_PROXY: '10.0.0.0/8,fe80::/16' });
    const through = (client: string, proxies: string, peer: string) =>
      attempt(node, { 'x-forwarded-for': `${client}, ${proxies}` }, peer);
    expect((await through('198.51.100.1', '10.0.0.5:4711', '::ffff:10.0.0.6')).status).toBe(401);
    expect((await through('198.51.100.2', '[::ffff:10.0.0.5]:4711', 'fe80::1%lo')).status).toBe(401);
    expectLimited(await through('198.51.100.1:99', '10.0.0.7', '10.0.0.6'), 'login');
    // A client cannot reach beyond the first address that is no trusted proxy.
    expect((await through('10.0.0.9, 198.51.100.1', '192.0.2.9', '10.0.0.6')).status).toBe(401);
    expectLimited(await through('198.51.100.77', '192.0.2.9', '10.0.0.6'), 'login');
  });

  it('has one counter for 300 spellings of an IPv6 /64, and for a mapped IPv4 address', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '2/1m', TRUST_PROXY: '1' });
    const from = (address: string) => attempt(node, { 'x-forwarded-for': address });
    const spellings = Array.from({ length: 300 }, (_, i) =>
      i % 3 === 0
        ? `2001:db8:0:1::${i.toString(16)}`
        : i % 3 === 1
          ? `2001:0DB8:0000:0001:${i.toString(16)}::`
          : `2001:db8::1:0:0:0:${i.toString(16)}`,
    );
    const statuses = [];
    for (const address of spellings) statuses.push((await from(address)).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(2);
    expect((await from('2001:db8:0:2::1')).status).toBe(401);
    expect((await from('::ffff:198.51.100.7')).status).toBe(401);
    expect((await from('198.51.100.7')).status).toBe(401);
    expectLimited(await from('::ffff:c633:6407'), 'login');
  });
});

describe('client network', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:1234', '203.0.113.7'],
    ['2001:db8::1', '2001:db8::/64'],
    ['[2001:db8::1]', '2001:db8::/64'],
    ['[2001:db8::1]:443', '2001:db8::/64'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['64:ff9b::203.0.113.7', '203.0.113.7'],
    ['64:ff9b::cb00:7107', '203.0.113.7'],
    ['2002:cb00:7107::1', '203.0.113.7'],
    ['2002:cb00:7107:ffff:1:2:3:4', '203.0.113.7'],
    // Not the well-known prefix of NAT64, and not a port.
    ['64:ff9b:1::cb00:7107', '64:ff9b:1::/64'],
    ['2001:db8::1:443', '2001:db8::/64'],
    ['203.0.113.7:', 'unknown'],
    ['203.0.113.7:123456', 'unknown'],
    ['[2001:db8::1', 'unknown'],
    ['nobody', 'unknown'],
  ])('of %s is %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  it('ignores the port that a proxy adds', async () => {
    const node = await limited({ RATE_LIMIT_LOGIN: '1/1m', TRUST_PROXY: '1' });
    expect((await attempt(node, { 'x-forwarded-for': '198.51.100.9:40001' })).status).toBe(401);
    expectLimited(await attempt(node, { 'x-forwarded-for': '198.51.100.9:40002' }), 'login');
  });
});

async function ready(node: TestApp, connection: string): Promise<void> {
  const until = Date.now() + 10_000;
  let details;
  do {
    details = (await node.client.get('/health/ready')).body['details'];
    if (details?.redis.connection === connection) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < until);
  throw new Error(`Redis did not become ${connection}: ${JSON.stringify(details)}`);
}

const withRedis = redisUrl === undefined ? describe.skip : describe;
withRedis('on Redis', () => {
  const url = new URL(redisUrl ?? 'redis://unset');
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.to(url.hostname, Number(url.port || 6379));
    const redis = new Redis(url.href);
    for (const key of await redis.keys('traffy:rate:*')) await redis.del(key);
    redis.disconnect();
  });
  afterAll(() => proxy.close());

  it('two nodes share their counters [pain 10]', async () => {
    const env = { RATE_LIMIT_LOGIN: '4/1h', REDIS_URL: url.href, TRUST_PROXY: '1' };
    const nodes = [await limited(env), await limited(env)] as const;
    for (const node of nodes) await ready(node, 'up');
    const from = { 'x-forwarded-for': '198.51.100.20' };
    const statuses = [];
    for (let i = 0; i < 8; i += 1) statuses.push((await attempt(nodes[i % 2 === 0 ? 0 : 1], from)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 429, 429, 429, 429]);
  });

  it('two nodes share the counter of /verify, and neither counts successes [pain 10]', async () => {
    const env = { RATE_LIMIT_DEFAULT: '6/1h', REDIS_URL: url.href, TRUST_PROXY: '1' };
    const nodes = [await limited(env), await limited(env)] as const;
    for (const node of nodes) await ready(node, 'up');
    const from = { 'x-forwarded-for': '198.51.100.23' };
    const { headers } = await signIn(nodes[0]);
    const ask = async (count: number, credential: Record<string, string>) => {
      const statuses = [];
      for (let call = 0; call < count; call += 1)
        statuses.push(
          (await nodes[call % 2 === 0 ? 0 : 1].client.get('/verify', { ...credential, ...from })).status,
        );
      return statuses;
    };
    expect(await ask(12, headers)).toEqual(Array.from({ length: 12 }, () => 204));
    expect(await ask(8, { authorization: 'Bearer guessed' })).toEqual([
      401, 401, 401, 401, 401, 401, 429, 429,
    ]);
    expect(await ask(2, headers)).toEqual([429, 429]);
  });

  it('without Redis, each node limits /verify separately with half the quota [fault 6]', async () => {
    const node = await limited({
      RATE_LIMIT_DEFAULT: '6/1h',
      REDIS_URL: proxy.url('redis'),
      TRUST_PROXY: '1',
    });
    await ready(node, 'up');
    const { headers } = await signIn(node);
    await proxy.stop();
    await ready(node, 'down');
    const from = { 'x-forwarded-for': '198.51.100.24' };
    for (let call = 0; call < 8; call += 1)
      expect((await node.client.get('/verify', { ...headers, ...from })).status).toBe(204);
    const statuses = [];
    for (let call = 0; call < 5; call += 1) statuses.push((await node.client.get('/verify', from)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    await proxy.start();
  });

  it('when Redis fails, each node counts alone with a lower limit, stays ready and recovers [fault 6]', async () => {
    const env = { RATE_LIMIT_LOGIN: '6/1h', REDIS_URL: proxy.url('redis'), TRUST_PROXY: '1' };
    const node = await limited(env);
    await ready(node, 'up');
    await proxy.stop();
    await ready(node, 'down');
    const health = await node.client.get('/health/ready');
    expect(health.status).toBe(200);
    const from = { 'x-forwarded-for': '198.51.100.21' };
    const replies = [];
    for (let i = 0; i < 6; i += 1) replies.push(await attempt(node, from));
    expect(replies.map(({ status }) => status)).toEqual([401, 401, 401, 429, 429, 429]);
    // The limit in force, not the one of better times.
    for (const { headers } of replies) expect(headers['ratelimit-policy']).toBe('"login";q=3;w=3600');
    const left = replies.map(({ headers }) => parseLimits(headers['ratelimit'])['login']?.['r']);
    expect(left).toEqual([2, 1, 0, 0, 0, 0]);
    expect(replies[3]?.body['detail']).toContain('of 3 requests');
    await proxy.start();
    await ready(node, 'up');
    const healed = await attempt(node, { 'x-forwarded-for': '198.51.100.22' });
    expect(healed.status).toBe(401);
    expect(healed.headers['ratelimit-policy']).toBe('"login";q=6;w=3600');
    expect(node.logs.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['redis_unavailable', 'redis_available']),
    );
  });
});

withRedis('on a Redis that answers and refuses to write', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  const faults: [string, string, [string, ...string[]], [string, ...string[]]][] = [
    ['a replica (READONLY)', 'READONLY', ['replicaof', '127.0.0.1', '9'], ['replicaof', 'no', 'one']],
    ['without memory (OOM)', 'OOM', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
    [
      'with too few replicas (NOREPLICAS)',
      'NOREPLICAS',
      ['config', 'set', 'min-replicas-to-write', '1'],
      ['config', 'set', 'min-replicas-to-write', '0'],
    ],
  ];
  it.each(faults)(
    '%s: reported, counted alone, healed by itself [fault 6]',
    async (_what, reason, broken, healed) => {
      const node = await limited({ RATE_LIMIT_LOGIN: '6/1h', REDIS_URL: server.url });
      await ready(node, 'up');
      await server.command(...broken);
      const replies = [];
      for (let call = 0; call < 4; call += 1) replies.push(await attempt(node));
      expect(replies.map(({ status }) => status)).toEqual([401, 401, 401, 429]);
      await ready(node, 'down');
      await server.command(...healed);
      await ready(node, 'up');
      const { headers } = await attempt(node);
      expect(headers['ratelimit-policy']).toBe('"login";q=6;w=3600');
      const events = node.logs.flatMap(({ event, reason: given }) =>
        String(event).startsWith('redis_') ? [[event, given]] : [],
      );
      expect(events).toEqual([
        ['redis_unavailable', reason],
        ['redis_available', undefined],
      ]);
      await server.command('flushall');
    },
  );
});
