import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { operationsOf, type Specification, specificationOf } from '../support/specification.js';
import { codesOf } from '../support/specifications.js';
import { signIn, STRATEGIES } from '../support/strategies.js';
import { validatorOf } from '../support/validator.js';

const UNION = '/openapi.json?strategy=all';

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, ObjectSchema>>;
  readonly additionalProperties?: boolean | object;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly $ref?: string | undefined;
}

/** A schema and all schemas inside it, without those that it refers to. */
function schemasIn(schema: unknown): ObjectSchema[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return [schema, ...Object.values(schema).flatMap((part) => schemasIn(part))];
}

function resolve(schema: ObjectSchema | undefined): unknown {
  return schema?.$ref === undefined ? schema : union.components.schemas[schema.$ref.split('/').pop() ?? ''];
}

const running: TestApp[] = [];
let union: Specification;

beforeAll(async () => {
  for (const { strategy } of STRATEGIES)
    running.push(await startApp({ env: { AUTH_STRATEGY: strategy, COOKIE_PREFIX: 'same_' } }));
  union = await specificationOf(appOf('session'), UNION);
});
afterAll(async () => {
  await endAllPrograms();
  await Promise.all(running.map((app) => app.close()));
});

function appOf(strategy: string): TestApp {
  const found = running.find(({ config }) => config.auth.AUTH_STRATEGY.join(',') === strategy);
  if (!found) throw new Error(`no application runs ${strategy}`);
  return found;
}

