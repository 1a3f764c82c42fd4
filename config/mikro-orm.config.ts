import { join } from 'node:path';
import type { Options } from '@mikro-orm/core';
import type { Client } from 'pg';
import type { DatabaseConfig } from './database.config.js';

/** How long PostgreSQL may take before a request is answered 503, in milliseconds. */
export const DATABASE_TIMEOUTS = {
  connect: 2_000,
  lock: 3_000,
  statement: 5_000,
  query: 6_000,
  idle: 10_000,
};

/** The same, in milliseconds, for the connection on which revocations are heard: it must notice quickly that it is dead. */
export const CHANNEL_TIMEOUTS = { connect: 1_000, query: 1_500 };

/**
 * The driver and its options: PostgreSQL for a DATABASE_URL, else PGlite in DATA_DIR. Each is loaded only when it
 * is the one, so that production runs without the embedded database.
 *
 * @param limits `none` for migrations, which may have to wait for a lock or build an index.
 */
export async function databaseOptions(
  config: DatabaseConfig,
  limits: 'request' | 'none' = 'request',
): Promise<Partial<Options>> {
  if (config.DATABASE_URL === undefined) {
    const { PgliteDriver } = await import('@mikro-orm/pglite');
    return { driver: PgliteDriver as Driver, dbName: join(config.DATA_DIR, 'postgres') };
  }
  const { PostgreSqlDriver } = await import('@mikro-orm/postgresql');
  const url = (limits === 'none' && config.DATABASE_DIRECT_URL) || config.DATABASE_URL;
  return {
    driver: PostgreSqlDriver as Driver,
    dbName: databaseName(url),
    // A name that was mistyped is an error, not a new and empty database.
    ensureDatabase: false,
    // A migration runs in one connection while another holds the advisory lock.
    pool: { min: 0, max: limits === 'none' ? 2 : config.DATABASE_POOL_SIZE },
    driverOptions: {
      Client: await impatientClient(),
      // Read by the driver itself: MikroORM would drop what stands behind the question mark, TLS included.
      connectionString: url,
      application_name: 'traffy',
      keepAlive: true,
      connectionTimeoutMillis: DATABASE_TIMEOUTS.connect,
      ...(limits === 'request' && {
        query_timeout: DATABASE_TIMEOUTS.query,
        statement_timeout: DATABASE_TIMEOUTS.statement,
        lock_timeout: DATABASE_TIMEOUTS.lock,
        idle_in_transaction_session_timeout: DATABASE_TIMEOUTS.idle,
      }),
    },
  };
}

/**
 * A client that gives up its connection when an answer does not come in time. The driver alone would hand it on
 * while the old question stands, and whoever gets it next would wait behind that.
 */
async function impatientClient(): Promise<typeof Client> {
  const { default: pg } = await import('pg');
  return class extends pg.Client {
    // Overloads cannot be written again one by one: what comes in goes on as it is.
    override query(...parameters: unknown[]): never {
      const answer: unknown = (super.query as (...all: unknown[]) => unknown).apply(this, parameters);
      if (answer instanceof Promise) {
        answer.catch((error: unknown) => {
          if (error instanceof Error && error.message === 'Query read timeout')
            this.connection.stream.destroy();
        });
      }
      return answer as never;
    }
  };
}

function databaseName(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

type Driver = NonNullable<Options['driver']>;
