import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Permission, PERMISSIONS } from '../../src/services/permissions.js';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { RouteTable } from '../../src/platform/http/route-table.js';
import { startApp, type TestApp } from '../support/app.js';
import { cookieValue, type Reply } from '../support/client.js';
import { provokeAccount } from '../support/provoke/account.js';
import { provokeAdmin } from '../support/provoke/admin.js';
import { provokeAudit } from '../support/provoke/audit.js';
import { type Note, provokeCommon } from '../support/provoke/common.js';
import { provokeMfa } from '../support/provoke/mfa.js';
import { provokePasskeys } from '../support/provoke/passkeys.js';
import { provokePasswords } from '../support/provoke/passwords.js';
import { provokeRecovery } from '../support/provoke/recovery.js';
import {
  type Media,
  type Operation,
  operationsOf,
  type Specification,
  specificationOf,
} from '../support/specification.js';
import { freshEmail, PASSWORD, signIn, STRATEGIES, strategyOf } from '../support/strategies.js';
import { codeOf, codesOf, send } from '../support/specifications.js';
import { given } from '../support/given.js';
import { validatorOf } from '../support/validator.js';

const HTML = { accept: 'text/html' };

function mediaOf({ requestBody, responses }: Operation): Media[] {
  return [requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {}));
}

function examplesOf({ example, examples = {} }: Media): unknown[] {
  return [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)];
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

function schemaOf({ components }: Specification, schema: object): ObjectSchema {
  const { $ref = '' } = schema as { $ref?: string };
  return (components.schemas[$ref.split('/').pop() ?? ''] ?? schema) as ObjectSchema;
}

/** The required fields of the example of a body. */
function bodyWithout(media: Media, required: readonly string[]): Record<string, unknown> {
  const [example = {}] = examplesOf(media) as Record<string, unknown>[];
  return Object.fromEntries(Object.entries(example).filter(([field]) => required.includes(field)));
}

/** A client that was written for these breaks when one is missing, and must learn of a new one. */
const CLOSED_FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  'Account.role': ['user', 'admin'],
  'UserChange.role': ['user', 'admin'],
  'Login.transport': ['bearer', 'cookie'],
  'PasskeySignIn.transport': ['bearer', 'cookie'],
  'LoginReply.success': [true],
  'LogoutReply.logged_in': [false],
  'LogoutReply.action': ['login'],
  'MeReply.0.logged_in': [true],
  'MeReply.1.logged_in': [false],
  'MeReply.1.action': ['login', 'refresh'],
  'PasskeyRequest.purpose': ['sign_in', 'reauthentication'],
  'PasskeyRegistration.credential.type': ['public-key'],
  'PasskeySignIn.credential.type': ['public-key'],
  'Problem.action': ['login', 'refresh', 'step_up'],
  'Problem.reason': ['too_short', 'common', 'context_specific', 'guessable', 'breached', 'unchanged'],
  'Problem.factors': ['totp', 'passkey', 'recovery_code'],
  'Lock.authenticator': ['password', 'totp', 'recovery_code', 'passkey'],
  'Lock.refuses': ['network', 'unknown_networks', 'everybody'],
  'Event.actor': ['user', 'admin', 'operator', 'service', 'system'],
};

