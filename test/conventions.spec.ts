import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { throttleSettings } from '../config/throttle.config.js';
import { JwtStrategy } from '../src/auth/strategies/jwt/jwt.strategy.js';
import { isOAuthPath } from '../src/platform/http/oauth-endpoints.js';
import {
  PROBLEMS,
  problemEntry,
  type ProblemCode,
  problemType,
} from '../src/platform/problems/problem.catalogue.js';
import { startApp, type TestApp } from './support/app.js';
import { createEmptyDatabase } from './support/database.js';
import { generatedDocument } from './support/documents.js';
import { routesOf } from './support/routes.js';
import { signIn } from './support/strategies.js';
import { given } from './support/given.js';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
});
afterAll(() => app.close());

/** Sources of parameters in Nest's metadata. */
const BODY = 3;
const QUERY = 4;
const PARAM = 5;

const routes = () => routesOf(app);

describe('routes', () => {
  it('require a credential unless they are listed here', () => {
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
      // Open to service clients alone: test/services/service-clients.spec.ts.
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

  it('answer 401 without a credential unless they are public', async () => {
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

  it('validate bodies, queries and path parameters with a schema', () => {
    const unchecked = routes().flatMap(({ route, parameters }) =>
      parameters
        .filter(({ source, hasSchema }) => [BODY, QUERY, PARAM].includes(source) && !hasSchema)
        .map(() => route),
    );
    expect(unchecked).toEqual([]);
    expect(routes().some(({ parameters }) => parameters.some(({ source }) => source === BODY))).toBe(true);
  });

  it('that count under RATE_LIMIT_LOGIN are listed in its description', () => {
    const counted = routes().filter(({ policy }) => policy === 'login');
    const named = throttleSettings.RATE_LIMIT_LOGIN.meaning.match(/\/[a-z/]+/g) ?? [];
    expect(named.toSorted()).toEqual(counted.map(({ route }) => route.replace('POST ', '')).toSorted());
  });

  it('refuse unknown fields in bodies', async () => {
    const withBody = routes().filter(
      ({ route, parameters }) =>
        parameters.some(({ source }) => source === BODY) &&
        // RFC 6749 §3.2 wants unknown parameters ignored.
        !isOAuthPath(route.split(' ')[1] ?? ''),
    );
    const { client, email } = await signIn(app);
    await given.role(app, email, 'admin');
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

  it('are all in docs/errors.md, generated from the catalogue (UPDATE_DOCS=1 writes it)', () => {
    const expected = errorsDocument(codes);
    expect(generatedDocument('docs/errors.md', expected)).toBe(expected);
  });

  it('are snake_case, have a type, and every 401 has an action', () => {
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

describe('risky options of libraries', () => {
  it('passport-jwt has a fixed list of algorithms, one issuer, one audience, and never ignores expiry [incident 37]', () => {
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

describe('database schema', () => {
  it('of the migrations equals that of the entities', async () => {
    const database = await createEmptyDatabase();
    const fresh = await startApp({ database });
    expect(await fresh.running.database.orm.schema.getUpdateSchemaSQL()).toBe('');
    await fresh.close();
    await database.drop();
  });

  it('has timestamptz for times and uuid for ids', async () => {
    const columns = await app.query(
      sql<{ name: string; type: string }>`select table_name || '.' || column_name as name, data_type as type
        from information_schema.columns where table_schema = 'public' and table_name <> 'traffy_migrations'`,
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

This page is generated from \`src/platform/problems/problem.catalogue.ts\` and checked by the tests:
\`UPDATE_DOCS=1 npm test -- test/conventions.spec.ts\` writes it.
`;
}
