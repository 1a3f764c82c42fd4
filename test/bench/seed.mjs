/**
 * Fills a PostgreSQL database with accounts and sessions, by the million.
 *
 *     npm run build && npm run bench:seed -- --users 1000000 --sessions 5000000 --database-url postgres://user@127.0.0.1:5432/traffy_large
 *
 * Creates the database unless it exists, migrates it, and refuses one with accounts. All users have the same password
 * (one argon2id hash). Half of the sessions have cookies, half refresh tokens with `--refreshes` predecessors each.
 * They were created over the last 36 days, so that a fifth has expired or ended. Each has its event in the audit
 * trail. `--grown` keeps the indexes while rows are inserted: slower, but the indexes are then as full as those of a
 * table that grew.
 */
import { Command } from 'commander';
import { ensureDatabase, migrate } from './growth/databases.mjs';
import { PASSWORD } from './growth/seeded.mjs';
import { DatabaseInUse, seedDatabase } from './growth/seed-database.mjs';
import { sizesOf } from './growth/sizes.mjs';
import { table } from './growth/table.mjs';
import { atLeastNone, positive } from './harness/options.mjs';

const options = new Command('npm run bench:seed --')
  .description('Fills a PostgreSQL database with accounts and sessions.')
  .requiredOption('--database-url <url>', 'the database; it is made if there is none')
  .option('--users <n>', 'accounts', positive, 1_000_000)
  .option('--sessions <n>', 'sessions', positive, 5_000_000)
  .option('--refreshes <n>', 'used refresh tokens behind each that is good', atLeastNone, 2)
  .option('--grown', 'keep the indexes while rows come in', false)
  .option('--json', 'print the figures as JSON', false)
  .parse()
  .opts();
const { databaseUrl, users, sessions, refreshes } = options;
const tell = (progress) => process.stderr.write(`${progress}\n`);

const since = performance.now();
await ensureDatabase(databaseUrl);
await migrate(databaseUrl);
try {
  await seedDatabase(databaseUrl, { users, sessions, refreshes, grown: options.grown }, tell);
} catch (error) {
  if (!(error instanceof DatabaseInUse)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
const seconds = Math.round((performance.now() - since) / 1000);
const sizes = await sizesOf(databaseUrl);
if (options.json) {
  process.stdout.write(`${JSON.stringify({ seconds, users, sessions, refreshes, ...sizes })}\n`);
} else {
  process.stdout.write(
    `${users} accounts and ${sessions} sessions in ${seconds} s; everybody’s password: ${PASSWORD}\n\n`,
  );
  process.stdout.write(
    `${table(
      ['table', 'rows', 'MiB', 'bytes a row', 'of the row', 'of its indexes'],
      sizes.tables.map((row) => [
        row.table,
        row.rows,
        row.mib,
        row.bytesPerRow,
        row.heapPerRow,
        row.indexesPerRow,
      ]),
    )}\n`,
  );
}
