import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import { sql } from 'kysely';
import { loadConfig } from '../config/load.config.js';
import { type Permission, PERMISSIONS, ServiceClients } from '../src/auth/clients/service-clients.service.js';
import { RouteTable } from '../src/http/route-table.js';
import { startApp, TEST_SECRET, type TestApp } from './support/app.js';
import { type Client, cookieValue, type Reply } from './support/client.js';
import { provokeAccount } from './support/provoke/account.js';
import { provokeAdmin } from './support/provoke/admin.js';
import { provokeAudit } from './support/provoke/audit.js';
import { type Note, provokeCommon } from './support/provoke/common.js';
import { provokeMfa } from './support/provoke/mfa.js';
import { provokePasskeys } from './support/provoke/passkeys.js';
import { provokePasswords } from './support/provoke/passwords.js';
import { provokeRecovery } from './support/provoke/recovery.js';
import {
  type Media,
  type Operation,
  operationsOf,
  type Specification,
  specificationOf,
} from './support/specification.js';
import { freshEmail, PASSWORD, signIn, STRATEGIES, strategyOf } from './support/strategies.js';

const root = join(import.meta.dirname, '..');
const HTML = { accept: 'text/html' };

function mediaOf({ requestBody, responses }: Operation): Media[] {
  return [requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {}));
}

function examplesOf({ example, examples = {} }: Media): unknown[] {
  return [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)];
}

/** The codes that an operation is documented to answer; those of OAuth stand for several statuses each. */
function codesOf({ responses }: Operation): Set<string> {
  return new Set(
    Object.entries(responses).flatMap(([status, { content }]) => [
      ...Object.keys(content?.['application/problem+json']?.examples ?? {}),
      ...(Number(status) >= 400
        ? Object.keys(content?.['application/json']?.examples ?? {}).map((error) => `${status} ${error}`)
        : []),
    ]),
  );
}

function codeOf({ status, body }: Reply): string {
  if (typeof body['error'] === 'string') return `${status} ${body['error']}`;
  return (body['code'] as string | undefined) ?? 'success';
}

/** Checks values against schemas of a specification. */
function validatorOf(specification: Specification) {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  ajvFormats.default(ajv);
  ajv.addSchema({ ...specification, $id: 'https://spec.example/' });
  const compiled = new Map<string, ValidateFunction>();
  return (media: Media, value: unknown) => {
    const rooted = JSON.stringify(media.schema).replaceAll('"#/', '"https://spec.example/#/');
    const validate = compiled.get(rooted) ?? ajv.compile(JSON.parse(rooted) as object);
    compiled.set(rooted, validate);
    validate(value);
    return validate.errors ?? [];
  };
}

const running: TestApp[] = [];
async function start(env: Record<string, string>): Promise<TestApp> {
  const app = await startApp({ env });
  running.push(app);
  return app;
}
afterAll(() => Promise.all(running.map((app) => app.close())));

