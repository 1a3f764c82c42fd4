/**
 * Whether what a call costs grows with the number of accounts and sessions: the same service on a small database and on a
 * large one, in turns, and the plans of every statement on the large one.
 *
 *     npm run build && BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:growth -- --keep
 *
 * The role must be allowed to create databases and to set session_replication_role. The server must run on this machine, on
 * Linux: CPU time is that of its processes. `--keep` leaves the large database, `traffy_growth_large`, for the next run; what
 * is measured uses some of its sessions up, and it is good for a week.
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { callsOf } from './growth/calls.mjs';
import { dropDatabase, ensureDatabase, migrate, sibling, withClient } from './growth/databases.mjs';
import { explainFlows } from './growth/flows.mjs';
import { measureCalls } from './growth/measure.mjs';
import { printPlans, printRatios, printSizes, printPurge } from './growth/report.mjs';
import { seedDatabase } from './growth/seed-database.mjs';
import { SeededDatabase } from './growth/seeded-database.mjs';
import { startService } from './growth/service.mjs';
import { sizesOf } from './growth/sizes.mjs';
import { measurePurge, purgeBesideRequests } from './growth/purge.mjs';
import { positive } from './harness/options.mjs';

const PARTS = ['sizes', 'plans', 'calls', 'purge', 'beside'];

function partsOf(text) {
  const parts = text.split(',');
  const unknown = parts.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0)
    throw new InvalidArgumentError(`no ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  return parts;
}

function countsOf(text) {
  const [users, sessions] = text.split('/').map(positive);
  if (!sessions) throw new InvalidArgumentError('as in 1000/5000');
  return { users, sessions, refreshes: 2, grown: false };
}

const options = new Command('npm run bench:growth --')
  .description(
    'What calls cost on a small and on a large database, in turns, and the plans of their statements.',
  )
  .addOption(
    new Option('--database-url <url>', 'a server on which it may create databases')
      .env('BENCH_DATABASE_URL')
      .makeOptionMandatory(),
  )
  .option('--small <users/sessions>', 'how much the small one holds', countsOf, countsOf('1000/5000'))
  .option('--large <users/sessions>', 'how much the large one holds', countsOf, countsOf('1000000/5000000'))
  .option('--keep', 'leave the large one for the next run, and use the one that was left')
  .option('--rounds <n>', 'how often each call is visited on both', positive, 15)
  .option('--requests <n>', 'requests of a visit', positive, 40)
  .option('--purge <n>', 'rows that are purged beside requests', positive, 50_000)
  .option('--only <parts>', `comma-separated, of ${PARTS.join(', ')}`, partsOf, PARTS)
  .option('--json <file>', 'also write the figures to a file')
  .parse()
  .opts();
const { databaseUrl: server, only: parts, rounds, requests } = options;
const tell = (progress) => process.stderr.write(`${progress}\n`);

async function open(name, counts, wish) {
  const databaseUrl = sibling(server, `traffy_growth_${name}`);
  if (wish === 'fresh') await dropDatabase(databaseUrl);
  const isKept = await ensureDatabase(databaseUrl);
  await migrate(databaseUrl);
  if (!isKept) await seedDatabase(databaseUrl, counts, (progress) => tell(`${name}: ${progress}`));
  else tell(`${name}: as it was left`);
  return new SeededDatabase(name, databaseUrl, counts, isKept ? 'kept' : 'fresh');
}

const large = await open('large', options.large, options.keep ? 'kept' : 'fresh');
const small = await open('small', options.small, 'fresh');
const report = {
  at: new Date().toISOString(),
  machine: { cores: cpus().length, model: cpus()[0]?.model, loadBefore: loadavg() },
  server: await withClient(
    server,
    async (client) => (await client.query('show server_version')).rows[0].server_version,
  ),
  sizes: [small, large].map(({ name, users, sessions }) => ({ name, users, sessions })),
};
try {
  if (parts.includes('sizes')) printSizes((report.bytes = await sizesOf(large.databaseUrl)));
  if (parts.includes('plans')) printPlans((report.plans = await explainFlows(large, callsOf, tell)));
  if (parts.includes('calls')) {
    const targets = [];
    try {
      for (const database of [small, large])
        targets.push({
          database,
          calls: callsOf(database),
          service: await startService(database.databaseUrl),
        });
      report.calls = await measureCalls(targets, { rounds, requests }, tell);
    } finally {
      for (const { service } of targets) await service.stop();
    }
  }
  if (parts.includes('purge')) report.purge = await measurePurge([small, large], rounds);
  if (report.calls ?? report.purge) printRatios(report);
  if (parts.includes('beside')) {
    report.beside = await purgeBesideRequests(large, options.purge, tell);
    printPurge(report.beside);
  }
  report.machine.loadAfter = loadavg();
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  const seqScans = (report.plans ?? []).flatMap(({ plans }) => plans.flatMap((plan) => plan.seqScans));
  if (seqScans.length > 0) process.exitCode = 1;
} finally {
  await dropDatabase(small.databaseUrl);
  if (!options.keep) await dropDatabase(large.databaseUrl);
}
