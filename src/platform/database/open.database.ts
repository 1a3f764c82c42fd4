import { MikroORM, type EntityClass, type Options } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { sql } from 'kysely';
import type { DatabaseConfig } from '../../../config/database.config.js';
import { embeddedOptions, serverOptions } from '../../../config/mikro-orm.config.js';
import { lockDataDirectory, makePrivateFolder } from './data-directory.lock.js';
import { Database } from './database.js';
import { embeddedDatabase } from './embedded.database.js';
import { adoptMigrations, MIGRATIONS_TABLE } from './migrations-table.js';
import { serverChannels } from './open-channel.js';
import { reachServer, watchServer } from './open-server.js';
import { assertWritable } from './postgres-server.js';
import { InitialMigration } from './migrations/20261122000000-initial.migration.js';
import { AccountsMigration } from './migrations/20261122200000-accounts.migration.js';
import { ManyNodesMigration } from './migrations/20261122150000-many-nodes.migration.js';
import { GrowthMigration } from './migrations/20261126200000-growth.migration.js';
import { RowsMigration } from './migrations/20261129020000-rows.migration.js';
import { CredsMigration } from './migrations/20261129030000-creds.migration.js';
import { PagesMigration } from './migrations/20261129110000-pages.migration.js';

/** Every migration in order. Migrations only add: an older node keeps working on a newer schema. */
const MIGRATIONS = [
  { name: '20261122000000-initial', class: InitialMigration },
  { name: '20261122150000-many-nodes', class: ManyNodesMigration },
  { name: '20261122200000-accounts', class: AccountsMigration },
  { name: '20261126200000-growth', class: GrowthMigration },
  { name: '20261129020000-rows', class: RowsMigration },
  { name: '20261129030000-creds', class: CredsMigration },
  { name: '20261129110000-pages', class: PagesMigration },
];

/** Key of the advisory lock of migrations: any number, the same in every version. */
const MIGRATION_LOCK = 7_236_339_201;

export interface OpenDatabase {
  readonly orm: MikroORM;
  readonly database: Database;
  /** Whether no other process can open it: true for the embedded database, whose directory is locked. */
  readonly isExclusive: boolean;
  close(): Promise<void>;
}

/**
 * Connects to the database and migrates its schema.
 *
 * @param tell reports progress to the operator.
 * @throws DataDirectoryHeld, DataDirectoryUnusable, or the driver's error if the server is unreachable.
 */
export async function openDatabase(
  config: DatabaseConfig,
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  const { DATABASE_URL } = config;
  return DATABASE_URL === undefined
    ? openEmbedded(config, entities, tell)
    : openServer({ ...config, DATABASE_URL }, entities, tell);
}

async function openEmbedded(
  config: DatabaseConfig,
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  const lock = await lockDataDirectory(config.DATA_DIR);
  try {
    tell(`opening the embedded PostgreSQL in ${config.DATA_DIR} (the first time takes some seconds)`);
    const options = await embeddedOptions(config);
    if (options.dbName !== undefined) makePrivateFolder(options.dbName);
    const orm = await MikroORM.init(withEntities(options, entities));
    const database = embeddedDatabase(orm);
    await migrate(orm, database, tell);
    const close = async () => {
      await database.close();
      lock.release();
    };
    return { orm, database, isExclusive: true, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openServer(
  config: DatabaseConfig & { readonly DATABASE_URL: string },
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  tell('connecting to PostgreSQL');
  const ways = await reachServer(config);
  const { pool, direct, schema } = ways;
  const { database: dbName } = pool.url;
  const migrations = await serverOptions(config, 'none', {
    database: direct.url.database,
    client: direct.Client,
  });
  const migrator = await MikroORM.init(withEntities(migrations, entities, schema));
  try {
    const database = new Database(migrator, serverChannels(direct, migrator));
    // Concurrent starts queue here: the first migrates, the others find nothing to do.
    await database.transaction(async (tx) => {
      await tx.query(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      await migrate(migrator, database, tell);
    });
  } finally {
    await migrator.close();
  }
  const options = { database: dbName, client: pool.Client, onConnect: assertWritable };
  const orm = await MikroORM.init(
    withEntities(await serverOptions(config, 'request', options), entities, schema),
  );
  const database = new Database(orm, serverChannels(direct, orm), () => orm.close(), watchServer(ways));
  return { orm, database, isExclusive: false, close: () => database.close() };
}

async function migrate(orm: MikroORM, database: Database, tell: (progress: string) => void): Promise<void> {
  const tables = [...orm.getMetadata().getAll().values()].map(({ tableName }) => tableName);
  await adoptMigrations(
    database,
    MIGRATIONS.map(({ name }) => name),
    tables,
  );
  const pending = await orm.migrator.getPending();
  if (pending.length === 0) return;
  tell(`migrating the database (${pending.length} to go)`);
  await orm.migrator.up();
}

/** @param schema of the tables; on the embedded database the default. */
function withEntities(
  options: Partial<Options>,
  entities: EntityClass<object>[],
  schema?: string,
): Partial<Options> {
  return {
    ...options,
    ...(schema !== undefined && { schema }),
    entities,
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, snapshot: false, tableName: MIGRATIONS_TABLE },
    // Never log statements or parameters: they contain hashes and addresses.
    debug: false,
    logger: () => undefined,
  };
}
