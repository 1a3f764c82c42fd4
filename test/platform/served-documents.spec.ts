import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load.config.js';
import { startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { cookieValue } from '../support/client.js';
import { operationsOf, specificationOf } from '../support/specification.js';
import { signIn, STRATEGIES } from '../support/strategies.js';
import { OAUTH, codeOf, codesOf, send } from '../support/specifications.js';

const root = join(import.meta.dirname, '..', '..');

const running: TestApp[] = [];
async function start(env: Record<string, string>, hashing?: 'production'): Promise<TestApp> {
  const app = await startApp({ env, ...(hashing ? { hashing } : {}) });
  running.push(app);
  return app;
}
afterAll(() => Promise.all(running.map((app) => app.close())));

const OF_OUTAGES = ['service_unavailable', 'not_ready', '503 temporarily_unavailable'];

describe('error codes under load and outage', () => {
  it('rate_limited is listed exactly where requests are counted [L9]', async () => {
    const app = await start({ RATE_LIMIT_DEFAULT: '1/1m', AUTH_STRATEGY: 'jwt' });
    const operations = operationsOf(await specificationOf(app));
    await app.client.get('/me');
    for (const [name, operation] of operations) {
      const { status } = await send(app.client, name);
      expect({ name, isLimited: status === 429 }).toEqual({
        name,
        isLimited: operation.responses['429'] !== undefined,
      });
    }
  });

  it('RateLimit, RateLimit-Policy and Retry-After are listed exactly where they are sent [L9]', async () => {
    for (const limit of ['1000/1m', '1/1m']) {
      const app = await start({ RATE_LIMIT_DEFAULT: limit, AUTH_STRATEGY: 'jwt' });
      const operations = operationsOf(await specificationOf(app));
      for (const [name, { responses }] of operations) {
        const { status, headers } = await send(app.client, name);
        const described = Object.keys(responses[status]?.headers ?? {}).map((field) => field.toLowerCase());
        const fields = ['ratelimit', 'ratelimit-policy', 'retry-after'];
        expect({ name, status, fields: fields.filter((field) => headers[field] !== undefined) }).toEqual({
          name,
          status,
          fields: fields.filter((field) => described.includes(field)),
        });
      }
    }
  });

  it.each(['session', 'jwt'])(
    'with AUTH_STRATEGY=%s, 503 is listed exactly where the database is needed [O4]',
    async (strategy) => {
      const app = await startApp({ env: { AUTH_STRATEGY: strategy } });
      const operations = operationsOf(await specificationOf(app));
      const { client, reply } = await signIn(app);
      await app.running.database.close();
      for (const [name, operation] of operations) {
        const body = name === 'post /refresh' ? { refresh_token: reply.body['refresh_token'] } : undefined;
        const caller = OAUTH.includes(name.replace('post ', '')) ? app.client : client;
        const answer = await send(caller, name, body);
        const listed = OF_OUTAGES.find((code) => codesOf(operation).has(code));
        expect({ name, code: answer.status === 503 ? codeOf(answer) : undefined }).toEqual({
          name,
          code: listed,
        });
      }
      await app.running.app.close();
      await app.testDatabase.drop();
    },
  );

  it('overloaded is listed exactly where passwords are hashed [P12]', async () => {
    const app = await start({ AUTH_STRATEGY: 'session', ARGON2_CONCURRENCY: '1' }, 'production');
    const operations = operationsOf(await specificationOf(app));
    const listed = [...operations].filter(([, operation]) => codesOf(operation).has('overloaded'));
    expect(listed.map(([name]) => name).toSorted()).toEqual([
      'post /login',
      'post /password',
      'post /password/reset',
      'post /reauthenticate',
      'post /signup',
    ]);
    // More of each than the queue takes: whichever comes first fills it for the other.
    const calls = [
      ...Array.from({ length: 80 }, () => ['signup', send(app.client, 'post /signup')] as const),
      ...Array.from({ length: 80 }, () => ['login', send(app.client, 'post /login')] as const),
    ].map(async ([name, reply]) => [name, (await reply).body['code']]);
    const overloaded = (await Promise.all(calls)).filter(([, code]) => code === 'overloaded');
    expect(new Set(overloaded.map(([name]) => name))).toEqual(new Set(['login', 'signup']));
  });
});

it('passes redocly lint without errors and warnings in each strategy, and for the union', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'traffy-spec-'));
  const files: string[] = [];
  for (const { strategy } of STRATEGIES) {
    const app = await start({ AUTH_STRATEGY: strategy });
    const file = join(folder, `${strategy}.json`);
    writeFileSync(file, JSON.stringify(await specificationOf(app)));
    files.push(file);
    if (files.length < STRATEGIES.length) continue;
    const union = join(folder, 'all.json');
    writeFileSync(union, JSON.stringify(await specificationOf(app, '/openapi.json?strategy=all')));
    files.push(union);
  }
  const cli = join(root, 'node_modules', '@redocly', 'cli', 'bin', 'cli.js');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [cli, 'lint', '--max-problems=20', ...files],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    },
  );
  rmSync(folder, { recursive: true, force: true });
  expect({ status, output: stdout + stderr }).toMatchObject({ status: 0 });
  expect(files).toHaveLength(5);
  expect(stdout + stderr).toContain('Your API descriptions are valid');
  expect(stdout + stderr).not.toMatch(/\bwarning/i);
});

