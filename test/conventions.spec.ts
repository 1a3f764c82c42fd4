import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { sql } from 'kysely';
import { throttleSettings } from '../config/throttle.config.js';
import { JwtStrategy } from '../src/auth/strategies/jwt/jwt.strategy.js';
import { isOAuthPath } from '../src/http/oauth-endpoints.js';
import { ACCESS, type Access } from '../src/http/public.decorator.js';
import { PROBLEMS, problemEntry, type ProblemCode, problemType } from '../src/problems/problem.catalogue.js';
import { RATE_LIMIT } from '../src/throttle/rate-limit.guard.js';
import { startApp, type TestApp } from './support/app.js';
import { createEmptyDatabase } from './support/database.js';
import { generatedDocument } from './support/documents.js';
import { signIn } from './support/strategies.js';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
});
afterAll(() => app.close());

interface RouteFacts {
  readonly route: string;
  readonly access: Access;
  /** The rate limit of its own, if it has one. */
  readonly policy: unknown;
  /** The kinds and schemas of the parameters that Nest fills from the request. */
  readonly parameters: { readonly source: number; readonly hasSchema: boolean }[];
}

/** Sources of parameters in Nest's metadata. */
const BODY = 3;
const QUERY = 4;
const PARAM = 5;

/** Every route as its decorators describe it. */
function routes(): RouteFacts[] {
  const discovery = new DiscoveryService(app.running.app.get(ModulesContainer));
  const scanner = new MetadataScanner();
  return discovery.getControllers().flatMap(({ instance, metatype }) => {
    const controller = metatype as (new () => object) | null;
    if (!instance || !controller) return [];
    const prefix = String(Reflect.getMetadata('path', controller));
    return scanner.getAllMethodNames(Object.getPrototypeOf(instance)).flatMap((name) => {
      const handler = (instance as Record<string, object>)[name] as object;
      const path: unknown = Reflect.getMetadata('path', handler);
      if (typeof path !== 'string') return [];
      const method = RequestMethod[Number(Reflect.getMetadata('method', handler))];
      const access: Access =
        Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller) ?? 'required';
      const args = (Reflect.getMetadata('__routeArguments__', controller, name) ?? {}) as Record<
        string,
        { schema?: unknown }
      >;
      const parameters = Object.entries(args).map(([key, { schema }]) => ({
        source: Number(key.split(':')[0]),
        hasSchema: schema !== undefined,
      }));
      return [
        {
          route: `${method} ${`/${prefix}/${path}`.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')}`,
          access,
          policy: Reflect.getMetadata(RATE_LIMIT, handler),
          parameters,
        },
      ];
    });
  });
}

describe('routes', () => {
  it('are closed unless they stand here', () => {
    const open = routes()
      .filter(({ access }) => access !== 'required')
      .map(({ route, access }) => `${route} ${access}`);
    expect(open.toSorted()).toEqual([
      'GET /.well-known/jwks.json none',
      'GET /.well-known/oauth-authorization-server none',
      'GET /.well-known/revocations none',
      'GET /health/live none',
      'GET /health/ready none',
      'GET /me optional',
      'POST /email/verify none',
      // Open to service clients alone: test/services.spec.ts.
      'POST /introspect none',
      'POST /login optional',
      'POST /logout optional',
      'POST /mfa optional',
      'POST /passkeys/authentication/options optional',
      'POST /passkeys/authentication/verify optional',
      'POST /password/forgot none',
      'POST /password/reset none',
      'POST /refresh optional',
      'POST /revoke none',
      'POST /signup none',
    ]);
  });

  it('that are closed answer 401 to whoever has no credential', async () => {
    const closed = routes().filter(({ access }) => access === 'required');
    expect(closed.length).toBeGreaterThan(0);
    for (const { route } of closed) {
      const [method, path = ''] = route.split(' ');
      const reply = await app.client.send(
        method as 'GET',
        path.replace(/:\w+/g, '019a0000-0000-7000-8000-000000000000'),
      );
      expect({ route, status: reply.status }).toEqual({ route, status: 401 });
    }
  });

  it('read bodies, queries and path parameters through a schema', () => {
    const unchecked = routes().flatMap(({ route, parameters }) =>
      parameters
        .filter(({ source, hasSchema }) => [BODY, QUERY, PARAM].includes(source) && !hasSchema)
        .map(() => route),
    );
    expect(unchecked).toEqual([]);
    expect(routes().some(({ parameters }) => parameters.some(({ source }) => source === BODY))).toBe(true);
  });

  it('that count under RATE_LIMIT_LOGIN are all named where it is explained', () => {
    const counted = routes().filter(({ policy }) => policy === 'login');
    const named = throttleSettings.RATE_LIMIT_LOGIN.meaning.match(/\/[a-z/]+/g) ?? [];
    expect(named.toSorted()).toEqual(counted.map(({ route }) => route.replace('POST ', '')).toSorted());
  });

  it('with a body refuse a field that they do not know', async () => {
    const withBody = routes().filter(
      ({ route, parameters }) =>
        parameters.some(({ source }) => source === BODY) &&
        // RFC 6749 §3.2 wants unknown parameters ignored.
        !isOAuthPath(route.split(' ')[1] ?? ''),
    );
    const { client, email } = await signIn(app);
    await app.query(sql`update users set role = 'admin' where email = ${email}`);
    for (const { route, access } of withBody) {
      const [method, path = ''] = route.split(' ');
      const caller = access === 'required' ? client : app.client;
      const reply = await caller.send(method as 'POST', path, { surprise: 1 });
      expect({ route, status: reply.status }).toEqual({ route, status: 400 });
      expect(reply.body['errors'].map((error: { path: string }) => error.path)).toContain('surprise');
    }
  });
});

