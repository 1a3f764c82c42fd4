import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { LiveCredentials } from '../../src/cluster/live-credentials.service.js';
import { StepRefused } from '../../src/cluster/step-refused.js';
import { stepsBeside, walk } from '../../src/cluster/strategy-steps.js';
import { Purger } from '../../src/platform/retention/purger.service.js';
import { openShared, startApp, type TestApp } from '../support/app.js';
import { until } from '../support/process.js';
import { signIn, STRATEGIES } from '../support/strategies.js';
import {
  nodes,
  openDatabase,
  query,
  start,
  statusNow,
  stopAll,
  type Value,
} from '../support/strategy-change.js';

/** Started before the other tests, because it takes ten seconds. */
let renewal: { done: Promise<boolean>; stop(): Promise<void> };
beforeAll(async () => {
  renewal = await watchRenewal();
});
afterAll(() => renewal.stop());

openDatabase();

/** Why a node does not come up. */
function refusal(strategy: Value): Promise<unknown> {
  return start(strategy).then(
    () => null,
    (error: unknown) => error,
  );
}

describe('count of live credentials', () => {
  it('is right for any number, in short statements, and stops on request', async () => {
    const own = await openShared();
    const { database } = own.running.database;
    await database.query(
      sql`insert into users (id, email, email_canonical) values (gen_random_uuid(), 'many@example.com', 'many@example.com')`,
    );
    await database.query(
      sql`insert into sessions (id, user_id, strategy, methods, expires_at, last_used_at, revoked_at, revoked_reason)
          select gen_random_uuid(), u.id, case n % 3 when 0 then 'jwt' else 'session' end, '{pwd}', now() + make_interval(secs => 60 * n),
            now() - make_interval(days => (case when n % 10 = 1 then 20 else 1 end)), case when n % 10 = 2 then now() end,
            case when n % 10 = 2 then 'logout' end
          from users u, generate_series(1, 45000) as n`,
    );
    const credentials = new LiveCredentials(database, { SESSION_IDLE_TTL: 14 * 86_400 });
    let rests = 0;
    const inUse = await credentials.byKind(async () => void (rests += 1));
    // Of three, two are cookies; of ten, one idled out and one was ended.
    expect(inUse).toMatchObject([
      { kind: 'jwt', sessions: 12_000 },
      { kind: 'session', sessions: 24_000 },
    ]);
    expect(rests).toBe(2);
    const [{ goneAt = new Date(0) } = {}] = inUse;
    expect(goneAt.getTime() - Date.now()).toBeGreaterThan(44_000 * 60_000);
    const stopped = credentials.byKind(async () => Promise.reject(new Error('it stops')));
    await expect(stopped).rejects.toThrow('it stops');
    await own.close();
  });
});

