/**
 * What an import of many accounts takes: time, and the most memory that the process held, for 10,000 lines and for 100,000.
 *
 *     npm run build && BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres node test/bench/import.mjs
 *
 * Each run is a process of its own on a database of its own. Linux only: the kernel keeps the peak of a process.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { createDatabase } from './harness/database.mjs';
import { root } from './harness/server.mjs';

const server = process.env['BENCH_DATABASE_URL'];
if (!server) {
  process.stderr.write('BENCH_DATABASE_URL names no PostgreSQL server\n');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'traffy-bench-'));

async function writeAccounts(count) {
  const path = join(folder, `${count}.jsonl`);
  const file = createWriteStream(path);
  for (let index = 0; index < count; index += 1) {
    const digest = randomBytes(32).toString('base64');
    const line = {
      email: `person${index}@example.com`,
      password_hash: `pbkdf2_sha256$600000$${randomBytes(11).toString('hex')}$${digest}`,
      created_at: '2020-01-02T03:04:05Z',
      email_verified: true,
      name: `Person ${index}`,
    };
    if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
  }
  await finished(file.end());
  return path;
}

/** Prints the peak of its own memory behind what the command line does. */
const PROGRAM = `
  const { run } = await import(process.argv[1]);
  const code = await run(process.argv.slice(2));
  const { maxRSS } = process.resourceUsage();
  process.stderr.write(String(maxRSS));
  process.exitCode = code;
`;

async function run(args, databaseUrl) {
  const program = join(root, 'dist', 'src', 'cli', 'program.js');
  const since = performance.now();
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', PROGRAM, program, 'users', ...args],
    {
      cwd: root,
      env: { APP_ENV: 'test', AUTH_SECRETS: randomBytes(48).toString('base64'), DATABASE_URL: databaseUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out = `${out}${chunk}`.slice(-2_000)));
  child.stderr.on('data', (chunk) => (err += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(err);
  return { out, mib: Number(err) / 1024, seconds: (performance.now() - since) / 1000 };
}

try {
  for (const count of [10_000, 100_000]) {
    const path = await writeAccounts(count);
    const { url: databaseUrl, drop } = await createDatabase(server);
    try {
      for (const [what, args] of [
        ['dry run', ['import', path, '--dry-run', '--json']],
        ['import', ['import', path, '--json']],
        ['again', ['import', path, '--json', '--again']],
        ['export', ['export', '--out', join(folder, `${count}.out`)]],
      ]) {
        const { mib, seconds } = await run(args, databaseUrl);
        process.stdout.write(
          `${String(count).padStart(7)} ${what.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s   ${mib.toFixed(0).padStart(4)} MiB at most\n`,
        );
      }
    } finally {
      await drop();
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
