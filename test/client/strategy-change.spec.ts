import { afterAll, describe, expect, it } from '@jest/globals';
import { createClient } from '../../src/client/client.entry.js';
import { until } from '../support/process.js';
import { recorder } from '../support/recorded-fetch.js';
import { PASSWORD, signUp } from '../support/strategies.js';
import { nodes, openDatabase, start, statusNow, stopAll, type Value } from '../support/strategy-change.js';

openDatabase();

const FORWARD: readonly Value[] = ['session', 'session,jwt', 'jwt,session', 'jwt'];
const CHANGES = [
  { from: 'session', to: 'jwt', steps: FORWARD, dropped: 'session' },
  { from: 'jwt', to: 'session', steps: FORWARD.toReversed(), dropped: 'jwt' },
] as const;

describe.each(CHANGES)(
  'a change of strategy from $from to $to under running clients',
  ({ steps, dropped }) => {
    afterAll(stopAll);

    it.each(['bearer', 'cookie'] as const)(
      'signs no client out that uses %s, without a change of its code',
      async (transport) => {
        const origin = async (value: Value) => (await start(value)).listen();
        const [first = 'session', ...later] = steps;
        const record = recorder(await origin(first));
        // Each request is followed by an exchange; the default is an hour.
        const options = {
          baseUrl: 'http://traffy.test',
          transport,
          fetch: record.fetch,
          exchangeInterval: 0,
        };
        const client = createClient(options);
        const states: unknown[] = [];
        client.onChange(({ status }) => states.push(status));
        const [app] = nodes;
        if (!app) throw new Error('no node runs');
        const email = await signUp(app);
        const result = await client.signIn({ email, password: PASSWORD });
        if (result.status !== 'signed_in') throw new Error('a second factor was asked for');

        const use = async () => {
          expect(await client.me()).toEqual({ logged_in: true, email });
          expect((await client.account.get()).email).toBe(email);
          expect(await client.sessions.list()).toMatchObject([{ id: result.session.id, current: true }]);
        };
        await use();
        for (const value of later) {
          if (!value.includes(dropped))
            await until(async () => {
              await use();
              return (await statusNow())[dropped]?.sessions === 0 || undefined;
            }, 15_000);
          record.redirect(await origin(value));
          await nodes.shift()?.close();
          await use();
        }
        expect(states).toEqual(['signed_in']);
        expect((await client.sessions.list())[0]?.strategy).toBe(steps.at(-1));
        expect((await client.accessToken()) !== null).toBe(dropped === 'session' && transport === 'bearer');
        await client.signOut();
        expect(await client.me()).toEqual({ logged_in: false });
        await stopAll();
      },
    );
  },
);
