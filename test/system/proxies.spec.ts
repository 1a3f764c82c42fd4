import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IDENTITY_HEADERS } from '../../src/services/forward-auth.dto.js';
import { startApp, type TestApp } from '../support/app.js';
import { type Answer, Application, type Headers, send } from '../support/raw-http.js';
import { PROXIES, type ReverseProxy, startProxy, stopAllProxies } from '../support/reverse-proxies.js';
import { freshEmail, PASSWORD, type SignedIn, signIn } from '../support/strategies.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** Traffy as a proxy of this machine sees it, over a cable that can be cut. */
interface Backend {
  readonly app: TestApp;
  readonly cable: TcpProxy;
  readonly address: string;
  /** Every request that arrived, with the body that its header fields announce. */
  readonly arrived: { route: string; announcesBody: boolean }[];
}

const backends: Backend[] = [];
async function startBackend(env: Record<string, string>): Promise<Backend> {
  const app = await startApp({ env: { TRUST_PROXY: '1', ...env } });
  const arrived: Backend['arrived'] = [];
  const { hostname, port } = new URL(await app.listen());
  (app.running.app.getHttpServer() as Server).prependListener('request', ({ method, url, headers }) =>
    arrived.push({
      route: `${method} ${url}`,
      announcesBody: Number(headers['content-length'] ?? 0) > 0 || 'transfer-encoding' in headers,
    }),
  );
  const cable = await TcpProxy.to(hostname, Number(port));
  const backend = { app, cable, address: new URL(cable.url('http')).host, arrived };
  backends.push(backend);
  return backend;
}

const application = new Application();
let applicationAddress: string;
beforeAll(async () => {
  applicationAddress = await application.start();
});
afterAll(async () => {
  await stopAllProxies();
  await Promise.all(backends.flatMap(({ app, cable }) => [cable.close(), app.close()]));
  await application.close();
});
beforeEach(() => {
  application.received = [];
});

