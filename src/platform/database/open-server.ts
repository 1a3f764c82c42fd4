import type { Client } from 'pg';
import type { DatabaseConfig } from '../../../config/database.config.js';
import { type PostgresUrl, readPostgresUrl } from '../../../config/postgres-url.config.js';
import { DatabaseProbe } from './database-probe.js';
import { NotWritable, PostgresServer, type SessionSettings } from './postgres-server.js';
import { ProbeConnection } from './probe-connection.js';
import { assertFit, directSettings, findSchema, pooledSettings, readSession } from './server-settings.js';

/** The ways to one database. */
export interface ServerWays {
  /** For requests; a transaction pooler can be in between. */
  readonly pool: PostgresServer;
  /** For migrations and LISTEN. */
  readonly direct: PostgresServer;
  readonly schema: string;
}

/**
 * Finds the server that accepts writes and the schema, and sets what every session needs.
 *
 * @throws DatabaseUnfit, or the driver's error if the server is unreachable.
 */
export async function reachServer(
  config: DatabaseConfig & { readonly DATABASE_URL: string },
): Promise<ServerWays> {
  const url = read(config.DATABASE_URL);
  const directUrl = read(config.DATABASE_DIRECT_URL ?? config.DATABASE_URL);
  const [pool, direct] = [await PostgresServer.of(url), await PostgresServer.of(directUrl)];
  await Promise.all([pool.choose(), direct.choose()]);
  const { facts, schema } = await using(direct, async (client) => {
    const found = await readSession(client);
    assertFit(found);
    return { facts: found, schema: await findSchema(client, found, url.schema ?? directUrl.schema) };
  });
  direct.settings = withOptions(directUrl, directSettings(facts, schema, 'none'));
  const isPooled = config.DATABASE_DIRECT_URL !== undefined;
  if (!isPooled) pool.settings = withOptions(url, directSettings(facts, schema, 'request'));
  const refusal = isPooled ? null : await failureOf(pool);
  if (refusal && (refusal as { code?: unknown }).code !== PROTOCOL_VIOLATION) throw refusal;
  if (isPooled || refusal) {
    pool.settings = withOptions(url, { options: '', local: '' });
    pool.settings = withOptions(url, pooledSettings(await using(pool, readSession), schema));
  }
  if (refusal) direct.settings = pool.settings;
  return { pool, direct, schema };
}

/** How PgBouncer refuses options of a session. */
const PROTOCOL_VIOLATION = '08P01';

/** Watches whether the server can write, on a connection of its own; a server that cannot loses all connections. */
export function watchServer({ pool, direct }: ServerWays): DatabaseProbe {
  const connection = new ProbeConnection(pool);
  const probe = new DatabaseProbe(
    async () => {
      try {
        await connection.assertWritable();
      } catch (error) {
        connection.drop();
        if (error instanceof NotWritable) {
          pool.evict();
          direct.evict();
        }
        await Promise.allSettled([pool.choose(), direct.choose()]);
        throw error;
      }
    },
    () => connection.close(),
  );
  // The probe's own session can have begun before the server became read-only: open another.
  pool.whenUseless(() => connection.drop());
  return probe.watch();
}

function read(text: string): PostgresUrl {
  const url = readPostgresUrl(text);
  if (typeof url === 'string') throw new TypeError(url);
  return url;
}

/** The operator's options come first: those that Traffy relies on win. */
function withOptions(url: PostgresUrl, { options, local }: SessionSettings): SessionSettings {
  return { options: [url.options, options].filter(Boolean).join(' '), local };
}

async function failureOf(server: PostgresServer): Promise<unknown> {
  try {
    await using(server, async () => undefined);
    return null;
  } catch (error) {
    return error;
  }
}

async function using<T>(server: PostgresServer, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await server.connect('traffy');
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
