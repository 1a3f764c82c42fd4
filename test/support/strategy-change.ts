import { afterAll, beforeAll } from '@jest/globals';
import type { RawBuilder } from 'kysely';
import { LiveCredentials } from '../../src/cluster/live-credentials.service.js';
import { NodeRegistry } from '../../src/cluster/node-registry.service.js';
import { strategyStatus } from '../../src/cluster/strategy-status.js';
import { openShared, startApp, type TestApp } from './app.js';
import { STRATEGIES } from './strategies.js';

export type Value = (typeof STRATEGIES)[number]['strategy'];

type Shared = Awaited<ReturnType<typeof openShared>>;

/** The database of all nodes here; no node outlives its test. */
export let shared: Shared;

export const nodes: TestApp[] = [];

export async function stopAll(): Promise<void> {
  for (const app of nodes.splice(0)) await app.close();
}

export async function start(strategy: Value, env = {}, force?: true): Promise<TestApp> {
  const options = { env: { AUTH_STRATEGY: strategy, ...env }, sibling: shared };
  const app = await startApp(force ? { ...options, force } : options);
  nodes.push(app);
  return app;
}

export function query<Row>(statement: RawBuilder<Row>): Promise<Row[]> {
  return shared.running.database.database.query(statement);
}

/** What `traffy strategy status` goes by. */
export async function statusNow() {
  const { database } = shared.running.database;
  const status = strategyStatus(
    await new NodeRegistry(database).listLive(),
    await new LiveCredentials(database, { SESSION_IDLE_TTL: 14 * 86_400 }).byKind(),
  );
  const kind = (name: string) => status.kinds.find((found) => found.kind === name);
  return { ...status, session: kind('session'), jwt: kind('jwt') };
}

/** Registers hooks that open the shared database before the tests and close it after them. */
export function openDatabase(): void {
  beforeAll(async () => {
    shared = await openShared();
  });
  afterAll(() => shared.close());
}