describe.each(STRATEGIES)(
  'the specification with AUTH_STRATEGY=$strategy',
  ({ strategy, issues, accepts }) => {
    let app: TestApp;
    let specification: Specification;
    let operations: Map<string, Operation>;
    const acceptsTokens = (accepts as readonly string[]).includes('jwt');
    const acceptsCookie = (accepts as readonly string[]).includes('session');

    beforeAll(async () => {
      app = await start({ AUTH_STRATEGY: strategy, REFRESH_REUSE_GRACE: '0s' });
      specification = await specificationOf(app);
      operations = operationsOf(specification);
    });

    it('says which strategy runs and how to try it', () => {
      expect(specification).toMatchObject({
        openapi: '3.1.0',
        info: { title: 'Traffy', license: { name: 'MIT', identifier: 'MIT' } },
        servers: [{ url: '/' }],
      });
      const { description } = specification.info;
      expect(description).toContain(`AUTH_STRATEGY=${strategy}\``);
      expect(description).toContain('transport');
      expect(description).toMatch(/sign in with `POST \/login` below/i);
    });

    it('has a security scheme for each way to send an accepted credential, and no other', () => {
      const kinds = Object.entries(specification.components.securitySchemes).map(
        ([key, { type, in: place, name, scheme }]) => [key, type, place ?? scheme, name],
      );
      expect(kinds.toSorted()).toEqual([
        ...(acceptsTokens
          ? [
              ['accessTokenCookie', 'apiKey', 'cookie', 'access_token'],
              ['bearer', 'http', 'bearer', undefined],
            ]
          : []),
        // Of services, wherever they call.
        ['client', 'http', 'basic', undefined],
        ...(acceptsCookie ? [['session', 'apiKey', 'cookie', 'session']] : []),
      ]);
    });

    it('asks for a credential exactly where the service does', async () => {
      const kinds = Object.keys(specification.components.securitySchemes)
        .filter((key) => key !== 'client')
        .map((key) => ({ [key]: [] }));
      const given = Object.fromEntries([...operations].map(([name, { security }]) => [name, security]));
      const open: Record<string, object[]> = {
        'post /signup': [],
        'post /login': [],
        ...(acceptsTokens && { 'post /refresh': [] }),
        'get /me': [{}, ...kinds],
        'post /logout': [{}, ...kinds],
        'get /health/live': [],
        'get /health/ready': [],
        'get /.well-known/jwks.json': [],
        'get /.well-known/oauth-authorization-server': [],
        'post /introspect': [{ client: [] }],
        'post /revoke': [{ client: [] }],
        'get /.well-known/revocations': [],
        'post /password/forgot': [],
        'post /password/reset': [],
        'post /email/verify': [],
        'post /mfa': [],
        'post /passkeys/authentication/options': [{}, ...kinds],
        'post /passkeys/authentication/verify': [],
      };
      expect(Object.keys(open).filter((name) => !operations.has(name))).toEqual([]);
      expect(given).toEqual(
        Object.fromEntries([...operations.keys()].map((name) => [name, open[name] ?? kinds])),
      );
      for (const [name, { security }] of operations) {
        const code = codeOf(await send(app.client, name));
        const isRefused = ['authentication_required', '401 invalid_client'].includes(code);
        expect({ name, isRefused }).toEqual({
          name,
          isRefused: security.length > 0 && !security.some((kind) => Object.keys(kind).length === 0),
        });
      }
    });

    it('has token fields in the reply of a sign-in only where tokens are issued', async () => {
      const { schemas } = specification.components;
      const fields = ['access_token', 'token_type', 'expires_in', 'refresh_token'];
      expect(Object.keys(schemas['LoginReply']?.properties ?? {})).toEqual([
        'success',
        'email',
        'session',
        ...(issues === 'jwt' ? fields : []),
      ]);
      const { reply } = await signIn(app);
      expect(Object.keys(schemas['LoginReply']?.properties ?? {}).toSorted()).toEqual(
        Object.keys(reply.body).toSorted(),
      );
      expect(Object.keys(schemas['RefreshReply']?.properties ?? {})).toEqual(acceptsTokens ? fields : []);
      expect(schemas['Logout'] !== undefined).toBe(acceptsTokens);
    });

    it('P5: puts no pattern on passwords, and the least length on new ones alone', () => {
      const { schemas } = specification.components;
      expect(schemas['Signup']?.properties['password']).toMatchObject({ type: 'string', minLength: 15 });
      expect(schemas['Login']?.properties['password']).not.toHaveProperty('minLength');
      for (const name of ['Signup', 'Login'])
        expect(schemas[name]?.properties['password']).not.toHaveProperty('pattern');
    });

    it('documents every route of the router, and nothing else', () => {
      const routes = app.running.app
        .get(RouteTable)
        .all()
        .filter(({ method }) => method !== 'HEAD')
        .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
      const ours = routes.filter((route) => !/ (\/docs|\/openapi\.json|\/account\/|\/dev\/)/.test(route));
      expect(routes).toContain('get /docs');
      // Where no token is accepted it refuses everything, and nobody needs to know it.
      const unlisted = acceptsTokens ? [] : ['post /refresh'];
      expect(ours.toSorted()).toEqual([...operations.keys(), ...unlisted].toSorted());
    });

    it('gives every operation a summary, a unique id, a group, and errors', () => {
      const ids = [...operations.values()].map(({ operationId }) => operationId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [name, operation] of operations) {
        expect({ name, summary: operation.summary }).toEqual({
          name,
          summary: expect.stringMatching(/^\S.+/),
        });
        expect(operation.tags).toHaveLength(1);
        expect(Object.keys(operation.responses).some((status) => status.startsWith('4'))).toBe(true);
      }
    });

    it('gives every body an example that its schema takes', () => {
      const errorsOf = validatorOf(specification);
      for (const [name, operation] of operations) {
        for (const media of mediaOf(operation)) {
          const examples = examplesOf(media);
          expect({ name, examples: examples.length }).not.toEqual({ name, examples: 0 });
          for (const example of examples)
            expect({ name, example, errors: errorsOf(media, example) }).toEqual({
              name,
              example,
              errors: [],
            });
        }
      }
    });

    it('lists for every operation exactly the codes that it answers', async () => {
      const errorsOf = validatorOf(specification);
      const seen = new Map<string, Set<string>>();
      for (const [name, replies] of await provoke(app, operations)) {
        const operation = operations.get(name);
        if (!operation) continue;
        for (const reply of replies) {
          const type = String(reply.headers['content-type']).split(';')[0] ?? '';
          const media = operation.responses[reply.status]?.content?.[type];
          const documented = operation.responses[reply.status];
          const isEmpty = reply.text === '' && documented !== undefined && !documented.content;
          const undocumented = isEmpty ? [] : ['not documented'];
          const value = type.endsWith('json') ? reply.body : reply.text;
          const errors = media ? errorsOf(media, value) : undocumented;
          expect({ name, status: reply.status, type, body: reply.body, errors }).toMatchObject({
            errors: [],
          });
          seen.set(name, (seen.get(name) ?? new Set()).add(codeOf(reply)));
        }
      }
      for (const [name, operation] of operations) {
        const provoked = [...(seen.get(name) ?? [])].filter((code) => code !== 'success');
        const documented = [...codesOf(operation)].filter((code) => !PROVOKED_ELSEWHERE.has(code));
        expect({ name, codes: provoked.toSorted() }).toEqual({
          name,
          codes: documented
            .filter((code) => issues === 'jwt' || !/^refresh_(?!invalid)/.test(code))
            .toSorted(),
        });
        expect([...(seen.get(name) ?? [])]).toContain(
          name === 'post /refresh' && issues !== 'jwt' ? 'refresh_invalid' : 'success',
        );
      }
    });
  },
);

