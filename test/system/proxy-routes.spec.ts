import { METHODS } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RouteTable } from '../../src/platform/http/route-table.js';
import { IDENTITY_HEADERS } from '../../src/services/forward-auth.dto.js';
import { startApp, type TestApp } from '../support/app.js';
import {
  envoyCheck,
  envoyChecks,
  envoyDestination,
  traefikDestination,
  traefikRouters,
} from '../support/proxy-documents.js';
import { type Answer, Application, send } from '../support/raw-http.js';
import { until } from '../support/process.js';
import { PROXIES, type ReverseProxy, startProxy, stopAllProxies } from '../support/reverse-proxies.js';
import { routesOf } from '../support/routes.js';
import { type SignedIn, signIn } from '../support/strategies.js';

/** Routes that operators call at the internal address of Traffy. */
const isForOperators = (path: string) => path.startsWith('/health/') || path === '/metrics';

/** Paths that Traffy has not, or only in other versions: none of them needs a line in a configuration. */
const OF_OTHER_VERSIONS = [
  '/',
  '/signup',
  '/login',
  '/forgot',
  '/reset-password',
  '/verify-email',
  '/account',
  '/admin',
  '/admin/roles/x',
  '/dev/controls',
  '/brand.css',
  '/assets/page.3f2a.js',
  '/.well-known/change-password',
  '/tokens/1/of/any/depth',
  '/application',
  '/healthy',
  '/publicity',
];

/** Every route of Traffy but those for operators, with values for its parameters. */
function browserRoutes(app: TestApp): { method: string; route: string; path: string }[] {
  const routes = app.running.app.get(RouteTable).all();
  return routes
    .filter(({ path }) => !isForOperators(path))
    .map(({ method, path }) => ({
      method,
      route: path,
      path: path.replaceAll(/:\w+/g, () => crypto.randomUUID()).replace('*', 'swagger-ui.css'),
    }));
}

const application = new Application();
let applicationAddress: string;
beforeAll(async () => {
  applicationAddress = await application.start();
});
afterAll(async () => {
  await stopAllProxies();
  await application.close();
});

