/**
 * What `GET /me` costs, beside the limit of the runtime and beside peers: docs/performance.md says what is measured and how.
 *
 *     npm ci --prefix test/bench/peers
 *     BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { createDatabase, databaseServer, serverVersion } from './harness/database.mjs';
import { Connections, expectJson, latencies } from './harness/load.mjs';
import { busyMachine, installedVersions, machineFacts } from './harness/machine.mjs';
import { collectSettings, positive } from './harness/options.mjs';
import { printDoubts, printMachine, progress, writeJson } from './harness/report.mjs';
import { printComparison, printRatios, results } from './me/report.mjs';
import { inRounds } from './harness/rounds.mjs';
import { run } from './harness/run.mjs';
import { startServer } from './harness/server.mjs';
import { ACCOUNT, arePeersInstalled, INSTALL_PEERS, PEERS, TARGETS, YARDSTICK } from './harness/targets.mjs';
import { buildTraffy } from './harness/traffy.mjs';

/** Milliseconds after which a target signs in again: shorter than whatever a peer puts into its cookie lives. */
const CREDENTIAL_AGE_MAX = 120_000;
/** Milliseconds that a visit sends requests at most. */
const VISIT_MS = 1_000;
/** Warm-up requests of a visit as a share of the counted ones: other processes ran in between. */
const LEAD_IN = 0.5;
const PEER_PACKAGES = ['better-auth', 'express', 'express-session', 'passport-jwt'];
const QUICK = { rounds: 5, requests: 200, warmUp: 300 };

function targetNames(text) {
  const names = text.split(',');
  const unknown = names.filter((name) => !(name in TARGETS));
  if (unknown.length > 0)
    throw new InvalidArgumentError(`no ${unknown.join(', ')}; there are ${Object.keys(TARGETS).join(', ')}`);
  return names;
}

const options = new Command('npm run bench --')
  .description('CPU time per request of GET /me, as a ratio to bare node:http.')
  .option('--targets <names>', 'comma-separated; all by default', targetNames, Object.keys(TARGETS))
  .option('--rounds <n>', 'how often every target is visited', positive, 30)
  .option('--requests <n>', 'requests in a visit at most; slow targets get fewer', positive, 2000)
  .option('--warm-up <n>', 'requests before the first round', positive, 3000)
  .option('--connections <n>', 'kept connections to each target', positive, 10)
  .option('--set <NAME=value>', 'a setting of Traffy that differs; can be repeated', collectSettings, {})
  .addOption(
    new Option('--peers <how>', 'what to do about peers')
      .choices(['installed', 'required', 'none'])
      .default('installed'),
  )
  .option('--json <file>', 'also write the figures to a file')
  .option(
    '--quick',
    `tries whether everything works: ${QUICK.rounds} rounds of ${QUICK.requests} requests; tells nothing`,
  )
  .parse()
  .opts();
if (options.quick) Object.assign(options, QUICK);

/** The targets to visit, the yardstick always among them. */
function chosen() {
  const wanted = new Set([YARDSTICK, ...options.targets]);
  const peers = [...wanted].filter((name) => TARGETS[name].needs === 'peers');
  const isMissing = peers.length > 0 && options.peers !== 'none' && !arePeersInstalled();
  if (isMissing && options.peers === 'required')
    throw new Error(`the peers are not installed: ${INSTALL_PEERS}`);
  if (isMissing) progress(`without the peers, which this installs: ${INSTALL_PEERS}`);
  if (isMissing || options.peers === 'none') for (const name of peers) wanted.delete(name);
  return Object.keys(TARGETS).filter((name) => wanted.has(name));
}

/** Starts a target and gets its account ready. */
async function open(name, server, { defer, folder }) {
  const target = TARGETS[name];
  const database = target.needs === 'nothing' ? undefined : await createDatabase(server);
  if (database) defer(() => database.drop());
  const running = await startServer(name, target.program(database?.url, options.set), folder);
  defer(() => running.stop());
  await target.signUp(running.origin);
  const connections = new Connections(running.origin, options.connections);
  defer(() => connections.close());
  const check = expectJson(name, (body) => target.emailOf(body) === ACCOUNT.email);
  progress(`started ${name}`);
  return {
    name,
    target,
    running,
    connections,
    check,
    latencies: latencies(),
    cpu: [],
    kernel: [],
    perSecond: [],
  };
}

/** Sends requests that do not count: so that the credential is live, the connections open and the code compiled. */
async function prepare(visited, requests) {
  if (!(visited.signedInAt > performance.now() - CREDENTIAL_AGE_MAX)) {
    visited.request = await visited.target.signIn(visited.running.origin);
    visited.signedInAt = performance.now();
  }
  await visited.connections.repeat(requests, visited.request, visited.check);
}

async function visit(visited) {
  await prepare(visited, Math.ceil(options.requests * LEAD_IN));
  const { running, connections, request, check } = visited;
  const before = await running.usage();
  const { count, ms } = await connections.repeat(
    options.requests,
    request,
    check,
    visited.latencies,
    VISIT_MS,
  );
  const after = await running.usage();
  visited.cpu.push((after.cpu - before.cpu) / count);
  visited.kernel.push((after.kernel - before.kernel) / count);
  visited.perSecond.push((count / ms) * 1000);
  visited.rss = after.rss;
}

await run(async ({ defer, folder, signal }) => {
  const names = chosen();
  const needed = new Set(names.map((name) => TARGETS[name].needs));
  const server = needed.has('build') || needed.has('peers') ? databaseServer() : undefined;
  const machine = machineFacts();
  if (needed.has('build')) buildTraffy();

  const all = [];
  for (const name of names) {
    signal.throwIfAborted();
    all.push(await open(name, server, { defer, folder }));
  }
  for (const visited of all) await prepare(visited, options.warmUp);
  await inRounds(options.rounds, all, visit, signal);

  const versions = {
    ...(server && { PostgreSQL: await serverVersion(server) }),
    ...installedVersions(['@nestjs/core', 'fastify']),
    ...(needed.has('peers') && installedVersions(PEER_PACKAGES, PEERS)),
  };
  const figures = results(all, busyMachine(machine));
  printMachine(machine, versions);
  printRatios(figures);
  printComparison(figures);
  printDoubts(figures.doubts);
  writeJson(options.json, { measured: 'GET /me', options, machine, versions, ...figures });
});