/** What each capability can answer besides what all answer alike. */
const CAPABILITIES: readonly ((app: TestApp, note: Note) => Promise<void>)[] = [
  provokeAccount,
  provokeAdmin,
  provokeAudit,
  provokeMfa,
  provokePasskeys,
  provokePasswords,
  provokeRecovery,
];

/** These have their own tests below; a fault of ours cannot be had on demand. */
const PROVOKED_ELSEWHERE = new Set([
  'rate_limited',
  'service_unavailable',
  'not_ready',
  'overloaded',
  'internal_error',
  '429 temporarily_unavailable',
  '503 temporarily_unavailable',
  '500 server_error',
]);

const OAUTH: readonly string[] = ['/introspect', '/revoke'];
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** The form of a service client that does not exist. */
const NOBODY = `token=x&client_id=${crypto.randomUUID()}&client_secret=x`;

/** Of the form that is looked up, and of nobody. */
const MAILED_TOKEN = `trf_ot_${'A'.repeat(43)}`;

/** Bodies that are well-formed. */
const SAMPLES: Readonly<Record<string, object>> = {
  '/password/forgot': { email: 'test@example.com' },
  '/password/reset': { token: MAILED_TOKEN, new_password: PASSWORD },
  '/email/verify': { token: MAILED_TOKEN },
  '/mfa': { mfa_token: 'trf_mt_nothing', code: '123456' },
};

/** Calls an operation in a way that is well-formed. */
function send(
  client: Client,
  name: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const [method = '', path = ''] = name.split(' ');
  const url = path.replace('{id}', '019a0000-0000-7000-8000-000000000002');
  if (method === 'get') return client.get(url, headers);
  if (method === 'delete') return client.send('DELETE', url, body, headers);
  if (method === 'patch') return client.send('PATCH', url, body, headers);
  if (OAUTH.includes(url)) return client.send('POST', url, body ?? NOBODY, { ...FORM, ...headers });
  const sample = ['/signup', '/login'].includes(url)
    ? { email: freshEmail(), password: PASSWORD }
    : SAMPLES[url];
  return client.post(url, body ?? sample, headers);
}