function cookiesOf({ headers }: Answer): string {
  return (headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
}

/** The kinds of credential, and the headers that carry one after a sign-in. */
const CREDENTIALS = [
  { kind: 'a session cookie', strategy: 'session', transport: 'cookie' },
  { kind: 'a bearer token', strategy: 'jwt', transport: 'bearer' },
  { kind: 'an access token in its cookie', strategy: 'jwt', transport: 'cookie' },
] as const;

function headersOf(login: Answer, transport: 'cookie' | 'bearer'): Record<string, string> {
  if (transport === 'cookie') return { cookie: cookiesOf(login) };
  return { authorization: `Bearer ${(JSON.parse(login.text) as { access_token: string }).access_token}` };
}

/** What a client sends that would like to be somebody else, in every spelling. */
const FORGED: Headers = Object.fromEntries(
  Object.keys(IDENTITY_HEADERS).flatMap((name) => [
    [name, ['forged', 'forged again']],
    [name.replaceAll('-', '_'), 'forged'],
    [name.replace('-', '_').toUpperCase(), 'forged'],
    [name.replace(/-(?=[^-]*$)/, '_').toLowerCase(), 'forged'],
  ]),
);

/** Paths that only operators call, at Traffy itself, in spellings that it takes for them. */
const FOR_OPERATORS = [
  '/health/live',
  '/health/ready',
  '/%68ealth/ready',
  '/health/%72eady',
  'http://127.0.0.1/health/ready',
  '/health/ready?x=1',
  '/metrics',
  '/%6detrics',
  '/metrics?x=/app/',
];

/** Paths that some program takes for another than it looks, and some that must not be reachable. */
const TRICKS = [
  '//',
  '//admin',
  '/./admin',
  '/%2e/admin',
  '/public',
  '/PUBLIC/admin',
  '/public/..',
  '/public/../admin',
  '/public/./../admin',
  '/public//../../admin',
  '//public/../admin',
  '/public/%2e%2e/admin',
  '/public/%2E%2E/admin',
  '/public/.%2e/admin',
  '/public/..%2fadmin',
  '/public/%2e%2e%2fadmin',
  '/public%2f..%2fadmin',
  '/public/..;/admin',
  '/public/..;x=1/admin',
  '/public/%2e%2e%3b/admin',
  '/public/;/../admin',
  '/public/..\\admin',
  '/public\\..\\admin',
  '/public/..%5cadmin',
  '/public/%252e%252e/admin',
  '/public/..%00/admin',
  '/public/../admin?x=/public/',
  '/admin/../public/x',
  '/admin/%2e%2e/public/x',
  '/admin/..%2fpublic/x',
  '/admin%2f..%2fpublic/x',
  '/admin/..;/public/x',
  '/%70ublic/../admin',
  '/me/../admin',
  '/me%2f..%2fadmin',
  '/me/%2e%2e/admin',
  '/me;/admin',
  '/me/',
  '/login/../admin',
  '/login;/../admin',
  '/sessions/../admin',
  '/sessions/%2e%2e/admin',
  'http://127.0.0.1/public/../admin',
  '/app',
  '/app/',
  '/app/x',
  '/APP/x',
  '/%61pp/x',
  '/app%2fx',
  '//app/x',
  '/x/../app/y',
  '/app/../public/x',
  '/app/%2e%2e/public/x',
  '/app/..%2fpublic/x',
  '/app%2f..%2fpublic/x',
  '/app/..;/public/x',
  '/app\\..\\public/x',
  '/public/../app/x',
  '/public/..%2fapp/x',
  'http://127.0.0.1/app/x',
  '/app?/public/x',
  '/app;/x',
  '/verify',
  '/verify/../app/x',
  '/-/verify',
  ...FOR_OPERATORS,
];

for (const kind of PROXIES) {
  const describeTried = PROXIES.includes(kind) ? describe : describe.skip;
  describeTried(`behind ${kind.name} with the configuration of docs/proxies`, () => {
    let proxies: Record<'session' | 'jwt', { backend: Backend; proxy: ReverseProxy }>;
    beforeAll(async () => {
      const start = async (strategy: string) => {
        const known = backends.find(({ app }) => app.config.auth.AUTH_STRATEGY.join() === strategy);
        const backend = known ?? (await startBackend({ AUTH_STRATEGY: strategy }));
        const upstreams = { traffy: backend.address, application: applicationAddress };
        return { backend, proxy: await startProxy(kind, upstreams) };
      };
      proxies = { session: await start('session'), jwt: await start('jwt') };
    });
    describe.each(CREDENTIALS)('with $kind', ({ strategy, transport }) => {
      let backend: Backend;
      let proxy: ReverseProxy;
      let email: string;
      let login: Answer;
      let credential: Record<string, string>;

      const postJson = (path: string, body: object, headers: Headers = {}) =>
        send(proxy, path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        });
      const subject = async () => {
        const { body } = await backend.app.client.get('/users/me', credential);
        return body['id'] as string;
      };

      beforeAll(async () => {
        ({ backend, proxy } = proxies[strategy]);
        email = freshEmail();
        await postJson('/signup', { email, password: PASSWORD });
      });
      beforeEach(async () => {
        login = await postJson('/login', { email, password: PASSWORD, transport });
        credential = headersOf(login, transport);
        backend.arrived.length = 0;
      });

      it('signs in, identifies the user and signs out on the same origin', async () => {
        expect(login.status).toBe(200);
        const me = await send(proxy, '/me', { headers: credential });
        expect(JSON.parse(me.text)).toEqual({ logged_in: true, email });
        const logout = await send(proxy, '/logout', { method: 'POST', headers: credential });
        expect(JSON.parse(logout.text)).toEqual({ logged_in: false });
        expect(application.received).toEqual([]);
      });

      it('tells Traffy the address of the client, whatever the client sends [pain 9]', async () => {
        const forwarded = { 'x-forwarded-for': '203.0.113.9' };
        await send(proxy, '/me', { headers: { ...credential, ...forwarded } });
        await send(proxy, '/app/', { headers: { ...credential, ...forwarded } });
        const addresses = backend.app.logs.filter(({ event }) => event === 'request').slice(-2);
        expect(addresses.map(({ route, ip }) => [route, ip])).toEqual([
          ['/me', '127.0.0.1'],
          ['/verify', '127.0.0.1'],
        ]);
      });

      it('passes a request once, unchanged, with its user', async () => {
        const path = '/app/a%2Fb;c=1/d?e=%20f&g=/../h';
        const { status, text } = await send(proxy, path, {
          headers: {
            ...credential,
            accept: 'text/html',
            'x-forwarded-for': '203.0.113.9',
            range: 'bytes=0-',
          },
        });
        expect({ status, text }).toEqual({ status: 200, text: 'the application' });
        const { session } = JSON.parse(login.text) as { session: { id: string } };
        expect(application.received).toEqual([
          expect.objectContaining({
            method: 'GET',
            url: path,
            identity: {
              'x-auth-subject': [await subject()],
              'x-auth-session': [session.id],
              'x-auth-time': [expect.stringMatching(/^\d{10}$/)],
              'x-auth-methods': ['pwd'],
              'x-auth-strategy': [strategy],
            },
          }),
        ]);
        expect(application.received[0]?.headers['x-forwarded-for']).toBe('127.0.0.1');
        expect(application.received[0]?.headers['x-forwarded-proto']).toBe('http');
        expect(backend.arrived.filter(({ route }) => route.includes('verify'))).toEqual([
          { route: 'GET /verify', announcesBody: false },
        ]);
      });

      it.each([
        ['with a length', {}],
        ['in chunks', { isChunked: true }],
      ] as const)('passes a body %s to the application once, and never to Traffy', async (_how, how) => {
        const body = JSON.stringify({ filler: 'x'.repeat(200_000) });
        const headers = { ...credential, 'content-type': 'application/json' };
        const { status } = await send(proxy, '/app/orders', { method: 'POST', headers, body, ...how });
        expect(status).toBe(200);
        expect(application.received.map((request) => [request.method, request.body === body])).toEqual([
          ['POST', true],
        ]);
        expect(backend.arrived).toEqual([{ route: 'GET /verify', announcesBody: false }]);
      });

      it('protects HEAD and upgraded connections too', async () => {
        const upgrade = { connection: 'Upgrade', upgrade: 'test' };
        expect((await send(proxy, '/app/', { method: 'HEAD', headers: credential })).status).toBe(200);
        expect((await send(proxy, '/app/', { headers: { ...credential, ...upgrade } })).status).toBe(101);
        expect(application.received.map(({ identity }) => identity['x-auth-subject'])).toEqual(
          Array.from({ length: 2 }, () => [expect.any(String)]),
        );
        application.received = [];
        expect((await send(proxy, '/app/', { method: 'HEAD' })).status).toBe(401);
        expect((await send(proxy, '/app/', { headers: upgrade })).status).toBe(401);
        expect(application.received).toEqual([]);
      });

      it('answers 401 with a Bearer challenge without a credential and right after sign-out [B1, B2]', async () => {
        const anonymous = await send(proxy, '/app/');
        expect(anonymous.status).toBe(401);
        expect(anonymous.headers['www-authenticate']).toBe('Bearer realm="traffy"');
        expect((await send(proxy, '/app/', { headers: credential })).status).toBe(200);
        application.received = [];
        await send(proxy, '/logout', { method: 'POST', headers: credential });
        const signedOut = await send(proxy, '/app/', { headers: credential });
        expect(signedOut.status).toBe(401);
        expect(signedOut.headers['www-authenticate']).toBe('Bearer realm="traffy", error="invalid_token"');
        expect(application.received).toEqual([]);
      });

      it('removes X-Auth fields of clients in every spelling [incident 12]', async () => {
        const claims = { ...FORGED, 'x-forwarded-user': 'forged' };
        expect((await send(proxy, '/app/', { headers: claims })).status).toBe(401);
        expect((await send(proxy, '/app/', { headers: { ...credential, ...claims } })).status).toBe(200);
        expect((await send(proxy, '/public/page', { headers: claims })).status).toBe(200);
        expect(application.received.map(({ url, identity }) => [url, identity['x-auth-subject']])).toEqual([
          ['/app/', [await subject()]],
          ['/public/page', undefined],
        ]);
        expect(JSON.stringify(application.received.map(({ identity }) => identity))).not.toContain('forged');
        expect(application.received[1]?.identity).toEqual({});
      });

      it('ignores a client that declares X-Auth-Subject a connection field', async () => {
        const connection = 'close, X-Auth-Subject, X-Auth-Session';
        await send(proxy, '/app/', { headers: { ...credential, ...FORGED, connection } });
        const seen = application.received.flatMap(({ identity }) => identity['x-auth-subject'] ?? []);
        expect([[], [await subject()]]).toContainEqual(seen);
      });

      it('passes a large Cookie header, and refuses one beyond the limits', async () => {
        const withFiller = (size: number) => ({
          ...credential,
          cookie: [`app=${'x'.repeat(size)}`, credential['cookie']].filter(Boolean).join('; '),
        });
        expect((await send(proxy, '/app/', { headers: withFiller(13_000) })).status).toBe(200);
        expect(application.received[0]?.identity['x-auth-subject']).toEqual([await subject()]);
        application.received = [];
        // More than Traffy reads, in two fields; more than anybody reads.
        const agent = { 'user-agent': 'x'.repeat(10_000) };
        const tooMuch = await send(proxy, '/app/', { headers: { ...withFiller(10_000), ...agent } });
        expect(tooMuch.status).toBe(431);
        expect((await send(proxy, '/app/', { headers: withFiller(60_000) })).status).toBeGreaterThanOrEqual(
          400,
        );
        expect(application.received).toEqual([]);
      });
    });

    it.each(TRICKS)('%s is protected [incident 29]', async (path) => {
      const { proxy } = proxies.session;
      const { status } = await send(proxy, path, { headers: FORGED });
      // 404 is Traffy's: it reads paths as they stand there.
      expect([400, 401, 404]).toContain(status);
      expect(application.received).toEqual([]);
    });

    it.each(['/', '/login', '/admin'])('%s is the page of Traffy', async (path) => {
      const { proxy } = proxies.session;
      const { status, headers } = await send(proxy, path);
      expect({ status, type: headers['content-type'] }).toEqual({
        status: 200,
        type: 'text/html; charset=utf-8',
      });
      expect(application.received).toEqual([]);
    });

    it.each(FOR_OPERATORS)('%s never reaches Traffy', async (path) => {
      const { proxy, backend } = proxies.session;
      const { headers } = await signIn(backend.app);
      backend.arrived.length = 0;
      // HAProxy refuses an absolute form that differs from Host.
      expect([400, 404]).toContain((await send(proxy, path, { headers })).status);
      expect(backend.arrived).toEqual([]);
    });

    it('public paths are open to all', async () => {
      const { proxy } = proxies.session;
      for (const path of ['/public/style.css', '/public/a/b.js?c=//d', '/public/', '/public/a..b/_c-d~e'])
        expect({ path, status: (await send(proxy, path)).status }).toEqual({ path, status: 200 });
      expect(application.received).toHaveLength(4);
    });

    it('credentials of two users are 400', async () => {
      const { proxy, backend } = proxies.jwt;
      const [one, other] = [await signIn(backend.app), await signIn(backend.app)];
      const headers = { ...one.headers, cookie: `access_token=${other.reply.body['access_token']}` };
      expect((await send(proxy, '/app/', { headers })).status).toBe(400);
      expect(application.received).toEqual([]);
    });

    it('refuses all requests while Traffy is unavailable, and recovers [O4]', async () => {
      const { proxy, backend } = proxies.session;
      const { headers } = await signIn(backend.app);
      await backend.cable.stop();
      const answers = await Promise.all([headers, {}].map((sent) => send(proxy, '/app/', { headers: sent })));
      for (const { status } of answers) expect([502, 503]).toContain(status);
      await backend.cable.start();
      expect(application.received).toEqual([]);
      expect((await send(proxy, '/app/', { headers })).status).toBe(200);
    });

    if (kind.name === 'haproxy') {
      it.each([
        ['breaks', 'error("broken")'],
        ['never ends', 'while true do end'],
      ])('refuses all requests if the script %s', async (_how, fault) => {
        const { app, address } = proxies.session.backend;
        const { headers } = await signIn(app);
        const upstreams = { traffy: address, application: applicationAddress };
        const proxy = await startProxy(kind, upstreams, (text) =>
          text.replace('local sent = {}', `${fault}\n  local sent = {}`),
        );
        const { status } = await send(proxy, '/app/', { headers });
        await proxy.stop();
        expect(status).toBe(503);
        expect(application.received).toEqual([]);
      });
    }
  });
}

