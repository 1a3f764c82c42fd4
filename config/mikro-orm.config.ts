import { join } from 'node:path';
import type { Options } from '@mikro-orm/core';
import type { PoolConfig, TypeOverrides } from 'pg';
import { COLUMN_PARSERS } from './column-types.config.js';
import type { DatabaseConfig } from './database.config.js';

/** Time limits of PostgreSQL, in milliseconds, after which a request is answered 503. */
const DATABASE_TIMEOUTS = {
  connect: 2_000,
  lock: 3_000,
  statement: 5_000,
  query: 6_000,
  idle: 10_000,
};

/** The same for connections outside the pool, which must notice quickly that they are dead. */
export const CHANNEL_TIMEOUTS = { connect: 1_000, query: 1_500 };

/** Seconds after which a connection of the pool is replaced: it may lead to a server that was replaced. */
const LIFETIME = 60;

/** PGlite in DATA_DIR. Loaded here, so that production runs without the embedded database. */
export async function embeddedOptions(config: DatabaseConfig): Promise<Partial<Options>> {
  const { PgliteDriver } = await import('@mikro-orm/pglite');
  return {
    driver: PgliteDriver as Driver,
    dbName: join(config.DATA_DIR, 'postgres'),
    driverOptions: { parsers: COLUMN_PARSERS },
  };
}

/** How the pool of a server connects. */
export interface PoolOptions {
  readonly database: string;
  /** The class of its connections, which knows the server. */
  readonly client: unknown;
  /** Called with each new connection; its failure closes the connection. */
  readonly onConnect?: PoolConfig['onConnect'];
}

/**
 * A PostgreSQL server.
 *
 * @param limits `none` for migrations, which can wait for a lock or build an index.
 */
export async function serverOptions(
  config: DatabaseConfig,
  limits: 'request' | 'none',
  { database, client, onConnect }: PoolOptions,
): Promise<Partial<Options>> {
  const { PostgreSqlDriver } = await import('@mikro-orm/postgresql');
  return {
    driver: PostgreSqlDriver as Driver,
    dbName: database,
    // A mistyped name is an error, not a new and empty database.
    ensureDatabase: false,
    // A migration runs on one connection while another one holds the advisory lock.
    pool: { min: 0, max: limits === 'none' ? 2 : config.DATABASE_POOL_SIZE },
    driverOptions: {
      Client: client,
      types: await columnTypes(),
      application_name: 'traffy',
      keepAlive: true,
      connectionTimeoutMillis: DATABASE_TIMEOUTS.connect,
      ...(onConnect && { onConnect }),
      ...(limits === 'request' && {
        maxLifetimeSeconds: LIFETIME,
        query_timeout: DATABASE_TIMEOUTS.query,
        statement_timeout: DATABASE_TIMEOUTS.statement,
        lock_timeout: DATABASE_TIMEOUTS.lock,
        idle_in_transaction_session_timeout: DATABASE_TIMEOUTS.idle,
      }),
    },
  };
}

/** How the driver reads columns, the same as on the embedded database. */
export async function columnTypes(): Promise<TypeOverrides> {
  const { default: pg } = await import('pg');
  const types = new pg.TypeOverrides();
  for (const [oid, parse] of Object.entries(COLUMN_PARSERS)) types.setTypeParser(Number(oid), parse);
  return types;
}

type Driver = NonNullable<Options['driver']>;