describe('error codes', () => {
  const codes = Object.keys(PROBLEMS) as ProblemCode[];

  it('are all in docs/errors.md, as the catalogue has them (UPDATE_DOCS=1 writes it)', () => {
    const expected = errorsDocument(codes);
    expect(generatedDocument('docs/errors.md', expected)).toBe(expected);
  });

  it('are snake_case words with a type of their own, and every 401 tells what to do', () => {
    expect(new Set(codes.map((code) => problemType(code))).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    // credential_expired is refreshed or not, depending on what expired; invalid_client is told to services.
    const unauthorized = codes.filter(
      (code) =>
        problemEntry(code).status === 401 && code !== 'credential_expired' && code !== 'invalid_client',
    );
    expect(unauthorized.filter((code) => problemEntry(code).action !== 'login')).toEqual([
      'step_up_required',
    ]);
  });
});

describe('libraries are configured as their risks demand', () => {
  it('incident 37: passport-jwt has a fixed list of algorithms, one issuer, one audience, and never ignores expiry', () => {
    const { _verifOpts: options } = app.running.app.get(JwtStrategy, { strict: false }) as unknown as {
      _verifOpts: unknown;
    };
    expect(options).toEqual({
      algorithms: ['ES256', 'PS256', 'RS256'],
      issuer: 'http://localhost:8000',
      audience: 'http://localhost:8000',
      ignoreExpiration: false,
      // The database's clock, at each verification.
      clockTimestamp: expect.any(Number),
    });
  });
});

describe('the schema', () => {
  it('that the migrations make is the one that the entities describe', async () => {
    const database = await createEmptyDatabase();
    const fresh = await startApp({ database });
    expect(await fresh.running.database.orm.schema.getUpdateSchemaSQL()).toBe('');
    await fresh.close();
    await database.drop();
  });

  it('keeps times as timestamptz and ids as uuid', async () => {
    const columns = await app.query(
      sql<{ name: string; type: string }>`select table_name || '.' || column_name as name, data_type as type
        from information_schema.columns where table_schema = 'public' and table_name <> 'migrations'`,
    );
    const typeOf = (pattern: RegExp) =>
      new Set(columns.filter(({ name }) => pattern.test(name)).map(({ type }) => type));
    expect(typeOf(/_at$/)).toEqual(new Set(['timestamp with time zone']));
    // Credential ids are WebAuthn's, request ids the log's.
    expect(typeOf(/(\.|(?<!credential|request)_)id$/)).toEqual(new Set(['uuid']));
  });
});

function errorsDocument(codes: readonly ProblemCode[]): string {
  const rows = codes
    .map((code) => ({ code, ...problemEntry(code) }))
    .map(
      ({ code, status, meaning, action }) =>
        `| \`${code}\` | ${status} | ${meaning} | ${action ? `\`${action}\`` : ''} |`,
    );
  return `# Error codes

Every error is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and
\`request_id\`. Branch on \`code\`: it is stable, the texts are not. A 401 also has an \`action\` that a client can
follow: \`login\`, \`refresh\` or \`step_up\`. The \`request_id\` (also in \`X-Request-Id\`) finds the request in the log.

A 429 and a 503 carry \`Retry-After\` in seconds. A 401 carries \`WWW-Authenticate: Bearer\`, whichever strategy runs.

\`POST /introspect\` and \`POST /revoke\` speak OAuth 2.0: their errors have the status given here, but the body
\`{"error", "error_description"}\` of RFC 6749, where \`error\` is \`invalid_client\`, \`unauthorized_client\`,
\`temporarily_unavailable\` (429, 503), \`server_error\`, or \`invalid_request\` for all else.

| code | status | when it happens and what to do | action |
| --- | --- | --- | --- |
${rows.join('\n')}

This page is generated from \`src/problems/problem.catalogue.ts\` and checked by the tests:
\`UPDATE_DOCS=1 npm test -- test/conventions.spec.ts\` writes it.
`;
}