describe.each(['session', 'jwt'])('with AUTH_STRATEGY=%s', (strategy) => {
  let app: TestApp;
  let traffy: string;
  beforeAll(async () => {
    app = await startApp({
      env: {
        AUTH_STRATEGY: strategy,
        // As README.md says for Envoy; the other proxies have the first of them.
        TRUST_PROXY: '127.0.0.1,192.0.2.1',
        RATE_LIMIT_DEFAULT: 'off',
        RATE_LIMIT_LOGIN: 'off',
        RATE_LIMIT_SIGNUP: 'off',
      },
    });
    traffy = new URL(await app.listen()).host;
  });
  afterAll(() => app.close());

  /** What Traffy logged about a request that it answered itself; undefined if the proxy did. */
  const loggedOf = async ({ headers }: Answer): Promise<Record<string, unknown> | undefined> => {
    const id = headers['x-request-id'];
    if (id === undefined) return undefined;
    return until(async () => {
      const line = app
        .logText()
        .split('\n')
        .findLast((text) => text.includes(String(id)) && text.includes('"event":"request"'));
      return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>);
    }, 2_000);
  };

  it('knows every route of the controllers, and the pages', () => {
    const routes = browserRoutes(app).map(({ method, route }) => `${method} ${route}`);
    const declared = routesOf(app).filter(({ path }) => !isForOperators(path));
    expect(routes).toEqual(expect.arrayContaining(declared.map(({ route }) => route)));
    for (const route of [
      'POST /mfa',
      'POST /password/reset',
      'GET /passkeys',
      'GET /account',
      'GET /brand.css',
    ])
      expect(routes).toContain(route);
  });

  describe.each(PROXIES)('behind $name', (kind) => {
    let proxy: ReverseProxy;
    beforeAll(async () => {
      proxy = await startProxy(kind, { traffy, application: applicationAddress });
    });
    afterAll(() => proxy.stop());

    it('Traffy itself answers every route that a browser can call, and its preflight', async () => {
      const routes = browserRoutes(app);
      const answered = [];
      for (const { method, path, route } of routes) {
        const logged = await loggedOf(await send(proxy, path, { method }));
        answered.push({ method, route: logged?.['route'] ?? `${route}: the proxy` });
        const headers = { origin: 'https://app.example', 'access-control-request-method': method };
        const preflight = await send(proxy, path, { method: 'OPTIONS', headers });
        expect({ path, isTraffy: (await loggedOf(preflight)) !== undefined }).toEqual({
          path,
          isTraffy: true,
        });
      }
      expect(answered).toEqual(routes.map(({ method, route }) => ({ method, route })));
      expect(application.received).toEqual([]);
    });

    it.each(OF_OTHER_VERSIONS)('%s is a path of Traffy', async (path) => {
      const answer = await send(proxy, path);
      expect(await loggedOf(answer)).toMatchObject({ event: 'request', status: answer.status });
      expect(application.received).toEqual([]);
    });

    it('the application is reached below its prefix alone, and by a sign-in alone', async () => {
      const { headers } = await signIn(app);
      for (const path of ['/app', '/app/', '/app/login', '/app/account']) {
        expect((await send(proxy, path)).status).toBe(401);
        expect(application.received).toEqual([]);
        expect((await send(proxy, path, { headers })).text).toBe('the application');
        expect(application.received.splice(0).map(({ url }) => url)).toEqual([path]);
      }
    });
  });

  describe('traefik.yml, read', () => {
    it('sends every route that a browser can call to Traffy', () => {
      for (const { path } of [...browserRoutes(app), ...OF_OTHER_VERSIONS.map((path) => ({ path }))])
        expect({ path, to: traefikDestination(path) }).toEqual({ path, to: 'traffy' });
    });

    it('sends the application its own paths, after a sign-in, and operators nowhere', () => {
      for (const path of ['/app', '/app/', '/app/login'])
        expect(traefikDestination(path)).toBe('application');
      for (const path of ['/health/live', '/health/ready', '/metrics'])
        expect(traefikDestination(path)).toBe(null);
      for (const { service, middlewares } of traefikRouters())
        expect(middlewares).toEqual(
          service === 'application' ? ['remove-identity', 'signed-in'] : ['remove-identity'],
        );
    });
  });

  describe('envoy.yaml, read', () => {
    let signedIn: SignedIn;
    let server: { host: string; port: number };
    beforeAll(async () => {
      const { hostname, port } = new URL(`http://${traffy}`);
      server = { host: hostname, port: Number(port) };
      signedIn = await signIn(app);
    });

    it('sends every route that a browser can call to Traffy, unchecked', () => {
      for (const { path } of [...browserRoutes(app), ...OF_OTHER_VERSIONS.map((path) => ({ path }))])
        expect({ path, ...envoyDestination(path) }).toEqual({ path, to: 'traffy', isChecked: false });
    });

    it('sends the application its own paths: checked, or public', () => {
      for (const path of ['/app', '/app/', '/app/login'])
        expect(envoyDestination(path)).toEqual({ to: 'application', isChecked: true });
      for (const path of ['/public/', '/public/a.css', '/public/a/b.js'])
        expect(envoyDestination(path)).toEqual({ to: 'application', isChecked: false });
      for (const path of ['/public/../a', '/public//a', '/public/..;/a', '/public/%2e%2e/a'])
        expect({ path, to: envoyDestination(path).to }).toEqual({ path, to: 'traffy' });
      for (const path of ['/health/live', '/health/ready', '/metrics'])
        expect(envoyDestination(path).to).toBe(null);
    });

    it('never passes an undecided request, and takes the identity from Traffy alone', () => {
      const { filter, removed } = envoyChecks();
      const names = Object.keys(IDENTITY_HEADERS).map((name) => name.toLowerCase());
      const { allowed_upstream_headers: upstream } = filter.http_service.authorization_response;
      expect(filter.failure_mode_allow).toBe(false);
      expect(upstream.patterns.map(({ exact }) => exact)).toEqual(names);
      expect(removed).toEqual(expect.arrayContaining([...names, 'x-auth-require', 'x-auth-status']));
    });

    // Envoy passes a request after 200 alone (ext_authz.proto, HttpService), and denies it by any status below 500.
    it.each(METHODS.filter((method) => method !== 'CONNECT'))(
      'its check of a %s is 200 or 401',
      async (method) => {
        for (const path of ['/app/', '/app/orders?role=admin&x=%', '/app/%E9/../y']) {
          for (const body of [undefined, '{"a":', 'x'.repeat(50_000)]) {
            const request = { ...signedIn.headers, 'content-type': 'application/json', accept: 'text/html' };
            const { path: target, ...call } = envoyCheck(path, request, body);
            const allowed = await send(server, target, { ...call, method });
            expect({ path, status: allowed.status }).toEqual({ path, status: 200 });
            expect(allowed.headers['x-auth-session']).toBe(signedIn.sessionId);
            const { path: anonymous, ...rest } = envoyCheck(path, {}, body);
            const refused = await send(server, anonymous, { ...rest, method });
            expect(refused.status).toBe(401);
            expect(refused.headers['www-authenticate']).toBe('Bearer realm="traffy"');
            expect(await loggedOf(refused)).toMatchObject({ route: '/verify', ip: '198.51.100.7' });
          }
        }
      },
    );

    it('its check does not send what a client requires for itself', async () => {
      const { path, ...call } = envoyCheck('/app/', { ...signedIn.headers, 'x-auth-require': 'role=x' });
      expect((await send(server, path, call)).status).toBe(200);
      const required = { ...call.headers, 'x-auth-require': 'role=admin' };
      expect((await send(server, path, { ...call, headers: required })).status).toBe(403);
    });
  });
});
