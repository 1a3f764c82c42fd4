import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort, until } from './process.js';
import { findProgram } from './reverse-proxies.js';

const DOCUMENTED = join(import.meta.dirname, '..', '..', 'docs', 'pgbouncer', 'pgbouncer.ini');

export interface Pooler {
  /** The database behind it, through it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Runs PgBouncer in front of a database, with the file of docs/pgbouncer: only places and passwords are replaced. */
export async function startPooler(databaseUrl: string): Promise<Pooler> {
  const program = findProgram('pgbouncer');
  if (program === undefined) throw new Error('pgbouncer is not installed');
  const { hostname, port, pathname, username } = new URL(databaseUrl);
  const listenPort = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'traffy-pgbouncer-'));
  chmodSync(folder, 0o755);
  const file = join(folder, 'pgbouncer.ini');
  const text = readFileSync(DOCUMENTED, 'utf8')
    .replace(/^traffy = .*$/m, `* = host=${hostname} port=${port || '5432'} user=${username}`)
    .replace('listen_port = 6432', `listen_port = ${listenPort}`)
    .replace('auth_type = scram-sha-256', 'auth_type = any')
    .replace(/^auth_file = .*$/m, 'unix_socket_dir =');
  writeFileSync(file, text);
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, [...asUser, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const url = `postgres://${username}@127.0.0.1:${listenPort}${pathname}`;
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`pgbouncer did not start: ${log}`);
    return (await answers(url)) || undefined;
  }, 10_000);
  return {
    url,
    stop: async () => {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