describe('the union of all strategies [fault 42]', () => {
  it('is the same document in every strategy, and without a database', async () => {
    for (const { strategy } of STRATEGIES)
      expect(await specificationOf(appOf(strategy), UNION)).toEqual(union);
    const env = {
      APP_ENV: 'test',
      COOKIE_PREFIX: 'same_',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    };
    const program = startProgram({ args: ['traffy', 'openapi', '--strategy', 'all'], env });
    expect(await program.exit).toMatchObject({ code: 0 });
    expect(JSON.parse(program.stdout())).toEqual(union);
  });

  it.each(STRATEGIES)('has every route, answer and field of $strategy', async ({ strategy }) => {
    const specification = await specificationOf(appOf(strategy));
    const all = operationsOf(union);
    for (const [name, operation] of operationsOf(specification)) {
      const wider = all.get(name);
      expect({ name, operationId: wider?.operationId }).toEqual({ name, operationId: operation.operationId });
      expect(Object.keys(wider?.responses ?? {})).toEqual(
        expect.arrayContaining(Object.keys(operation.responses)),
      );
      expect([...(wider ? codesOf(wider) : [])]).toEqual(expect.arrayContaining([...codesOf(operation)]));
      expect(wider?.security).toEqual(expect.arrayContaining(operation.security));
    }
    for (const [name, schema] of Object.entries(specification.components.schemas)) {
      const { properties = {}, required = [] } = schema as ObjectSchema;
      const wider = (union.components.schemas[name] ?? {}) as ObjectSchema;
      expect({ name, fields: wider.properties ?? {} }).toMatchObject({ name, fields: properties });
      expect({ name, required }).toMatchObject({
        name,
        required: expect.arrayContaining([...(wider.required ?? [])]) as unknown,
      });
    }
  });

  it.each(STRATEGIES)('describes the sign-in of $strategy', async ({ strategy, issues }) => {
    const app = appOf(strategy);
    const { reply } = await signIn(app);
    const media = operationsOf(union).get('post /login')?.responses['200']?.content?.['application/json'];
    expect(media?.examples).toMatchObject({ session: {}, jwt: {} });
    expect(media && validatorOf(union)(media, reply.body)).toEqual([]);
    expect('access_token' in reply.body).toBe(issues === 'jwt');
    const login = union.components.schemas['LoginReply'] as ObjectSchema;
    expect(login.properties).toHaveProperty('access_token');
    expect(login.required).toEqual(['success', 'email', 'session']);
  });

  it('has examples that match their schemas', () => {
    const errorsOf = validatorOf(union);
    for (const [name, { requestBody, responses }] of operationsOf(union))
      for (const part of [requestBody, ...Object.values(responses)])
        for (const media of Object.values(part?.content ?? {})) {
          const values = Object.values(media.examples ?? {}).map(({ value }) => value);
          const examples = media.example === undefined ? values : [media.example, ...values];
          expect(examples).not.toEqual([]);
          for (const example of examples)
            expect({ name, example, errors: errorsOf(media, example) }).toEqual({
              name,
              example,
              errors: [],
            });
        }
  });

  it('lets no object have named fields and other fields of another type', () => {
    const mixed = schemasIn(union.components.schemas)
      .filter(({ properties = {}, additionalProperties: other = true }) => {
        return Object.keys(properties).length > 0 && typeof other === 'object';
      })
      .map((schema) => JSON.stringify(schema));
    expect(mixed).toEqual([]);
    const exported = union.components.schemas['AccountExport'] as ObjectSchema;
    expect(exported.required).toEqual(Object.keys(exported.properties ?? {}));
    expect(exported.required).toEqual(
      expect.arrayContaining(['exported_at', 'account', 'sessions', 'passkeys']),
    );
  });

  it('has enums where only some values are possible', () => {
    const open = (name: string, field: string) =>
      schemasIn(union.components.schemas[name])
        .flatMap(({ properties = {} }) => (Object.hasOwn(properties, field) ? [properties[field]] : []))
        .filter((schema) => schemasIn(resolve(schema)).every((one) => one.enum === undefined));
    const closed = {
      Device: ['strategy'],
      SessionView: ['strategy'],
      Event: ['kind', 'actor'],
      AuditEvent: ['kind'],
      Account: ['role'],
      AdministeredUser: ['role'],
      InspectedUser: ['role'],
      UserChange: ['role'],
      Lock: ['authenticator', 'refuses'],
      Login: ['transport'],
      Exchange: ['transport'],
      LoginReply: ['token_type'],
      RefreshReply: ['token_type'],
      IntrospectionReply: ['token_type'],
      MeReply: ['action'],
      LogoutReply: ['action'],
      Passkey: ['transports'],
      PasskeyCreationOptions: [
        'residentKey',
        'userVerification',
        'attestation',
        'transports',
        'hints',
        'type',
      ],
      PasskeyRequestOptions: ['userVerification', 'transports', 'type'],
      PasskeyRequest: ['purpose'],
      EllipticCurveKey: ['kty', 'alg', 'use', 'crv'],
      RsaKey: ['kty', 'alg', 'use'],
      AuthorizationServerMetadata: ['access_token_signing_alg_values_supported'],
      Problem: ['code', 'action', 'reason', 'factors', 'violated-policies'],
      OAuthError: ['error'],
    };
    for (const [name, fields] of Object.entries(closed))
      for (const field of fields) {
        expect(JSON.stringify(union.components.schemas[name])).toContain(`"${field}":`);
        expect({ name, field, open: open(name, field) }).toEqual({ name, field, open: [] });
      }
  });

  it('gives each error response exactly the codes that it lists', () => {
    for (const [name, { responses }] of operationsOf(union))
      for (const [status, { content = {} }] of Object.entries(responses)) {
        const media = content['application/problem+json'];
        if (!media) continue;
        const { $ref, oneOf = [{ $ref }] } = media.schema as { $ref?: string; oneOf?: { $ref?: string }[] };
        const codes = oneOf.flatMap((one) =>
          schemasIn(resolve(one)).flatMap(({ properties = {} }) => properties['code']?.enum ?? []),
        );
        expect({ name, status, codes }).toEqual({ name, status, codes: Object.keys(media.examples ?? {}) });
      }
  });

  it('refuses another value of the parameter', async () => {
    for (const query of ['strategy=session', 'strategy=', 'strategy=all&strategy=all', 'strategy=ALL']) {
      const { status, body } = await appOf('jwt').client.get(`/openapi.json?${query}`);
      expect({ query, status, body }).toMatchObject({
        query,
        status: 400,
        body: {
          code: 'validation_failed',
          errors: [{ path: 'strategy', message: 'must be all, or absent' }],
        },
      });
    }
  });
});
