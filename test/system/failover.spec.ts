import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { PostgresNode } from '../support/postgres-cluster.js';
import { until } from '../support/process.js';
import { freshEmail, PASSWORD, type SignedIn, signIn } from '../support/strategies.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const HEALED_WITHIN = 5_000;

// In the order of the tests: each begins where the one before ended.
(onServer ? describe : describe.skip)('a primary and a standby of PostgreSQL', () => {
  let first: PostgresNode;
  let second: PostgresNode;
  let proxy: TcpProxy;
  /** Reaches the primary by an address that moves; the other by a list of both servers. */
  let moved: TestApp;
  let listed: TestApp;
  const nodes = () => [moved, listed] as const;
  const acknowledged: string[] = [];
  let signedOut: SignedIn;
  let signedIn: SignedIn;

  beforeAll(async () => {
    first = await PostgresNode.create();
    await first.query('create database traffy');
    second = await first.createStandby();
    proxy = await TcpProxy.to('127.0.0.1', first.port);
    const env = { DATA_DIR: first.data, DATABASE_POOL_SIZE: '5' };
    const hosts = `127.0.0.1:${second.port},127.0.0.1:${first.port}`;
    const start = (url: string) =>
      startApp({
        env: { ...env, DATABASE_URL: url },
        database: { env: {}, dataDir: first.data, drop: async () => undefined },
      });
    moved = await start(proxy.rewrite(first.url('traffy')));
    listed = await start(
      `postgres://postgres@${hosts}/traffy?target_session_attrs=read-write&sslmode=prefer`,
    );
  }, 60_000);
  afterAll(async () => {
    await moved?.close();
    await listed?.close();
    await proxy?.close();
    await second?.remove();
    await first?.remove();
  }, 30_000);

  async function signUp(node: TestApp): Promise<number> {
    const email = freshEmail();
    const { status } = await node.client.post('/signup', { email, password: PASSWORD });
    if (status === 201) acknowledged.push(email);
    return status;
  }

  async function untilServing(node: TestApp): Promise<void> {
    await until(
      async () => (await node.client.get('/health/ready')).status === 200 || undefined,
      HEALED_WITHIN,
    );
    // No connection of the pool may be useless: more concurrent calls than it has.
    const replies = await Promise.all(Array.from({ length: 20 }, () => signUp(node)));
    expect(new Set(replies)).toEqual(new Set([201]));
  }

  it('serves through the host of a list that accepts writes, whichever comes first [fault 1]', async () => {
    for (const node of nodes()) await untilServing(node);
    signedIn = await signIn(moved);
    signedOut = await signIn(listed);
    expect((await signedOut.client.post('/logout')).status).toBe(200);
  });

  it('is not ready while only a standby can be reached, and answers 503, never old facts [fault 1]', async () => {
    await until(
      async () =>
        (await second.query<{ n: number }>('select count(*)::int as n from users', 'traffy'))[0]?.n ===
          acknowledged.length + 2 || undefined,
    );
    await first.stop();
    await first.follow(second);
    // Both are standbys now.
    for (const node of nodes()) {
      await until(async () => (await node.client.get('/health/ready')).status === 503 || undefined);
      expect(await signUp(node)).toBe(503);
      expect((await node.client.post('/login', { email: signedIn.email, password: PASSWORD })).status).toBe(
        503,
      );
      const me = await node.client.get('/me', signedOut.headers);
      expect([me.status, me.body['logged_in']]).not.toEqual([200, true]);
    }
  });

  it('heals within 5 s of the promotion, and of the address moving: nothing acknowledged is lost [fault 1]', async () => {
    await second.promote();
    await untilServing(listed);
    // The address still leads to the demoted server, which answers.
    await pause(1_500);
    expect((await moved.client.get('/health/ready')).status).toBe(503);
    proxy.moveTo(second.port);
    await untilServing(moved);
    for (const node of nodes()) {
      expect((await node.client.get('/me', signedIn.headers)).body['logged_in']).toBe(true);
      expect((await node.client.get('/me', signedOut.headers)).body['logged_in']).toBe(false);
    }
    const rows = await second.query<{ email: string }>('select email from users', 'traffy');
    const stored = new Set(rows.map(({ email }) => email));
    expect(acknowledged.filter((email) => !stored.has(email))).toEqual([]);
  });

  it('a sign-out after the failover reaches the other node [pain 3]', async () => {
    const session = await signIn(moved);
    expect((await listed.client.get('/me', session.headers)).body['logged_in']).toBe(true);
    await session.client.post('/logout');
    await until(
      async () => (await listed.client.get('/me', session.headers)).body['logged_in'] === false || undefined,
      3_000,
    );
  });

  it('logs the outage once and the recovery once [fault 1]', () => {
    for (const node of nodes()) {
      const events = node.logs
        .map(({ event }) => event)
        .filter((event) => String(event).startsWith('database_'));
      expect(events).toEqual(['database_unavailable', 'database_available']);
    }
  });

  it('a server that turns read-only makes nodes not ready, until it takes writes again [fault 12]', async () => {
    await second.query('alter database traffy set default_transaction_read_only = on');
    await second.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'traffy' and pid <> pg_backend_pid()`,
    );
    for (const node of nodes()) {
      await until(async () => (await node.client.get('/health/ready')).status === 503 || undefined, 5_000);
      expect(await signUp(node)).toBe(503);
    }
    await second.query('alter database traffy reset default_transaction_read_only');
    for (const node of nodes()) await untilServing(node);
  });
});
