/**
 * Sign-ins per second as a share of what argon2 alone can verify on the same cores, for several values of
 * ARGON2_CONCURRENCY, and the latency of other requests at the same time. With `--flood`: 200 concurrent sign-ins.
 * docs/performance.md explains the measurement.
 *
 *     BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:sign-in [-- --flood]
 */
import { Command } from 'commander';
import { databaseServer, serverVersion } from './harness/database.mjs';
import { busyMachine, installedVersions, machineFacts } from './harness/machine.mjs';
import { collectSettings, positive } from './harness/options.mjs';
import { printDoubts, printMachine, writeJson } from './harness/report.mjs';
import { run } from './harness/run.mjs';
import { buildTraffy } from './harness/traffy.mjs';
import { measureFlood, printFlood } from './sign-in/flood.mjs';
import { measureSaturation, printSaturation } from './sign-in/saturation.mjs';

const QUICK = { rounds: 2, seconds: 1, concurrency: [1, 2] };

const options = new Command('npm run bench:sign-in --')
  .description(
    'Sign-ins a second beside what argon2 alone verifies, and latency of other requests at the same time.',
  )
  .option(
    '--concurrency <list>',
    'values of ARGON2_CONCURRENCY',
    (text) => text.split(',').map(positive),
    [1, 2, 3, 4],
  )
  .option('--in-flight <n>', 'concurrent sign-ins', positive, 16)
  .option('--rounds <n>', 'how often every value is visited', positive, 8)
  .option('--seconds <n>', 'how long people sign in at a visit', positive, 3)
  .option(
    '--set <NAME=value>',
    'another setting of Traffy that differs; can be repeated',
    collectSettings,
    {},
  )
  .option('--flood', 'send 200 concurrent sign-ins with passwords of 1 KB instead, once a round')
  .option('--json <file>', 'also write the figures to a file')
  .option('--quick', 'tries whether everything works; tells nothing')
  .parse()
  .opts();
if (options.quick) Object.assign(options, QUICK);

await run(async (context) => {
  const server = databaseServer();
  const machine = machineFacts();
  buildTraffy();
  const [measure, print] = options.flood ? [measureFlood, printFlood] : [measureSaturation, printSaturation];
  const { doubts = [], ...figures } = await measure(options, server, machine.cores, context);
  const busy = busyMachine(machine);
  const versions = { PostgreSQL: await serverVersion(server), ...installedVersions(['argon2']) };
  printMachine(machine, versions);
  print(figures);
  const all = [...(busy ? [busy] : []), ...doubts];
  printDoubts(all);
  writeJson(options.json, { measured: 'POST /login', options, machine, versions, doubts: all, ...figures });
});
