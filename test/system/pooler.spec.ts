import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { type Pooler, startPooler } from '../support/pooler.js';
import { until } from '../support/process.js';
import { signIn, STRATEGIES } from '../support/strategies.js';

(onServer ? describe : describe.skip)('behind PgBouncer in transaction mode, as documented', () => {
  let database: TestDatabase;
  let pooler: Pooler;
  let direct: string;
  const nodes: TestApp[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    direct = database.env['DATABASE_URL'] ?? '';
    pooler = await startPooler(direct);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await pooler?.stop();
    await database?.drop();
  });

  async function startNode(env: Record<string, string>): Promise<TestApp> {
    const throughIt = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: direct };
    const node = await startApp({ database, env: { ...throughIt, ...env }, force: true });
    nodes.push(node);
    return node;
  }

  it.each(STRATEGIES)('with $strategy, the other node learns of a sign-out', async ({ strategy }) => {
    const [one, other] = [
      await startNode({ AUTH_STRATEGY: strategy }),
      await startNode({ AUTH_STRATEGY: strategy }),
    ];
    const { headers, client } = await signIn(one);
    const isSignedIn = async () => (await other.client.get('/me', headers)).body['logged_in'];
    expect(await isSignedIn()).toBe(true);
    expect((await client.post('/logout')).status).toBe(200);
    await until(async () => ((await isSignedIn()) === false ? true : undefined), 5_000);
  });

  it('requests use the pooler, and each node listens on one direct connection', async () => {
    const node = nodes[0] ?? (await startNode({}));
    await signIn(node);
    const rows = await node.query(
      sql<{
        name: string;
        listens: boolean;
      }>`select application_name as name, query ilike 'listen%' or query ilike '%revocations%' as listens
          from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name <> ''`,
    );
    expect(rows.filter(({ name }) => name === 'traffy-feed')).toHaveLength(nodes.length);
    // Thirty and more connections of the nodes' pools share the twenty of the pooler at most.
    expect(rows.filter(({ name }) => name === 'traffy').length).toBeLessThanOrEqual(20);
    expect(rows.filter(({ name }) => name === 'traffy').length).toBeGreaterThan(0);
  });

  it("many concurrent requests are served with node pools larger than the pooler's", async () => {
    const signedIn = await Promise.all(nodes.slice(0, 2).map((node) => signIn(node)));
    const replies = await Promise.all(
      signedIn.flatMap(({ client }) => Array.from({ length: 50 }, () => client.get('/sessions'))),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  });
});