/** Renaming one renames a type in every generated client. */
const SCHEMAS: readonly string[] = [
  'Account',
  'AccountExport',
  'AdministeredUser',
  'AdministeredUsers',
  'AuditEvent',
  'AuditEvents',
  'AuthorizationServerMetadata',
  'Device',
  'EllipticCurveKey',
  'EmailChange',
  'EmailProof',
  'EndedSessions',
  'Event',
  'EventKind',
  'Events',
  'Exchange',
  'ExportedRow',
  'InspectedUser',
  'Introspection',
  'IntrospectionReply',
  'JsonWebKeySet',
  'Live',
  'Lock',
  'Login',
  'LoginReply',
  'Logout',
  'LogoutReply',
  'MeReply',
  'NewTotp',
  'OAuthError',
  'Passkey',
  'PasskeyAssertion',
  'PasskeyAttestation',
  'PasskeyChange',
  'PasskeyCreationOptions',
  'PasskeyRegistration',
  'PasskeyRegistrationRequest',
  'PasskeyRequest',
  'PasskeyRequestOptions',
  'PasskeySignIn',
  'Passkeys',
  'PasswordChange',
  'PasswordForgotten',
  'PasswordReset',
  'Problem',
  'Profile',
  'Ready',
  'Reauthenticate',
  'RecoveryCodes',
  'Refresh',
  'RefreshReply',
  'Revocation',
  'Revocations',
  'RsaKey',
  'SecondFactor',
  'SessionView',
  'Sessions',
  'SignInMethods',
  'Signup',
  'SignupReply',
  'Strategy',
  'TotpConfirmation',
  'UserChange',
];

interface FieldSchema {
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly anyOf?: readonly FieldSchema[];
  readonly items?: FieldSchema;
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
}

/** Routes for browsers: pages, their files and the documentation. */
const PAGES =
  /^get (\/|\/(login|signup|forgot|reset-password|verify-email|account|admin|brand\.css)|\/(docs|openapi\.json|account\/|assets\/|dev\/|\.well-known\/(change-password|passkey-endpoints|security\.txt)).*)$/;

/** The values of a field, or of the elements of a list. */
function valuesAt(schemas: Specification['components']['schemas'], [name = '', ...path]: string[]): unknown {
  const schema = path.reduce<FieldSchema | undefined>(
    (found, part) => referenced(schemas, found?.properties?.[part] ?? found?.anyOf?.[Number(part)]),
    schemas[name] as FieldSchema,
  );
  return schema?.enum ?? schema?.items?.enum;
}

function referenced(
  schemas: Specification['components']['schemas'],
  schema: FieldSchema | undefined,
): FieldSchema | undefined {
  const name = schema?.$ref?.split('/').at(-1);
  return name === undefined ? schema : (schemas[name] as FieldSchema);
}

/** Every text for readers in a part of a specification. */
function textsIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'string' && ['summary', 'description', 'title'].includes(key) ? [value] : textsIn(value),
  );
}

const running: TestApp[] = [];
async function start(env: Record<string, string>): Promise<TestApp> {
  const app = await startApp({ env });
  running.push(app);
  return app;
}
afterAll(() => Promise.all(running.map((app) => app.close())));

