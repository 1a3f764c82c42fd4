/**
 * Whether what a call costs grows with the number of accounts and sessions: the same service on a small database and on a
 * large one, in turns, and the plans of every statement on the large one.
 *
 *     npm run build && npm run bench:growth -- --database-url postgres://user@127.0.0.1:5432/postgres --keep
 *
 * The role must be allowed to create databases and to set session_replication_role. The server must run on this machine, on
 * Linux: CPU time is that of its processes. `--keep` leaves the large database, `traffy_growth_large`, for the next run; what
 * is measured uses some of its sessions up, and it is good for a week.
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { callsOf } from './growth/calls.mjs';
import { dropDatabase, ensureDatabase, migrate, sibling, withClient } from './growth/databases.mjs';
import { explainFlows } from './growth/flows.mjs';
import { measureCalls } from './growth/measure.mjs';
import { printPlans, printRatios, printSizes, printSweep } from './growth/report.mjs';
import { seedDatabase } from './growth/seed-database.mjs';
import { SeededDatabase } from './growth/seeded-database.mjs';
import { startService } from './growth/service.mjs';
import { sizesOf } from './growth/sizes.mjs';
import { measureSweep, sweepBesideRequests } from './growth/sweep.mjs';

const { values } = parseArgs({
  options: {
    'database-url': { type: 'string' },
    small: { type: 'string', default: '1000/5000' },
    large: { type: 'string', default: '1000000/5000000' },
    keep: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '15' },
    requests: { type: 'string', default: '40' },
    sweep: { type: 'string', default: '50000' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const PARTS = ['sizes', 'plans', 'calls', 'sweep', 'beside'];
const parts = values.only?.split(',') ?? PARTS;
const server = values['database-url'];
if (!server || parts.some((part) => !PARTS.includes(part))) {
  process.stderr.write(`usage: bench:growth -- --database-url postgres://… [--only ${PARTS.join(',')}]\n`);
  process.exit(2);
}
const [rounds, requests] = [Number(values.rounds), Number(values.requests)];
const tell = (progress) => process.stderr.write(`${progress}\n`);

function countsOf(text) {
  const [users, sessions] = text.split('/').map(Number);
  return { users, sessions, refreshes: 2, grown: false };
}

async function open(name, text, wish) {
  const counts = countsOf(text);
  const databaseUrl = sibling(server, `traffy_growth_${name}`);
  if (wish === 'anew') await dropDatabase(databaseUrl);
  const isKept = await ensureDatabase(databaseUrl);
  await migrate(databaseUrl);
  if (!isKept) await seedDatabase(databaseUrl, counts, (progress) => tell(`${name}: ${progress}`));
  else tell(`${name}: as it was left`);
  return new SeededDatabase(name, databaseUrl, counts, isKept ? 'kept' : 'anew');
}

const large = await open('large', values.large, values.keep ? 'kept' : 'anew');
const small = await open('small', values.small, 'anew');
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
  if (parts.includes('sweep')) report.sweep = await measureSweep([small, large], rounds);
  if (report.calls ?? report.sweep) printRatios(report);
  if (parts.includes('beside')) {
    report.beside = await sweepBesideRequests(large, Number(values.sweep), tell);
    printSweep(report.beside);
  }
  report.machine.loadAfter = loadavg();
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  const seqScans = (report.plans ?? []).flatMap(({ plans }) => plans.flatMap((plan) => plan.seqScans));
  if (seqScans.length > 0) process.exitCode = 1;
} finally {
  await dropDatabase(small.databaseUrl);
  if (!values.keep) await dropDatabase(large.databaseUrl);
}
