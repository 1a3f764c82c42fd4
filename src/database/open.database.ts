import { MikroORM, type EntityClass, type Options } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { sql } from 'kysely';
import type { DatabaseConfig } from '../../config/database.config.js';
import { databaseOptions } from '../../config/mikro-orm.config.js';
import { lockDataDirectory, makePrivateFolder } from './data-directory.lock.js';
import { Database } from './database.js';
import { embeddedChannels, serverChannels } from './open-channel.js';
import { InitialMigration } from './migrations/20261122000000-initial.migration.js';
import { AccountsMigration } from './migrations/20261122200000-accounts.migration.js';
import { ManyNodesMigration } from './migrations/20261122150000-many-nodes.migration.js';
import { GrowthMigration } from './migrations/20261126200000-growth.migration.js';

/** Every migration in order. They only add: an older node keeps working on a newer schema. */
const MIGRATIONS = [
  { name: '20261122000000-initial', class: InitialMigration },
  { name: '20261122150000-many-nodes', class: ManyNodesMigration },
  { name: '20261122200000-accounts', class: AccountsMigration },
  { name: '20261126200000-growth', class: GrowthMigration },
];

/** Any number will do, as long as every version takes the same: the key of the migration lock. */
const MIGRATION_LOCK = 7_236_339_201;

export interface OpenDatabase {
  readonly orm: MikroORM;
  readonly database: Database;
  close(): Promise<void>;
}

/**
 * Connects to the database and brings its schema up to date.
 *
 * @param tell hears what is happening, for a person who waits.
 * @throws DataDirectoryHeld, DataDirectoryUnusable, or the driver's error when the server cannot be reached.
 */
export async function openDatabase(
  config: DatabaseConfig,
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  return config.DATABASE_URL === undefined
    ? openEmbedded(config, entities, tell)
    : openServer(config, entities, tell);
}

async function openEmbedded(
  config: DatabaseConfig,
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  const lock = await lockDataDirectory(config.DATA_DIR);
  try {
    tell(`opening the embedded PostgreSQL in ${config.DATA_DIR} (the first time takes some seconds)`);
    const options = await databaseOptions(config);
    if (options.dbName !== undefined) makePrivateFolder(options.dbName);
    const orm = await MikroORM.init(withEntities(options, entities));
    await migrate(orm, tell);
    const database: Database = new Database(
      orm,
      embeddedChannels(orm, (statement) => database.query(statement)),
    );
    // The lock says that nobody else serves on it: what stands there was left by a process that was killed.
    await database.query(sql`delete from nodes`);
    const close = async () => {
      await database.close();
      lock.release();
    };
    return { orm, database, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openServer(
  config: DatabaseConfig,
  entities: EntityClass<object>[],
  tell: (progress: string) => void,
): Promise<OpenDatabase> {
  tell('connecting to PostgreSQL');
  const migrator = await MikroORM.init(withEntities(await databaseOptions(config, 'none'), entities));
  try {
    // Nodes that start at once queue here: the first migrates, the others find nothing to do.
    await new Database(migrator, serverChannels(config, migrator)).transaction(async (tx) => {
      await tx.query(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      await migrate(migrator, tell);
    });
  } finally {
    await migrator.close();
  }
  const orm = await MikroORM.init(withEntities(await databaseOptions(config), entities));
  const database = new Database(orm, serverChannels(config, orm));
  return { orm, database, close: () => database.close() };
}

async function migrate(orm: MikroORM, tell: (progress: string) => void): Promise<void> {
  const pending = await orm.migrator.getPending();
  if (pending.length === 0) return;
  tell(`migrating the database (${pending.length} to go)`);
  await orm.migrator.up();
}

function withEntities(options: Partial<Options>, entities: EntityClass<object>[]): Partial<Options> {
  return {
    ...options,
    entities,
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, snapshot: false, tableName: 'migrations' },
    // Statements and their parameters never reach a log: they carry hashes and addresses.
    debug: false,
    logger: () => undefined,
  };
}