it('names cookies as with an https PUBLIC_URL', async () => {
  const app = await start({ PUBLIC_URL: 'https://auth.example.com', AUTH_STRATEGY: 'session,jwt' });
  const { securitySchemes } = (await specificationOf(app)).components;
  expect(securitySchemes).toMatchObject({
    session: { name: '__Host-session' },
    accessTokenCookie: { name: '__Host-access_token' },
  });
  const { reply } = await signIn(app);
  expect(cookieValue(reply, '__Host-session')).toMatch(/^trf_st_/);
});

describe('with DOCS=off [G2]', () => {
  it('serves neither page nor specification', async () => {
    const app = await start({ DOCS: 'off' });
    for (const url of ['/docs', '/docs/', '/docs/page.js', '/openapi.json']) {
      const { status, body } = await app.client.get(url);
      expect({ url, status, code: body['code'] }).toEqual({ url, status: 404, code: 'not_found' });
    }
  });

  it('is the default in production', () => {
    const { app } = loadConfig({
      APP_ENV: 'production',
      DATABASE_URL: 'postgres://db.example.com/traffy',
      AUTH_SECRETS: TEST_SECRET,
      PUBLIC_URL: 'https://auth.example.com',
      TRUST_PROXY: '1',
    });
    expect(app.DOCS).toBe(false);
  });

  it('does not load Swagger: only dynamic imports reach it', () => {
    const importers = (pattern: RegExp) =>
      globSync('src/**/*.ts', { cwd: root })
        .filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')))
        .map((file) => file.replaceAll('\\', '/'));
    expect(importers(/^import (?!type\b)[^;]*'(@nestjs\/swagger|swagger-ui-dist)'/m)).toEqual([
      'src/platform/docs/openapi.ts',
    ]);
    // Itself loaded only by the command that prints the specification.
    expect(importers(/^import (?!type\b)[^;]*\/(openapi|swagger)\.js'/m)).toEqual([
      'src/cli/describe-api.ts',
    ]);
    expect(importers(/^import (?!type\b)[^;]*\/describe-api\.js'/m)).toEqual([]);
    expect(importers(/\bimport\('[^']*\/(describe-api|openapi|swagger)\.js'\)/).toSorted()).toEqual([
      'src/app.factory.ts',
      'src/cli/openapi.command.ts',
      'src/platform/docs/swagger.ts',
    ]);
  });
});
