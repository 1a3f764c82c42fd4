import { afterEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { StepRefused } from '../../src/cluster/step-refused.js';
import { StrategyChange } from '../../src/cluster/strategy-change.service.js';
import type { TestApp } from '../support/app.js';
import { Holder } from '../support/holder.js';
import { freshEmail, PASSWORD, STRATEGIES } from '../support/strategies.js';
import { nodes, openDatabase, query, start, stopAll, type Value } from '../support/strategy-change.js';

openDatabase();
afterEach(stopAll);

const valuesOf = (value: Value) => value.split(',') as unknown as Parameters<StrategyChange['change']>[0];
const change = (app: TestApp, to: Value) =>
  app.running.app.get(StrategyChange, { strict: false }).change(valuesOf(to));
const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error as Error,
  );
const rows = () => query(sql<{ strategy: string }>`select strategy from nodes order by started_at, id`);

/** The kind of credential that a sign-in gets. */
async function issuedBy(app: TestApp): Promise<unknown> {
  const account = { email: freshEmail(), password: PASSWORD };
  await app.client.post('/signup', account);
  return (await app.client.post('/login', account)).body['session'].strategy;
}

/** Whether the pages and the specification show a value. */
async function isShown(app: TestApp, value: Value): Promise<boolean> {
  const page = await app.client.get('/', { accept: 'text/html' });
  const { text } = await app.client.get('/openapi.json');
  return (
    page.text.includes(`strategy&quot;:&quot;${value}&quot;`) && text.includes(`AUTH_STRATEGY=${value}\``)
  );
}

describe('change of AUTH_STRATEGY in a running process', () => {
  it.each(STRATEGIES)('from $strategy follows the rule of a start', async (from) => {
    const app = await start(from.strategy);
    const holder = await Holder.signIn(app);
    for (const to of STRATEGIES) {
      const isSafe =
        (from.accepts as readonly string[]).includes(to.issues) &&
        (to.accepts as readonly string[]).includes(from.issues);
      const refused = await refusalOf(change(app, to.strategy));
      expect({ to, isRefused: refused instanceof StepRefused }).toEqual({ to, isRefused: !isSafe });
      const now = isSafe ? to : from;
      expect(await rows()).toEqual([{ strategy: now.strategy }]);
      expect(await issuedBy(app)).toBe(now.issues);
      expect(await isShown(app, now.strategy)).toBe(true);
      expect((await holder.open(app)).status).toBe(200);
      // What fits one way fits the other.
      await change(app, from.strategy);
    }
  });

  it.each(STRATEGIES)('beside $strategy refuses in the words of a start', async (from) => {
    await start(from.strategy);
    const second = await start(from.strategy);
    let refusals = 0;
    for (const to of STRATEGIES) {
      const started = await refusalOf(start(to.strategy));
      if (started === null) {
        await nodes.pop()?.close();
        continue;
      }
      refusals += 1;
      const words = (error: Error | null) => error?.message.split('\n').toSorted();
      expect(words(await refusalOf(change(second, to.strategy)))).toEqual(words(started));
    }
    expect(refusals).toBeGreaterThan(0);
    expect(await rows()).toEqual([{ strategy: from.strategy }, { strategy: from.strategy }]);
  });

  it('of two nodes goes through all steps, on both before the next, without signing a user out', async () => {
    const pair = [await start('session'), await start('session')] as const;
    const holder = await Holder.signIn(pair[0]);
    const steps = ['session', 'session,jwt', 'jwt,session', 'jwt', 'jwt,session', 'session,jwt', 'session'];
    const ahead: unknown[] = [];
    for (const [index, to] of steps.slice(1).entries()) {
      const after = steps[index + 2] as Value | undefined;
      await change(pair[0], to as Value);
      // The other node is a step behind: the next but one would refuse its clients, or be refused by it.
      if (after !== undefined && after !== steps[index]) ahead.push(await refusalOf(change(pair[0], after)));
      for (const node of pair) expect((await holder.open(node)).status).toBe(200);
      await change(pair[1], to as Value);
      holder.take(await holder.exchange(pair[1]));
      for (const node of pair) expect((await holder.open(node)).status).toBe(200);
    }
    expect(ahead).toHaveLength(4);
    for (const error of ahead) expect(error).toBeInstanceOf(StepRefused);
    const events = await query(
      sql<{ strategy: string }>`select details->>'strategy' as strategy from audit_events
        where kind = 'strategy_started' order by at desc, id desc limit 6`,
    );
    expect(events.map(({ strategy }) => strategy).toReversed()).toEqual(steps.slice(1));
  });

  it('takes concurrent changes one after the other, each checked against the one before', async () => {
    const app = await start('session');
    const order = ['session,jwt', 'jwt', 'jwt,session', 'session', 'jwt'] as const;
    const outcomes = await Promise.all(order.map((to) => refusalOf(change(app, to))));
    expect(outcomes.map((error) => error === null)).toEqual([true, false, true, false, true]);
    expect(await rows()).toEqual([{ strategy: 'jwt' }]);
    expect(await issuedBy(app)).toBe('jwt');
  });

  it('of two nodes concurrently never leaves incompatible strategies', async () => {
    for (let round = 0; round < 3; round += 1) {
      const pair = [await start('session,jwt'), await start('session,jwt')] as const;
      const outcomes = await Promise.all([
        refusalOf(change(pair[0], 'session')),
        refusalOf(change(pair[1], 'jwt,session')),
      ]);
      expect(outcomes.filter((error) => error === null)).toHaveLength(1);
      await stopAll();
    }
  });

  it('keeps the value before, in memory and in the row, if the row cannot be written', async () => {
    const app = await start('session');
    await query(sql`alter table nodes add constraint refused check (strategy <> 'session,jwt') not valid`);
    expect(await refusalOf(change(app, 'session,jwt'))).not.toBeNull();
    await query(sql`alter table nodes drop constraint refused`);
    expect(await rows()).toEqual([{ strategy: 'session' }]);
    expect(await isShown(app, 'session')).toBe(true);
    await change(app, 'session,jwt');
    expect(await rows()).toEqual([{ strategy: 'session,jwt' }]);
  });
});
