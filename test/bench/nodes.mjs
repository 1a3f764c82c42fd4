/**
 * Many nodes on one machine: one, two and four processes behind nginx, on one PostgreSQL server.
 *
 *     BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:nodes
 *
 * Prints, for each number of nodes, what `GET /me` costs the nodes and what comes through nginx, how long a sign-out takes
 * to reach the other nodes, and what PostgreSQL sees of a thousand `/me`. The nodes, nginx, PostgreSQL and the client share
 * the cores of this machine: with more nodes than cores, the rate says nothing, and the CPU time still does.
 */
import { Command } from 'commander';
import { createDatabase, databaseServer, serverVersion } from './harness/database.mjs';
import { Connections, expectJson, latencies, percentiles } from './harness/load.mjs';
import { busyMachine, machineFacts } from './harness/machine.mjs';
import { positive } from './harness/options.mjs';
import { fixed, printDoubts, printMachine, printTable, progress, writeJson } from './harness/report.mjs';
import { run } from './harness/run.mjs';
import { median } from './harness/statistics.mjs';
import { startServer } from './harness/server.mjs';
import { ACCOUNT } from './harness/targets.mjs';
import { buildTraffy, cookiesOf, FORWARDED, post, traffyInProduction } from './harness/traffy.mjs';
import { startNginx } from './nodes/nginx.mjs';
import { transactionsOf } from './nodes/transactions.mjs';
import { sumOf, untilRefused } from './nodes/subjects.mjs';

const QUICK = { requests: 500, rounds: 3, signOuts: 10 };

const options = new Command('npm run bench:nodes --')
  .description('GET /me, sign-out and what PostgreSQL sees, with one, two and four nodes behind nginx.')
  .option('--requests <n>', 'GET /me in a round', positive, 5_000)
  .option('--rounds <n>', 'rounds for each number of nodes', positive, 7)
  .option('--sign-outs <n>', 'sign-outs that are timed', positive, 200)
  .option('--connections <n>', 'kept connections to nginx', positive, 16)
  .option('--json <file>', 'also write the figures to a file')
  .option('--quick', 'tries whether everything works; tells nothing')
  .parse()
  .opts();
if (options.quick) Object.assign(options, QUICK);

const STRATEGIES = ['session', 'jwt'];

/** The headers of a live credential, whatever the strategy. */
async function signIn(origin, strategy) {
  const reply = await post(origin, '/login', ACCOUNT);
  const credential =
    strategy === 'jwt'
      ? { authorization: `Bearer ${reply.body['access_token']}` }
      : { cookie: cookiesOf(reply) };
  return { ...FORWARDED, ...credential };
}

async function measure(count, strategy, server, { defer, folder, signal }) {
  const database = await createDatabase(server);
  defer(() => database.drop());
  const settings = traffyInProduction(database.url, { AUTH_STRATEGY: strategy });
  const nodes = [];
  for (let index = 0; index < count; index += 1) {
    const node = await startServer(`node${count}-${strategy}-${index}`, settings, folder);
    defer(() => node.stop());
    nodes.push(node);
  }
  const nginx = await startNginx(
    nodes.map(({ origin }) => origin),
    folder,
  );
  defer(() => nginx.stop());
  await post(nginx.origin, '/signup', ACCOUNT);
  const headers = await signIn(nginx.origin, strategy);
  const request = { path: '/me', headers };
  const check = expectJson('nginx', (body) => body['logged_in'] === true);
  const connections = new Connections(nginx.origin, options.connections);
  defer(() => connections.close());
  await connections.repeat(options.requests, request, check);

  const histogram = latencies();
  const [cpu, perSecond] = [[], []];
  const transactions = await transactionsOf(database.url);
  defer(() => transactions.close());
  // What the nodes ask by themselves (they look for revocations each second), and what they ask while they are asked.
  const idle = await transactions.during(() => new Promise((resolve) => setTimeout(resolve, 5_000)));
  const busy = await transactions.during(async () => {
    for (let round = 0; round < options.rounds; round += 1) {
      signal.throwIfAborted();
      const before = await sumOf(nodes);
      const { ms } = await connections.repeat(options.requests, request, check, histogram);
      cpu.push(((await sumOf(nodes)) - before) / options.requests);
      perSecond.push((options.requests / ms) * 1000);
    }
  });

  const heard = latencies();
  const signOuts = count > 1 ? options.signOuts : 0;
  for (let index = 0; index < signOuts; index += 1) {
    signal.throwIfAborted();
    await untilRefused(nodes, await signIn(nodes[0].origin, strategy), heard);
  }
  for (const node of nodes) await node.stop();
  await nginx.stop();
  const askedFor = options.requests * options.rounds;
  return {
    nodes: count,
    strategy,
    cpu_us: median(cpu),
    per_second: median(perSecond),
    latency_ms: percentiles(histogram),
    sign_out_ms: count > 1 ? percentiles(heard) : null,
    transactions_idle_per_second: idle.perSecond,
    transactions_busy_per_second: busy.perSecond,
    // What is left when the nodes' own rounds are taken away.
    transactions_per_1000_me: (Math.max(0, busy.count - idle.perSecond * busy.seconds) / askedFor) * 1000,
  };
}

await run(async (tools) => {
  const server = databaseServer();
  const machine = machineFacts();
  const doubts = [busyMachine(machine)].filter(Boolean);
  buildTraffy();
  const figures = [];
  for (const strategy of STRATEGIES) {
    for (const count of [1, 2, 4]) {
      progress(`${count} node(s), ${strategy}`);
      figures.push(await measure(count, strategy, server, tools));
    }
  }
  const versions = { PostgreSQL: await serverVersion(server) };
  printMachine(machine, versions);
  const ofOne = (strategy) => figures.find((row) => row.strategy === strategy && row.nodes === 1);
  printTable(
    [
      'nodes',
      'CPU a request (µs, all nodes)',
      'requests/s',
      'against one',
      'p50 / p99 (ms)',
      'sign-out heard elsewhere p50 / p99 / max (ms)',
      'transactions per 1,000 `/me`',
      'of its own (a second)',
    ],
    figures.map((row) => [
      `${row.nodes}, ${row.strategy}`,
      fixed(row.cpu_us, 0),
      fixed(row.per_second, 0),
      fixed(row.per_second / ofOne(row.strategy).per_second),
      `${fixed(row.latency_ms.p50, 1)} / ${fixed(row.latency_ms.p99, 1)}`,
      row.sign_out_ms
        ? `${fixed(row.sign_out_ms.p50, 1)} / ${fixed(row.sign_out_ms.p99, 1)} / ${fixed(row.sign_out_ms.max, 1)}`
        : '–',
      fixed(row.transactions_per_1000_me),
      fixed(row.transactions_idle_per_second, 1),
    ]),
  );
  printDoubts(doubts);
  writeJson(options.json, { measured: 'many nodes', options, machine, versions, figures, doubts });
});