describe.each(STRATEGIES)('specification with AUTH_STRATEGY=$strategy', ({ strategy, issues, accepts }) => {
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

  it('null and empty optional fields of bodies are absent [fault 27]', async () => {
    const admin = await signIn(app);
    await given.role(app, admin.email, 'admin');
    const tried: string[] = [];
    for (const [name, { requestBody }] of operations) {
      const media = requestBody?.content['application/json'];
      if (!media) continue;
      const { properties = {}, required = [] } = schemaOf(specification, media.schema);
      // Where null is a value, it removes what there was.
      const optional = Object.entries(properties).filter(
        ([, schema]) => !JSON.stringify(schema).includes('"null"'),
      );
      for (const field of optional.map(([one]) => one).filter((one) => !required.includes(one))) {
        tried.push(`${name} ${field}`);
        const replies: unknown[] = [];
        for (const value of [undefined, null, '']) {
          const body = { ...bodyWithout(media, required), [field]: value };
          const { body: reply } = await send(admin.client, name, body);
          // A call can change what the next one does, but not whether its body is valid.
          const isInvalid = reply['code'] === 'validation_failed';
          replies.push({ name, field, errors: isInvalid ? reply['errors'] : [] });
        }
        expect(replies).toEqual([replies[0], replies[0], replies[0]]);
      }
      if (requestBody?.required) continue;
      const [none, empty] = [await send(app.client, name), await send(app.client, name, 'null')];
      expect({ name, code: codeOf(empty) }).toEqual({ name, code: codeOf(none) });
    }
    expect(tried).toEqual(expect.arrayContaining(['post /login transport', 'post /mfa recovery_code']));
  });

  it('names the running strategy and how to try it', () => {
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

  it('requires a credential exactly where the service does', async () => {
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

  it('has token fields in the response of a sign-in only if tokens are issued', async () => {
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

  it('has no pattern on passwords, and a minimum length on new ones alone [P5]', () => {
    const { schemas } = specification.components;
    expect(schemas['Signup']?.properties['password']).toMatchObject({ type: 'string', minLength: 15 });
    expect(schemas['Login']?.properties['password']).not.toHaveProperty('minLength');
    for (const name of ['Signup', 'Login'])
      expect(schemas[name]?.properties['password']).not.toHaveProperty('pattern');
  });

  it('lists the values of fields that clients compare', () => {
    const { schemas } = specification.components;
    const found = Object.fromEntries(
      Object.keys(CLOSED_FIELDS).map((path) => [path, valuesAt(schemas, path.split('.'))]),
    );
    expect(found).toEqual(CLOSED_FIELDS);
  });

  it('names the schemas that clients generate types from', () => {
    // Each error code has a schema of its own.
    const names = Object.keys(specification.components.schemas).filter((name) => !/.Problem$/.test(name));
    expect(names.filter((name) => !SCHEMAS.includes(name))).toEqual([]);
    const missing = SCHEMAS.filter((name) => !names.includes(name));
    expect(accepts.length === 2 ? missing : []).toEqual([]);
  });

  it('has no empty summary, description or title', () => {
    const texts = textsIn(specification);
    expect(texts.length).toBeGreaterThan(100);
    expect(texts.filter((text) => text.trim() === '')).toEqual([]);
  });

  it('documents every route and nothing else', () => {
    const routes = app.running.app
      .get(RouteTable)
      .all()
      .filter(({ method }) => method !== 'HEAD')
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
    const ours = routes.filter((route) => !PAGES.test(route));
    expect(routes).toContain('get /docs');
    // Where no token is accepted it refuses everything, and nobody needs to know it.
    const unlisted = acceptsTokens ? [] : ['post /refresh'];
    expect(ours.toSorted()).toEqual([...operations.keys(), ...unlisted].toSorted());
  });

  it('describes every group, and names every operation by a verb', () => {
    const groups = new Map(specification.tags.map(({ name, description }) => [name, description]));
    for (const { operationId, tags } of operations.values()) {
      expect({ operationId, meaning: groups.get(tags[0] ?? '') }).toEqual({
        operationId,
        meaning: expect.stringMatching(/^[A-Z].+\.$/),
      });
      expect(operationId).toMatch(
        /^(signup|login|logout|refresh|introspect|revoke|verify|reauthenticate|(add|begin|change|check|complete|confirm|create|delete|end|exchange|export|forgot|get|list|login|remove|rename|resend|reset|verify)[A-Z][A-Za-z]+)$/,
      );
    }
    const used = [...operations.values()].flatMap(({ tags }) => tags);
    expect([...groups.keys()].toSorted()).toEqual([...new Set(used)].toSorted());
  });

  it('gives every operation a summary, a unique id, a group and errors', () => {
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

  it('gives every body an example that matches its schema', () => {
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

  it('lists exactly the error codes that each operation returns', async () => {
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
        codes: documented.filter((code) => issues === 'jwt' || !/^refresh_(?!invalid)/.test(code)).toSorted(),
      });
      expect([...(seen.get(name) ?? [])]).toContain(
        name === 'post /refresh' && issues !== 'jwt' ? 'refresh_invalid' : 'success',
      );
    }
  });
});

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
  'malformed_request',
  'rate_limited',
  'service_unavailable',
  'not_ready',
  'overloaded',
  'internal_error',
  '429 temporarily_unavailable',
  '503 temporarily_unavailable',
  '500 server_error',
]);

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
  const verifying = (await signIn(app)).client;
  await note('get /verify', verifying.get('/verify', HTML), verifying.get('/verify?role=admin', HTML));
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
  await given.expiredSession(app, sessionId);
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