describe('steps of AUTH_STRATEGY', () => {
  afterEach(stopAll);

  it.each(STRATEGIES)('beside $strategy, only compatible values start', async (running) => {
    const first = await start(running.strategy);
    for (const { strategy, issues, accepts } of STRATEGIES) {
      const fit =
        (accepts as readonly string[]).includes(running.issues) &&
        (running.accepts as readonly string[]).includes(issues);
      const error = await refusal(strategy);
      expect({ strategy, isRefused: error instanceof StepRefused }).toEqual({ strategy, isRefused: !fit });
      if (error === null) await nodes.pop()?.close();
    }
    expect((await first.client.get('/health/ready')).status).toBe(200);
  });

  it('a refusal names the nodes, the path, the allowed values, the expiry of silent nodes and --force', async () => {
    await start('session', { PORT: '8001' });
    await start('session,jwt');
    const { message } = (await refusal('jwt')) as Error;
    expect(message).toMatch(/^AUTH_STRATEGY=jwt is incompatible/);
    expect(message).toMatch(new RegExp(`\\S:8001 \\(pid ${process.pid}\\) runs session: .*would not accept`));
    expect(message).toMatch(/runs session,jwt: /);
    expect(message).toContain('session → session,jwt → jwt,session → jwt');
    expect(message).toContain('beside these nodes: session or session,jwt.');
    expect(message).toContain('within 30 s');
    expect(message).toContain('npm start -- --force (in a clone), or traffy serve --force');
  });

  it('apply to any number of kinds', () => {
    expect(walk(['a'], ['c']).map(String)).toEqual(['a', 'a,c', 'c,a', 'c']);
    expect(walk(['a', 'b', 'c'], ['c']).map(String)).toEqual(['a,b,c', 'c,a', 'c']);
    expect(walk(['a'], ['a']).map(String)).toEqual(['a']);
    expect(stepsBeside([], ['a', 'b', 'c'])).toHaveLength(15);
    expect(
      stepsBeside(
        [
          ['a', 'b'],
          ['b', 'a'],
        ],
        ['a', 'b', 'c'],
      ).map(String),
    ).toEqual(['a,b', 'b,a', 'a,b,c', 'a,c,b', 'b,a,c', 'b,c,a']);
  });

  it('--force starts anyway, and the log warns', async () => {
    await start('session');
    const forced = await start('jwt', {}, true);
    expect(forced.logs).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        event: 'strategy_step_forced',
        incompatible: [expect.stringContaining('runs session')],
      }),
    );
    expect(await statusNow()).toMatchObject({
      isFitting: false,
      values: ['session', 'jwt'],
      nextSteps: [],
      waysOut: [
        { stop: ['jwt'], mayStart: ['session', 'session,jwt'] },
        { stop: ['session'], mayStart: ['jwt', 'jwt,session'] },
      ],
    });
  });

  it('of two incompatible concurrent starts, at most one succeeds', async () => {
    for (let round = 0; round < 3; round += 1) {
      const starts = await Promise.allSettled(
        (['session', 'jwt,session', 'session', 'jwt'] as const).map((strategy) => start(strategy)),
      );
      const up = starts.filter(({ status }) => status === 'fulfilled').length;
      const status = await statusNow();
      expect(status).toMatchObject({ isFitting: true });
      expect(status.nodes).toHaveLength(up);
      expect(up).toBeGreaterThan(0);
      expect(up).toBeLessThan(3);
      await stopAll();
    }
  });

  it('a node with another PUBLIC_URL or AUTH_AUDIENCE starts, and log and status name the setting', async () => {
    const env = { PORT: '8001', PUBLIC_URL: 'http://localhost:8001' };
    const first = await start('jwt', env);
    const second = await start('jwt', { AUTH_AUDIENCE: env.PUBLIC_URL });
    const differences = (app: TestApp) => app.logs.filter(({ event }) => event === 'nodes_differ');
    expect(differences(first)).toEqual([]);
    expect(differences(second)).toEqual([
      expect.objectContaining({
        level: 'warn',
        setting: 'PUBLIC_URL',
        value: 'http://localhost:8000',
        others: [expect.stringMatching(/:8001 \(pid \d+\) has http:\/\/localhost:8001$/)],
      }),
    ]);
    const settings = async () => (await statusNow()).differences.map(({ setting }) => setting);
    expect(await settings()).toEqual(['PUBLIC_URL']);
    await start('jwt', { ...env, AUTH_AUDIENCE: 'others' });
    expect(await settings()).toEqual(['PUBLIC_URL', 'AUTH_AUDIENCE']);
  });

  it('a node that drops a kind with live credentials logs their number and expiry', async () => {
    const before = await start('session');
    await signIn(before);
    await signIn(before);
    await nodes.pop()?.close();
    const after = await start('jwt');
    const warning = await until(() =>
      after.logs.find(({ event }) => event === 'live_credentials_not_accepted'),
    );
    expect(warning).toMatchObject({ level: 'warn', kind: 'session', sessions: 2 });
    const days = (Date.parse(String(warning['until'])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
  });
});

describe('list of nodes', () => {
  afterEach(stopAll);

  const rows = () =>
    query(
      sql<{ id: string; strategy: string; pid: number; host: string; age: number }>`
        select id, strategy, pid, host, extract(epoch from now() - seen_at)::float8 as age from nodes order by started_at`,
    );
  const age = (row: { id: string } | undefined, seconds: number) =>
    query(
      sql`update nodes set seen_at = now() - make_interval(secs => ${seconds}) where id = ${row?.id ?? ''}`,
    );

  it('contains a node from start to clean stop', async () => {
    await start('session,jwt');
    expect(await rows()).toEqual([
      expect.objectContaining({
        strategy: 'session,jwt',
        pid: process.pid,
        host: expect.stringMatching(/./),
      }),
    ]);
    await stopAll();
    expect(await rows()).toEqual([]);
  });

  it('ignores a node after 30 s of silence, and purges it after a day', async () => {
    await start('session');
    const [row] = await rows();
    // Some seconds before the bound: a slow machine takes its time.
    await age(row, 20);
    expect(await refusal('jwt')).toBeInstanceOf(StepRefused);
    await age(row, 31);
    expect((await statusNow()).nodes).toEqual([]);
    await start('jwt');
    expect(await rows()).toHaveLength(2);
    await age(row, 86_401);
    const { running } = await start('jwt');
    await running.app.get(Purger, { strict: false }).purge();
    expect((await rows()).map(({ strategy }) => strategy)).toEqual(['jwt', 'jwt']);
  });

  it('is renewed every ten seconds, also if a row is missing', async () => {
    expect(await renewal.done).toBe(true);
  });

  it('does not delay the stop of a node without database', async () => {
    const app = await startApp();
    await app.running.database.close();
    const startedAt = performance.now();
    await app.running.app.close();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect(app.logs.filter(({ event }) => event === 'node_registration_failed')).toHaveLength(1);
    await app.testDatabase.drop();
  });
});

async function watchRenewal(): Promise<typeof renewal> {
  const app = await startApp();
  const other = await startApp({ sibling: app });
  const [row] = await app.query(sql<{ id: string }>`select id from nodes order by started_at`);
  await app.query(sql`update nodes set seen_at = now() - interval '25 seconds'`);
  await app.query(sql`delete from nodes where id = ${row?.id ?? ''}`);
  const done = until(async () => {
    const fresh = await app.query(sql`select id from nodes where seen_at > now() - interval '5 seconds'`);
    return fresh.length === 2 || undefined;
  }, 15_000);
  return {
    done,
    async stop() {
      await done.catch(() => undefined);
      await other.close();
      await app.close();
    },
  };
}
