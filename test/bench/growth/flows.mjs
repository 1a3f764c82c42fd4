import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './client.mjs';
import { explainAll } from './plans.mjs';
import { startService } from './service.mjs';
import { listenIn } from './wire.mjs';

/** Milliseconds in which everything that a node does by itself has come: it purges for the first time within a minute. */
const BY_ITSELF = 75_000;
/** What a node says every few seconds anyway, at the same time as a call. */
const BACKGROUND = /pg_current_snapshot|audit_chain|insert into nodes|signing_keys|pg_try_advisory_xact_lock/;

/**
 * Hears what the service asks for each call and by itself, and explains it on that database.
 *
 * @returns by flow: how many statements, and the plan of each.
 */
export async function explainFlows(database, callsOf, tell) {
  const wire = await listenIn(database.databaseUrl);
  const flows = [];
  const explain = async (flow, heard) =>
    flows.push({ flow, plans: await explainAll(database.databaseUrl, heard) });
  let service;
  try {
    service = await startService(wire.databaseUrl);
    const client = new Client(service.origin);
    const calls = [
      ...callsOf(database),
      {
        name: 'POST /login, wrong',
        prepare: () => ({
          email: `person${database.nextAccount()}@example.com`,
          password: 'not the passphrase of anybody',
        }),
        send: (to, body) => to.send('POST', '/login', {}, body),
        status: 401,
      },
      {
        name: 'POST /logout?scope=global',
        prepare: () => database.nextCookie(),
        send: (to, n) => to.send('POST', '/logout?scope=global', database.cookieHeader(n)),
      },
    ];
    for (const { name, prepare, send, status = 200 } of calls) {
      await database.prepareOwned(2);
      // The first asks for what is only asked once, such as which formats of hashes there are.
      await send(client, prepare());
      wire.take();
      const reply = await send(client, prepare());
      if (reply.status !== status) throw new Error(`${name} answered ${reply.status}`);
      await explain(
        name,
        wire.take().filter(({ text }) => !BACKGROUND.test(text)),
      );
      tell(`explained ${name}`);
    }
    tell('listening to what a node does by itself, for a minute');
    const own = new Map();
    const until = performance.now() + BY_ITSELF;
    while (performance.now() < until) {
      await pause(500);
      for (const statement of wire.take()) own.set(statement.text, statement);
    }
    for (let use = 0; use < 50; use += 1)
      await client.send('GET', '/me', database.cookieHeader(database.nextCookie()));
    wire.take();
    client.close();
    // Last uses are written down at a stop.
    await service.stop();
    for (const statement of wire.take()) own.set(statement.text, statement);
    await explain('by itself', [...own.values()]);
  } finally {
    await service?.stop();
    wire.close();
  }
  return flows;
}
