import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createDatabase } from '../harness/database.mjs';
import { Connections, expectJson } from '../harness/load.mjs';
import { mebibytes, progress } from '../harness/report.mjs';
import { startServer } from '../harness/server.mjs';
import { summary } from '../harness/statistics.mjs';
import { ACCOUNT, TARGETS } from '../harness/targets.mjs';
import { traffyEmbedded } from '../harness/traffy.mjs';

/** Milliseconds between two questions whether it is ready, and until a server that is left alone has settled. */
const [EVERY, SETTLED] = [5, 5000];
const CONNECTIONS = 10;

/** What is started: each again and again on the same data, so that every start that counts finds it migrated. */
async function contenders(server, arePeersThere, { defer, folder }) {
  const database = async () => {
    const { url, drop } = await createDatabase(server);
    defer(drop);
    return url;
  };
  const onServer = async (target) => {
    const program = TARGETS[target].program(await database());
    return { target: TARGETS[target], first: program, again: withoutMigration(program) };
  };
  const embedded = traffyEmbedded(join(folder, 'data'));
  return {
    'traffy, embedded database': { target: TARGETS['traffy-session'], first: embedded, again: embedded },
    'traffy, PostgreSQL': await onServer('traffy-session'),
    ...(arePeersThere && { 'better-auth in Express, PostgreSQL': await onServer('better-auth') }),
  };
}

const withoutMigration = (program) => ({
  ...program,
  args: program.args.filter((argument) => argument !== '--migrate'),
});

/**
 * Measures the time from start to readiness, and the memory when idle and after many requests. The first start, which
 * creates the tables, does not count.
 *
 * @param options `starts` of each in turns, `requests` of `GET /me` after the last one.
 */
export async function measureStarts({ starts, requests }, server, arePeersThere, context) {
  const all = Object.entries(await contenders(server, arePeersThere, context));
  const times = new Map(all.map(([name]) => [name, []]));
  for (const [name, { target, first }] of all) {
    const running = await startServer(fileName(name), first, context.folder);
    await target.signUp(running.origin);
    await running.stop();
  }
  for (let round = 0; round < starts; round += 1) {
    for (const [name, { again }] of all) {
      context.signal.throwIfAborted();
      const running = await startServer(fileName(name), again, context.folder, EVERY);
      times.get(name).push(running.startedIn);
      await running.stop();
    }
    progress(`start ${round + 1} of ${starts}`);
  }
  const figures = [];
  for (const [name, contender] of all) {
    context.signal.throwIfAborted();
    figures.push({
      name,
      ready_ms: summary(times.get(name)),
      ...(await memory(name, contender, requests, context)),
    });
  }
  return figures;
}

async function memory(name, { target, again }, requests, { folder }) {
  const running = await startServer(fileName(name), again, folder);
  try {
    await pause(SETTLED);
    const idle = await running.usage();
    const request = await target.signIn(running.origin);
    const connections = new Connections(running.origin, CONNECTIONS);
    await connections.repeat(
      requests,
      request,
      expectJson(name, (body) => target.emailOf(body) === ACCOUNT.email),
    );
    const busy = await running.usage();
    await connections.close();
    return {
      idle_mib: mebibytes(idle.rss),
      start_most_mib: mebibytes(idle.maxRss),
      busy_mib: mebibytes(busy.rss),
      most_mib: mebibytes(busy.maxRss),
    };
  } finally {
    await running.stop();
  }
}

const fileName = (name) => name.replaceAll(/\W+/g, '-');
