import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { DatabaseConfig } from '../../config/database.config.js';
import { ENTITIES } from '../../src/entities.js';
import { MIGRATIONS_TABLE } from '../../src/platform/database/migrations-table.js';
import { openDatabase } from '../../src/platform/database/open.database.js';

/** The servers that a run was given; none for the embedded database. */
declare const testServers: { readonly databaseUrl?: string; readonly redisUrl?: string };

export const onServer = testServers.databaseUrl !== undefined;
export const redisUrl = testServers.redisUrl;
export const serverUrl = testServers.databaseUrl;

/** A migrated, empty database of its own, as settings for the application. */
export interface TestDatabase {
  readonly env: Readonly<Record<string, string>>;
  /** The data folder, on either kind. */
  readonly dataDir: string;
  drop(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');

/** Linux keeps this in memory; to copy the thousand files of a database to a disk takes ten times as long. */
const MEMORY = '/dev/shm';
/** Bytes that must be free there; containers often have too little. */
const MEMORY_MIN = 4 * 2 ** 30;
const dataRoot = hasMemory() ? MEMORY : tmpdir();

function hasMemory(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= MEMORY_MIN;
}

/** PostgreSQL clears its shared buffers at each opening: the default of 128 MB takes half of that time. */
const EMBEDDED_SETTINGS = '\nshared_buffers = 4MB\n';

/** `template1` and `template0`: two thirds of the files, and no test creates a database from them. */
const UNUSED_DATABASES = ['1', '4'];

/** The settings of the embedded database in a folder. */
export function embeddedIn(dataDir: string): DatabaseConfig {
  return {
    DATA_DIR: dataDir,
    DATABASE_URL: undefined,
    DATABASE_DIRECT_URL: undefined,
    DATABASE_POOL_SIZE: 2,
  };
}

/** Copies a template that is migrated once for each state of the migrations. */
export function createTestDatabase(): Promise<TestDatabase> {
  return create(
    async (dataDir) => cpSync(await embeddedTemplate(), join(dataDir, 'postgres'), { recursive: true }),
    serverTemplate,
  );
}

/** An empty database without a schema: what a first start finds. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create(
    async () => undefined,
    async () => 'template0',
  );
}

/** A database of its own: a data folder that `fill` prepared, or one on the server that `templateOf` names. */
async function create(
  fill: (dataDir: string) => Promise<void>,
  templateOf: (server: string) => Promise<string>,
): Promise<TestDatabase> {
  const dataDir = mkdtempSync(join(dataRoot, 'traffy-test-'));
  const removeData = () => rmSync(dataDir, { recursive: true, force: true });
  const { databaseUrl: server } = testServers;
  if (server === undefined) {
    await fill(dataDir);
    return { env: { DATA_DIR: dataDir }, dataDir, drop: async () => removeData() };
  }
  const template = await templateOf(server);
  const name = `traffy_test_${randomBytes(6).toString('hex')}`;
  await administer(server, `create database ${name} template ${template}`);
  const drop = async () => {
    removeData();
    await administer(server, `drop database if exists ${name} with (force)`);
  };
  return { env: { DATA_DIR: dataDir, DATABASE_URL: withDatabase(server, name) }, dataDir, drop };
}

/** Runs one statement on the server itself. */
export async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function embeddedTemplate(): Promise<string> {
  const cache = join(root, 'node_modules', '.cache', 'traffy-test');
  const template = join(cache, `embedded-small-${migrationsHash()}`);
  if (existsSync(template)) return template;
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, 'draft-'));
  await migrate(embeddedIn(draft));
  appendFileSync(join(draft, 'postgres', 'postgresql.conf'), EMBEDDED_SETTINGS);
  for (const id of UNUSED_DATABASES)
    rmSync(join(draft, 'postgres', 'base', id), { recursive: true, force: true });
  try {
    renameSync(join(draft, 'postgres'), template);
  } catch (error) {
    // Another worker was quicker; its template is as good.
    if (!existsSync(template)) throw error;
  }
  rmSync(draft, { recursive: true, force: true });
  return template;
}

async function serverTemplate(server: string): Promise<string> {
  const template = `traffy_template_${migrationsHash()}`;
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(7236339202)');
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template]);
    if (rowCount) return template;
    const draft = `${template}_draft`;
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft} template template0`);
    await migrate({
      ...embeddedIn(tmpdir()),
      DATABASE_URL: withDatabase(server, draft),
    });
    await client.query(`alter database ${draft} rename to ${template}`);
    return template;
  } finally {
    await client.end();
  }
}

async function migrate(config: DatabaseConfig): Promise<void> {
  const { close } = await openDatabase(config, ENTITIES, () => undefined);
  await close();
}

function migrationsHash(): string {
  const folder = join(root, 'src', 'platform', 'database', 'migrations');
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(MIGRATIONS_TABLE);
  for (const file of readdirSync(folder).toSorted()) hash.update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