(PROXIES.length > 0 ? describe : describe.skip)('every proxy that is PROXIES', () => {
  let proxies: ReverseProxy[] = [];
  let backend: Backend;
  let headers: SignedIn['headers'];
  beforeAll(async () => {
    backend = await startBackend({ AUTH_STRATEGY: 'session', RATE_LIMIT_DEFAULT: '4/1m' });
    const upstreams = { traffy: backend.address, application: applicationAddress };
    proxies = await Promise.all(PROXIES.map((kind) => startProxy(kind, upstreams)));
    ({ headers } = await signIn(backend.app));
  });

  it('gives each client its own quota, which only refusals use, whatever it forges [L9, pain 9]', async () => {
    for (const [index, proxy] of proxies.entries()) {
      const ask = (from: string, credential: Headers) =>
        send(proxy, '/app/', {
          from,
          headers: { ...credential, 'x-forwarded-for': `203.0.113.${Math.ceil(Math.random() * 250)}` },
        });
      const guesser = `127.0.1.${index}`;
      const statuses = [];
      for (let call = 0; call < 8; call += 1) statuses.push((await ask(guesser, headers)).status);
      for (let call = 0; call < 6; call += 1) statuses.push((await ask(guesser, {})).status);
      expect({ proxy: proxy.name, statuses }).toEqual({
        proxy: proxy.name,
        statuses: [...Array.from({ length: 8 }, () => 200), 401, 401, 401, 401, 429, 429],
      });
      const limited = await ask(guesser, headers);
      expect({ status: limited.status, isTold: Number(limited.headers['retry-after']) > 0 }).toEqual({
        status: 429,
        isTold: true,
      });
      expect((await ask(`127.0.2.${index}`, headers)).status).toBe(200);
    }
  });

  it('refuses quickly while Traffy does not answer [O4]', async () => {
    backend.cable.hold();
    const since = performance.now();
    const answers = await Promise.all(proxies.map((proxy) => send(proxy, '/app/', { headers })));
    expect(performance.now() - since).toBeLessThan(9_000);
    backend.cable.release();
    for (const { status } of answers) expect([502, 503, 504]).toContain(status);
    expect(application.received).toEqual([]);
  });

  it('passes on a 503 of Traffy with Retry-After [O4]', async () => {
    // Nothing that was seen before: it may be remembered for a moment.
    const unseen = await signIn(backend.app);
    await backend.app.running.database.close();
    for (const proxy of proxies) {
      const call = { headers: unseen.headers, from: '127.0.3.1' };
      const { status, headers: fields } = await send(proxy, '/app/', call);
      expect({ proxy: proxy.name, status, after: fields['retry-after'] }).toEqual({
        proxy: proxy.name,
        status: 503,
        after: '5',
      });
    }
    expect(application.received).toEqual([]);
  });
});
