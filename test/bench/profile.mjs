/**
 * Where the CPU time of `GET /me` goes, layer by layer: docs/performance.md says how it is read.
 *
 *     BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:profile -- --output me.cpuprofile
 *
 * The profile can be opened as a flame graph in the developer tools of Chromium.
 */
import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { createDatabase, databaseServer } from './harness/database.mjs';
import { Connections, expectJson } from './harness/load.mjs';
import { busyMachine, machineFacts } from './harness/machine.mjs';
import { collectSettings, positive } from './harness/options.mjs';
import { fixed, printDoubts, printMachine, printTable, progress } from './harness/report.mjs';
import { run } from './harness/run.mjs';
import { startServer } from './harness/server.mjs';
import { ACCOUNT, TARGETS } from './harness/targets.mjs';
import { buildTraffy } from './harness/traffy.mjs';
import { layersOf } from './profile/layers.mjs';

const QUICK = { requests: 500, warmUp: 200 };
const OWN = ['traffy-session', 'traffy-jwt', 'traffy-jwt-cookie', 'nest-fastify', 'bare'];

const options = new Command('npm run bench:profile --')
  .description('The CPU time of GET /me by the layer that takes it.')
  .addOption(new Option('--target <name>', 'what is profiled').choices(OWN).default('traffy-session'))
  .option('--requests <n>', 'requests that are profiled', positive, 40_000)
  .option('--warm-up <n>', 'requests before', positive, 10_000)
  .option('--connections <n>', 'kept connections', positive, 10)
  .option('--set <NAME=value>', 'a setting that differs; can be repeated', collectSettings, {})
  .option('--output <file>', 'also write the profile to a file')
  .option('--quick', 'tries whether everything works; tells nothing')
  .parse()
  .opts();
if (options.quick) Object.assign(options, QUICK);

await run(async ({ defer, folder }) => {
  const target = TARGETS[options.target];
  const server = databaseServer();
  const machine = machineFacts();
  buildTraffy();
  const database = await createDatabase(server);
  defer(() => database.drop());
  const running = await startServer(options.target, target.program(database.url, options.set), folder);
  defer(() => running.stop());
  await target.signUp(running.origin);
  const request = await target.signIn(running.origin);
  const connections = new Connections(running.origin, options.connections);
  defer(() => connections.close());
  const check = expectJson(options.target, (body) => target.emailOf(body) === ACCOUNT.email);
  const send = (count) => connections.repeat(count, request, check);

  await send(options.warmUp);
  progress('measuring without the profiler, which costs something itself');
  const before = await running.usage();
  await send(options.requests);
  const cpu = ((await running.usage()).cpu - before.cpu) / options.requests;
  progress('profiling');
  await running.ask('profile');
  await send(options.requests);
  const profile = await running.ask('profiled');
  if (options.output) writeFileSync(options.output, JSON.stringify(profile));

  const layers = layersOf(profile);
  const total = layers.reduce((sum, { samples }) => sum + samples, 0);
  printMachine(machine, {});
  printTable(
    [`${options.target}: ${fixed(cpu, 0)} µs of CPU time a request`, 'share', 'µs'],
    layers.map(({ name, samples }) => [
      name,
      `${fixed((samples / total) * 100, 1)} %`,
      fixed((samples / total) * cpu, 1),
    ]),
  );
  printDoubts([busyMachine(machine)].filter(Boolean));
});
