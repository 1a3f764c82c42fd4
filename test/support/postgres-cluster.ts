import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort, until } from './process.js';

const run = promisify(execFile);
const INSTALLED = '/usr/lib/postgresql';

/** The folder of the newest installed server; undefined if there is none. */
function findServer(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  const [newest] = readdirSync(INSTALLED).toSorted((a, b) => Number(b) - Number(a));
  return newest === undefined ? undefined : join(INSTALLED, newest, 'bin');
}

/** A PostgreSQL server of the test, which it can stop, promote and demote. */
export class PostgresNode {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  /** A new server, with what replication needs. */
  static async create(settings: readonly string[] = []): Promise<PostgresNode> {
    const node = new PostgresNode(await freePort(), folderOf());
    await program('initdb', ['-D', node.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']);
    node.configure([
      `port = ${node.port}`,
      'fsync = off',
      'max_connections = 60',
      'wal_keep_size = 64MB',
      ...settings,
    ]);
    await node.start();
    return node;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  url(database = 'postgres'): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** A standby that follows this server. */
  async createStandby(): Promise<PostgresNode> {
    const standby = new PostgresNode(await freePort(), folderOf());
    await program('pg_basebackup', [
      '-D',
      standby.data,
      '-d',
      this.url(),
      '-R',
      '-X',
      'stream',
      '-c',
      'fast',
      '--no-sync',
    ]);
    standby.configure([`port = ${standby.port}`]);
    await standby.start();
    return standby;
  }

  /** Starts, and waits until it answers. */
  async start(): Promise<void> {
    const [file, ...rest] = asPostgres(binary('postgres'));
    this.child = spawn(file, [...rest, '-D', this.data, '-k', '', '-h', '127.0.0.1'], { stdio: 'ignore' });
    await until(async () => {
      try {
        await this.query('select 1');
        return true;
      } catch {
        return undefined;
      }
    });
  }

  /** Stops as an operator does: standbys receive all that was written. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    await program('pg_ctl', ['-D', this.data, '-m', 'fast', '-w', 'stop']);
    await closed;
  }

  async promote(): Promise<void> {
    await program('pg_ctl', ['-D', this.data, '-w', 'promote']);
  }

  /** Starts the stopped server again as a standby of another one. */
  async follow(primary: PostgresNode): Promise<void> {
    writeFileSync(join(this.data, 'standby.signal'), '');
    this.configure([`primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'`]);
    await this.start();
  }

  async query<Row extends pg.QueryResultRow>(text: string, database?: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url(database) });
    await client.connect();
    try {
      const { rows } = await client.query<Row>(text);
      return rows;
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private configure(settings: readonly string[]): void {
    appendFileSync(join(this.data, 'postgresql.conf'), `\n${settings.join('\n')}\n`);
  }
}

function binary(name: string): string {
  const folder = findServer();
  if (folder === undefined) throw new Error('no PostgreSQL server is installed');
  return join(folder, name);
}

async function program(name: string, args: readonly string[]): Promise<void> {
  const [file, ...rest] = asPostgres(binary(name));
  await run(file, [...rest, ...args], { cwd: tmpdir() });
}

const isRoot = process.getuid?.() === 0;

/** The server refuses to run as root. */
function asPostgres(file: string): [string, ...string[]] {
  return isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', file] : [file];
}

function folderOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'traffy-postgres-'));
  if (isRoot) {
    const id = (kind: string) => Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }));
    chownSync(folder, id('-u'), id('-g'));
  }
  return folder;
}