/** Calls every operation in all the ways that have an answer of their own. */
async function provoke(
  app: TestApp,
  operations: ReadonlyMap<string, Operation>,
): Promise<Map<string, Reply[]>> {
  const { client } = app;
  const replies = new Map<string, Reply[]>();
  const note = async (name: string, ...calls: (Reply | Promise<Reply>)[]) =>
    void replies.set(name, [...(replies.get(name) ?? []), ...(await Promise.all(calls))]);

  for (const name of ['signup', 'login', 'refresh', 'logout', 'session/exchange'].map(
    (path) => `post /${path}`,
  )) {
    await note(
      name,
      send(client, name, '{'),
      send(client, name, { unknown: true }),
      send(client, name, { email: 'x'.repeat(17_000) }),
      send(client, name, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
      send(client, name, undefined, { origin: 'https://evil.example' }),
      send(client, name, undefined, HTML),
    );
  }
  for (const name of ['me', 'users/me', 'health/live', 'health/ready', '.well-known/jwks.json'].map(
    (path) => `get /${path}`,
  ))
    await note(name, send(client, name, undefined, HTML));
  for (const name of ['health/live', 'health/ready', '.well-known/jwks.json'].map((path) => `get /${path}`))
    await note(name, send(client, name));
  const metadata = 'get /.well-known/oauth-authorization-server';
  await note(metadata, send(client, metadata), send(client, metadata, undefined, HTML));

  await note(
    'get /.well-known/revocations',
    client.get('/.well-known/revocations'),
    client.get('/.well-known/revocations?cursor=x'),
    client.get('/.well-known/revocations', HTML),
  );

  for (const permission of PERMISSIONS) await provokeOAuth(app, permission, note);
  const email = freshEmail();
  await note('post /signup', await client.post('/signup', { email, password: PASSWORD }));
  await note(
    'post /signup',
    client.post('/signup', { email, password: PASSWORD }),
    client.post('/signup', { email: freshEmail(), password: 'short' }),
  );
  const conflict = await conflictingHeaders(app);
  await note(
    'post /login',
    client.post('/login', { email, password: PASSWORD }),
    client.post('/login', { email, password: `${PASSWORD}!` }),
    client.post('/login', { email, password: PASSWORD }, conflict),
  );
  await note('post /refresh', client.post('/refresh', { refresh_token: 'trf_rt_nothing' }, conflict));
  const { invalid, expired, revoked } = await deadHeaders(app);
  await note('get /me', client.get('/me'), client.get('/me', revoked), client.get('/me', conflict));
  await note('get /me', (await signIn(app)).client.get('/me'));
  const someone = await signIn(app);
  const endSession = (id: string, headers: Record<string, string> = {}) =>
    client.send('DELETE', `/sessions/${id}`, undefined, headers);
  await note(
    'delete /sessions/{id}',
    endSession(crypto.randomUUID(), someone.headers),
    endSession('x'.repeat(65), someone.headers),
    endSession(someone.sessionId, HTML),
    endSession(someone.sessionId, { origin: 'https://evil.example' }),
    client.send('DELETE', '/sessions/x', '{'),
    client.send('DELETE', '/sessions/x', { filler: 'x'.repeat(17_000) }),
    client.send('DELETE', '/sessions/x', 'a=b', { 'content-type': 'text/plain' }),
  );
  await note('get /sessions', await client.get('/sessions', someone.headers), client.get('/sessions', HTML));
  await note(
    'post /session/exchange',
    await client.post('/session/exchange', { transport: 'bearer' }, someone.headers),
    await client.post('/session/exchange', { unknown: true }, someone.headers),
  );
  await note('delete /sessions/{id}', await endSession(someone.sessionId, someone.headers));
  for (const headers of [{}, invalid, expired, revoked, conflict]) {
    await note('get /users/me', client.get('/users/me', headers));
    await note('get /sessions', client.get('/sessions', headers));
    await note('post /session/exchange', client.post('/session/exchange', undefined, headers));
    await note('get /verify', client.get('/verify', { ...headers, ...HTML }));
    await note('delete /sessions/{id}', endSession(someone.sessionId, headers));
    await note('post /logout', client.post('/logout?scope=global', undefined, headers));
  }
  await note('get /users/me', (await signIn(app)).client.get('/users/me'));
  await note('get /verify', (await signIn(app)).client.get('/verify', HTML));
  await note('post /logout', (await signIn(app)).client.post('/logout?scope=others'));
  await note('post /logout', client.post('/logout?scope=none'));
  await note('post /refresh', client.post('/refresh', { refresh_token: 'trf_rt_nothing' }));
  if (strategyOf(app).issues === 'jwt') await note('post /refresh', ...(await provokeRefresh(app)));
  const others = [...operations].filter(([name]) => !replies.has(name));
  const provokable = others.map(([name, operation]) => ({
    name,
    codes: codesOf(operation),
    hasBody: operation.requestBody !== undefined,
  }));
  // The sessions of the one before were ended by signing out.
  const conflictAgain = await conflictingHeaders(app);
  await provokeCommon(app, provokable, [{}, invalid, expired, revoked, conflictAgain], note);
  for (const provokeCapability of CAPABILITIES) await provokeCapability(app, note);
  return replies;
}

/** Calls both OAuth endpoints as a service client that may use one of them. */
async function provokeOAuth(
  app: TestApp,
  permission: Permission,
  note: (name: string, ...calls: Promise<Reply>[]) => Promise<void>,
): Promise<void> {
  const { client } = app;
  const service = await app.running.app.get(ServiceClients, { strict: false }).add(permission, [permission]);
  const { reply } = await signIn(app);
  const token = strategyOf(app).issues === 'jwt' ? reply.body['access_token'] : cookieValue(reply, 'session');
  const form = (value: unknown) =>
    `token=${String(value)}&client_id=${service?.id}&client_secret=${service?.secret}`;
  for (const name of ['post /introspect', 'post /revoke']) {
    await note(name, send(client, name, form('unknown')), send(client, name, form(token)));
    await note(
      name,
      send(client, name),
      send(client, name, form('')),
      send(client, name, 'token=%zz'),
      send(client, name, form('x'.repeat(17_000))),
      send(client, name, '{}', { 'content-type': 'application/json' }),
      send(client, name, form(token), { 'sec-fetch-site': 'cross-site' }),
      send(client, name, form(token), HTML),
    );
  }
}

async function provokeRefresh(app: TestApp): Promise<Reply[]> {
  const refresh = (token: unknown) => app.client.post('/refresh', { refresh_token: token });
  const good = await signIn(app);
  const first = await refresh(good.reply.body['refresh_token']);
  const second = await refresh(first.body['refresh_token']);
  const reused = await refresh(good.reply.body['refresh_token']);
  const gone = await signIn(app);
  await gone.client.post('/logout');
  const late = await signIn(app);
  await expire(app, late.sessionId);
  return [
    first,
    second,
    reused,
    await refresh(gone.reply.body['refresh_token']),
    await refresh(late.reply.body['refresh_token']),
  ];
}

async function expire(app: TestApp, sessionId: string): Promise<void> {
  await app.query(
    sql`update sessions set created_at = now() - interval '2 days', expires_at = now() - interval '1 day' where id = ${sessionId}`,
  );
}

/** Credentials that open nothing, each for another reason. */
async function deadHeaders(app: TestApp) {
  const expired = await signIn(app);
  await expire(app, expired.sessionId);
  const revoked = await signIn(app);
  await revoked.client.post('/logout');
  return {
    invalid: { authorization: 'Bearer nonsense' },
    expired: expired.headers,
    revoked: revoked.headers,
  };
}

/** Live credentials of two people in one request. */
async function conflictingHeaders(app: TestApp): Promise<Record<string, string>> {
  const one = await signIn(app);
  const other = await signIn(app);
  if (strategyOf(app).issues === 'session')
    return { cookie: `${one.headers['cookie']}; ${other.headers['cookie']}` };
  return { ...one.headers, cookie: `access_token=${other.reply.body['access_token']}` };
}

const OF_OUTAGES = ['service_unavailable', 'not_ready', '503 temporarily_unavailable'];

describe('the codes of hard times', () => {
  it('L9: rate_limited is listed exactly where calls are counted', async () => {
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

  it.each(['session', 'jwt'])(
    'O4: with AUTH_STRATEGY=%s, a 503 is listed exactly where the database is needed',
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

  it('P12: overloaded is listed exactly where passwords are hashed', async () => {
    const app = await start({ AUTH_STRATEGY: 'session', ARGON2_CONCURRENCY: '1' });
    const operations = operationsOf(await specificationOf(app));
    const listed = [...operations].filter(([, operation]) => codesOf(operation).has('overloaded'));
    expect(listed.map(([name]) => name).toSorted()).toEqual([
      'post /login',
      'post /password',
      'post /password/reset',
      'post /reauthenticate',
      'post /signup',
    ]);
    // Sign-ups hash at once and fill the queue; sign-ins, which look for the account first, find it full.
    const calls = [
      ...Array.from({ length: 80 }, () => ['signup', send(app.client, 'post /signup')] as const),
      ...Array.from({ length: 10 }, () => ['login', send(app.client, 'post /login')] as const),
    ].map(async ([name, reply]) => [name, (await reply).body['code']]);
    const overloaded = (await Promise.all(calls)).filter(([, code]) => code === 'overloaded');
    expect(new Set(overloaded.map(([name]) => name))).toEqual(new Set(['login', 'signup']));
  });
});

it('passes redocly lint without an error or a warning, for each strategy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'traffy-spec-'));
  const files: string[] = [];
  for (const app of running.slice(0, STRATEGIES.length)) {
    const file = join(folder, `${strategyOf(app).strategy}.json`);
    writeFileSync(file, JSON.stringify(await specificationOf(app)));
    files.push(file);
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
  expect(files).toHaveLength(4);
  expect(stdout + stderr).toContain('Your API descriptions are valid');
  expect(stdout + stderr).not.toMatch(/\bwarning/i);
});

it('names cookies as they are with an https PUBLIC_URL', async () => {
  const app = await start({ PUBLIC_URL: 'https://auth.example.com', AUTH_STRATEGY: 'session,jwt' });
  const { securitySchemes } = (await specificationOf(app)).components;
  expect(securitySchemes).toMatchObject({
    session: { name: '__Host-session' },
    accessTokenCookie: { name: '__Host-access_token' },
  });
  const { reply } = await signIn(app);
  expect(cookieValue(reply, '__Host-session')).toMatch(/^trf_st_/);
});

describe('G2: with DOCS=off', () => {
  it('neither the page nor the specification is there', async () => {
    const app = await start({ DOCS: 'off' });
    for (const url of ['/docs', '/docs/', '/docs/page.js', '/openapi.json']) {
      const { status, body } = await app.client.get(url);
      expect({ url, status, code: body['code'] }).toEqual({ url, status: 404, code: 'not_found' });
    }
  });

  it('is how production runs by default', () => {
    const { app } = loadConfig({
      APP_ENV: 'production',
      DATABASE_URL: 'postgres://db.example.com/traffy',
      AUTH_SECRETS: TEST_SECRET,
      PUBLIC_URL: 'https://auth.example.com',
      TRUST_PROXY: '1',
    });
    expect(app.DOCS).toBe(false);
  });

  it('Swagger is not loaded: nothing imports it but what is itself imported on demand', () => {
    const importers = (pattern: RegExp) =>
      globSync('src/**/*.ts', { cwd: root })
        .filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')))
        .map((file) => file.replaceAll('\\', '/'));
    expect(importers(/^import (?!type\b)[^;]*'(@nestjs\/swagger|swagger-ui-dist)'/m)).toEqual([
      'src/docs/openapi.ts',
    ]);
    expect(importers(/^import (?!type\b)[^;]*\/(openapi|swagger)\.js'/m)).toEqual([]);
    expect(importers(/\bimport\('[^']*\/(openapi|swagger)\.js'\)/).toSorted()).toEqual([
      'src/app.factory.ts',
      'src/docs/swagger.ts',
    ]);
  });
});
