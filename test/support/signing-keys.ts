import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { sql } from 'kysely';
import { KeyLifecycle } from '../../src/auth/keys/key-lifecycle.service.js';
import { SigningKeys } from '../../src/auth/keys/signing-keys.service.js';
import { startApp, type TestApp, type TestAppOptions } from './app.js';
import { decodeToken } from './jwt.js';
import { type SignedIn } from './strategies.js';

/** What is to be undone behind a test, the last first. */
export const started: (() => Promise<void>)[] = [];

/** An application that issues access tokens, closed behind the test. */
export async function start({ env = {}, ...options }: TestAppOptions = {}): Promise<TestApp> {
  const app = await startApp({ ...options, env: { AUTH_STRATEGY: 'jwt', ...env } });
  let isClosed = false;
  const close = app.close;
  const closeOnce = async () => {
    if (isClosed) return;
    isClosed = true;
    await close();
  };
  started.push(closeOnce);
  return Object.defineProperty(app, 'close', { value: closeOnce });
}

/** Three nodes on one database; each test finds one key there, made just now. */
export let nodes: TestApp[];
export let app: TestApp;
export let other: TestApp;

export interface StoredKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly state: string;
  /** Bytes of the sealed private half. */
  readonly sealed: number;
  /** Seconds until the last of its tokens has died. */
  readonly seconds: number | null;
}

/** Every key in the database, the oldest first. */
export function stored(app: TestApp): Promise<StoredKey[]> {
  return app.query(
    sql<StoredKey>`select kid, algorithm, state, length(private_key) as sealed,
      extract(epoch from tokens_expire_at - now())::float8 as seconds from signing_keys order by created_at, kid`,
  );
}

export async function publishedKids(app: TestApp): Promise<string[]> {
  const { body } = await app.client.get('/.well-known/jwks.json');
  return (body['keys'] as { kid: string }[]).map(({ kid }) => kid);
}

/** What a node does once a minute, now. */
export async function round(app: TestApp): Promise<{ change: string; kid: string }[]> {
  const changes = await app.running.app.get(KeyLifecycle).advance();
  await app.running.app.get(SigningKeys).renew();
  return [...changes];
}

/** Lets the keys in a state have been published, and have signed, for so many seconds longer. */
export async function age(app: TestApp, state: string, seconds: number): Promise<void> {
  await app.query(
    sql`update signing_keys set created_at = created_at - make_interval(secs => ${seconds}),
      promoted_at = promoted_at - make_interval(secs => ${seconds}) where state = ${state}`,
  );
}

export const DAY = 86_400;

/** Lets the current key be due, and the next key have been published for long. */
export async function makeDue(app: TestApp): Promise<void> {
  await round(app);
  await age(app, 'current', 31 * DAY);
  await age(app, 'next', 30 * DAY);
}

export function tokenOf({ reply }: SignedIn): string {
  return reply.body['access_token'] as string;
}

export function kidOf(token: string): string {
  return decodeToken(token).header['kid'] as string;
}

export async function statusAt(app: TestApp, token: string): Promise<number> {
  return (await app.client.get('/users/me', { authorization: `Bearer ${token}` })).status;
}

/** Registers a hook that closes, after each test, the applications that it started. */
export function closeStarted(): void {
  afterEach(async () => {
    for (const stop of started.splice(0).toReversed()) await stop();
  });
}

/** Registers hooks that start the three nodes for all tests and replace their keys by a new one before each. */
export function bootThreeNodes(): void {
  beforeAll(async () => {
    const env = { AUTH_STRATEGY: 'jwt' };
    app = await startApp({ env });
    other = await startApp({ env, sibling: app });
    nodes = [app, other, await startApp({ env, sibling: app })];
  });
  beforeEach(async () => {
    await app.query(sql`delete from signing_keys`);
    await app.query(sql`delete from revocations`);
    await Promise.all(nodes.map((node) => node.running.app.get(SigningKeys).renew()));
  });
  afterAll(async () => {
    for (const node of nodes.toReversed()) await node.close();
  });
}
