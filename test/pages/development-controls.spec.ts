import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { Holder } from '../support/holder.js';
import { STRATEGIES } from '../support/strategies.js';

const ROUTES = [
  ['GET', '/dev/controls'],
  ['GET', '/dev/credential'],
  ['POST', '/dev/demo'],
  ['POST', '/dev/expire'],
  ['POST', '/dev/strategy'],
] as const;
const HTML = { accept: 'text/html' };

const statusOf = async (app: TestApp, method: 'GET' | 'POST', path: string, headers = {}) =>
  method === 'GET'
    ? (await app.client.get(path, headers)).status
    : (await app.client.post(path, { role: 'admin', strategy: 'jwt' }, headers)).status;

describe('development controls', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { APP_ENV: 'development' } });
  });
  afterAll(() => app.close());

  it.each(ROUTES)('%s %s answers local requests only', async (method, path) => {
    expect(await statusOf(app, method, path)).not.toBe(404);
    for (const headers of [
      { 'x-forwarded-for': '127.0.0.1' },
      { forwarded: 'for=127.0.0.1' },
      { host: 'rebound.example' },
    ])
      expect(await statusOf(app, method, path, headers)).toBe(404);
  });

  it.each(ROUTES.filter(([method]) => method === 'POST'))(
    '%s %s refuses pages of other sites',
    async (method, path) => {
      for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'null' }])
        expect(await statusOf(app, method, path, headers)).toBe(403);
    },
  );

  it('are in no specification, and on every page as a badge', async () => {
    expect((await app.client.get('/openapi.json?strategy=all')).text).not.toContain('/dev/');
    const { text } = await app.client.get('/login', HTML);
    const [, script = ''] = /src="(\/dev\/assets\/badge[^"]*)"/.exec(text) ?? [];
    expect((await app.client.get(script)).status).toBe(200);
  });

  it('name the wrong field, and refuse a step with its reason', async () => {
    for (const [path, body, field] of [
      ['/dev/demo', { role: 'root' }, 'role'],
      ['/dev/strategy', { strategy: 'cookies' }, 'strategy'],
      ['/dev/strategy', {}, 'strategy'],
    ] as const)
      expect(await app.client.post(path, body)).toMatchObject({
        status: 400,
        body: { code: 'validation_failed', errors: [expect.objectContaining({ path: field })] },
      });
    const refused = await app.client.post('/dev/strategy', { strategy: 'jwt' });
    expect(refused.status).toBe(409);
    expect(refused.body['refused']).toContain('session → session,jwt → jwt,session → jwt');
    expect((await app.client.post('/dev/expire')).body['code']).toBe('authentication_required');
  });

  it('change the strategy of the running process', async () => {
    for (const strategy of ['session,jwt', 'session']) {
      expect((await app.client.post('/dev/strategy', { strategy })).body).toEqual({ strategy });
      expect((await app.client.get('/dev/credential')).body).toMatchObject({ strategy, credentials: [] });
    }
    expect((await app.client.get('/dev/credential')).body['next_steps']).toEqual(['session,jwt']);
  });
});

describe.each(STRATEGIES)('development controls with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { APP_ENV: 'development', AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it.each(['user', 'admin'] as const)(
    'make a %s, show the credential without it, let it expire',
    async (role) => {
      const { status, body } = await app.client.post('/dev/demo', { role });
      expect(status).toBe(201);
      const login = await app.client.post('/login', { ...body, transport: 'cookie' });
      const holder = new Holder(String(body['email']));
      holder.take(login);
      const shown = await app.client.get('/dev/credential', holder.headers);
      expect(shown.body['credentials']).toContainEqual(
        expect.objectContaining({ kind: issues, status: 'live', sid: holder.sessionId, roles: [role] }),
      );
      for (const value of (holder.headers['cookie'] ?? '')
        .split('; ')
        .map((pair) => pair.split('=')[1] ?? '')) {
        expect(value.length).toBeGreaterThan(20);
        expect(shown.text).not.toContain(value);
      }
      const expired = await app.client.post('/dev/expire', undefined, holder.headers);
      expect(expired.status).toBe(200);
      const access = expired.setCookies[0]?.split(';')[0] ?? '';
      const headers = {
        cookie: (holder.headers['cookie'] ?? '').replace(/access_token=[^;]*/, access),
      };
      const refused = await app.client.get('/users/me', headers);
      expect(refused.body).toMatchObject({
        status: 401,
        code: 'credential_expired',
        action: issues === 'jwt' ? 'refresh' : 'login',
      });
      const refreshed = await app.client.post('/refresh', undefined, headers);
      expect(refreshed.status).toBe(issues === 'jwt' ? 200 : 401);
    },
  );
});

describe('without development', () => {
  // Production needs a server for its database.
  it.each(onServer ? ['test', 'production'] : ['test'])(
    'APP_ENV=%s has no controls and no badge',
    async (environment) => {
      const app = await startApp({
        env: {
          APP_ENV: environment,
          ...(environment === 'production' && { PUBLIC_URL: 'https://auth.example', TRUST_PROXY: '0' }),
        },
      });
      for (const [method, path] of ROUTES) expect(await statusOf(app, method, path)).toBe(404);
      expect((await app.client.get('/login', HTML)).text).not.toContain('/dev/');
      await app.close();
    },
  );

  it('the built pages contain nothing of them', () => {
    const folder = join(import.meta.dirname, '..', '..', 'dist', 'pages');
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(5);
    for (const name of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()))
      expect(readFileSync(join(folder, name.name), 'utf8')).not.toMatch(
        /dev\/(?:demo|expire|strategy|credential|assets)|dev-badge|Demo user/,
      );
    expect(existsSync(join(folder, '..', 'dev-pages', '.vite', 'manifest.json'))).toBe(true);
    const { files } = JSON.parse(readFileSync(join(folder, '..', '..', 'package.json'), 'utf8')) as {
      files: string[];
    };
    expect(files).toContain('!dist/dev-pages');
  });
});
