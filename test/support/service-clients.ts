import { afterAll, beforeAll, expect } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { type Permission, PERMISSIONS } from '../../src/services/permissions.js';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { startApp, type TestApp } from './app.js';
import { cookieValue, type Reply } from './client.js';
import { type SignedIn, STRATEGIES, strategyOf } from './strategies.js';

export type Headers = Readonly<Record<string, string>>;

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** What RFC 6749 §5.2 allows in a description. */
export const DESCRIPTION = /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/;

/** A service client, and how it calls. */
export interface Service {
  readonly id: string;
  readonly secret: string;
  readonly basic: Headers;
  introspect(token: string, headers?: Headers): Promise<Reply>;
  revoke(token: string, headers?: Headers): Promise<Reply>;
}

export async function addService(
  app: TestApp,
  permissions: readonly Permission[] = PERMISSIONS,
): Promise<Service> {
  const clients = app.running.app.get(ServiceClients, { strict: false });
  const client = await clients.add(`service-${uuidv7().slice(9).toLowerCase()}x`, permissions);
  if (!client) throw new Error('the name is taken');
  return serviceOf(app, client.id, client.secret);
}

export function serviceOf(app: TestApp, id: string, secret: string): Service {
  const basic = { authorization: basicOf(id, secret) };
  return {
    id,
    secret,
    basic,
    introspect: (token, headers = {}) => call(app, '/introspect', { token }, { ...basic, ...headers }),
    revoke: (token, headers = {}) => call(app, '/revoke', { token }, { ...basic, ...headers }),
  };
}

export function basicOf(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/** Sends a form: parameters, or a body as it is. */
export function call(
  app: TestApp,
  endpoint: string,
  form: Record<string, string> | string | Buffer,
  headers: Headers = {},
): Promise<Reply> {
  const body =
    typeof form === 'object' && !Buffer.isBuffer(form) ? new URLSearchParams(form).toString() : form;
  return app.client.send('POST', endpoint, body, { ...FORM, ...headers });
}

/** The value of the credential that a sign-in answered with. */
export function valueOf(app: TestApp, { reply }: SignedIn): string {
  return String(
    strategyOf(app).issues === 'jwt' ? reply.body['access_token'] : cookieValue(reply, 'session'),
  );
}

export function expectOAuthError(reply: Reply, status: number, error: string): void {
  expect({ status: reply.status, error: reply.body['error'], text: reply.text }).toMatchObject({
    status,
    error,
  });
  expect(Object.keys(reply.body)).toEqual(['error', 'error_description']);
  expect(reply.body['error_description']).toMatch(DESCRIPTION);
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(reply.headers['pragma']).toBe('no-cache');
  expect(reply.headers['www-authenticate']).toBe(
    status === 401 ? 'Basic realm="traffy", Bearer realm="traffy"' : undefined,
  );
  expect(reply.setCookies).toEqual([]);
}

export async function isLive(app: TestApp, { headers }: Pick<SignedIn, 'headers'>): Promise<boolean> {
  return (await app.client.get('/me', headers)).body['logged_in'] as boolean;
}

/** A node of each value of AUTH_STRATEGY, in the order of the table, all on one database. */
const nodes: TestApp[] = [];

/** Starts one more node beside the others. */
export async function startNode(env: Record<string, string>): Promise<TestApp> {
  const [sibling] = nodes;
  const TRUSTED_ORIGINS = 'http://localhost:8000,https://app.example.com';
  const node = await startApp({ env: { TRUSTED_ORIGINS, ...env }, force: true, ...(sibling && { sibling }) });
  nodes.push(node);
  return node;
}

export function nodeOf(strategy: (typeof STRATEGIES)[number]['strategy']): TestApp {
  const node = nodes[STRATEGIES.findIndex((one) => one.strategy === strategy)];
  if (!node) throw new Error(`no node of ${strategy}`);
  return node;
}

/** Registers hooks that start the nodes before the tests and close them after. */
export function bootNodes(): void {
  beforeAll(async () => {
    for (const { strategy } of STRATEGIES) await startNode({ AUTH_STRATEGY: strategy });
  });
  afterAll(async () => {
    for (const node of nodes.toReversed()) await node.close();
  });
}
