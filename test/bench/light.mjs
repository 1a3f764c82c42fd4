/**
 * How light it is, beside better-auth in an Express server: time until a start is ready, memory, size of the production
 * install. docs/performance.md says what is measured and how.
 *
 *     npm ci --prefix test/bench/peers
 *     BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:light
 */
import { Command } from 'commander';
import { databaseServer, serverVersion } from './harness/database.mjs';
import { busyMachine, installedVersions, machineFacts } from './harness/machine.mjs';
import { positive } from './harness/options.mjs';
import { fixed, printDoubts, printMachine, printTable, progress, say, writeJson } from './harness/report.mjs';
import { run } from './harness/run.mjs';
import { arePeersInstalled, INSTALL_PEERS, PEERS } from './harness/targets.mjs';
import { buildTraffy } from './harness/traffy.mjs';
import { measureInstalls } from './light/install.mjs';
import { measureStarts } from './light/starts.mjs';

const QUICK = { starts: 1, requests: 300 };

const options = new Command('npm run bench:light --')
  .description('Cold start, memory and size of the install, beside better-auth in an Express server.')
  .option('--starts <n>', 'how often each is started', positive, 9)
  .option('--requests <n>', 'requests of GET /me before the memory under load is read', positive, 20_000)
  .option('--no-install', 'leave out the installs, which need a package registry')
  .option('--json <file>', 'also write the figures to a file')
  .option('--quick', 'tries whether everything works; tells nothing')
  .parse()
  .opts();
if (options.quick) Object.assign(options, QUICK);

await run(async (context) => {
  const server = databaseServer();
  const machine = machineFacts();
  const arePeersThere = arePeersInstalled();
  if (!arePeersThere) progress(`without starts of better-auth, which this installs: ${INSTALL_PEERS}`);
  buildTraffy();
  const starts = await measureStarts(options, server, arePeersThere, context);
  const installs = options.install ? measureInstalls(context.folder) : [];
  const versions = {
    PostgreSQL: await serverVersion(server),
    ...(arePeersThere && installedVersions(['better-auth', 'express'], PEERS)),
  };
  const busy = busyMachine(machine);
  const doubts = busy ? [busy] : [];

  printMachine(machine, versions);
  printTable(
    [
      '',
      'ready after ms',
      'quartiles',
      'RSS idle MiB',
      'most until then',
      `after ${options.requests} requests`,
      'at most',
    ],
    starts.map(({ name, ready_ms: ready, ...memory }) => [
      name,
      fixed(ready.median, 0),
      `${fixed(ready.q1, 0)} to ${fixed(ready.q3, 0)}`,
      fixed(memory.idle_mib, 0),
      fixed(memory.start_most_mib, 0),
      fixed(memory.busy_mib, 0),
      fixed(memory.most_mib, 0),
    ]),
  );
  if (installs.length > 0)
    printTable(
      ['production install', 'packages', 'node_modules MiB', 'built code MiB'],
      installs.map(({ name, packages, node_modules_mib: modules, built_mib: built }) => [
        name,
        String(packages),
        fixed(modules, 1),
        built === undefined ? '' : fixed(built, 1),
      ]),
    );
  for (const { name, largest } of installs)
    say(`\n${name}: ${largest.map(({ name: own, mib }) => `${own} ${fixed(mib, 1)}`).join(', ')} MiB`);
  printDoubts(doubts);
  writeJson(options.json, { measured: 'lightness', options, machine, versions, doubts, starts, installs });
});
