import type { MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { RawBuilder } from 'kysely';
import type { DatabaseConfig } from '../../config/database.config.js';
import { CHANNEL_TIMEOUTS, databaseOptions } from '../../config/mikro-orm.config.js';
import type { OpenChannel } from './notification-channel.js';

/** Channels of a PostgreSQL server: each is a connection outside the pool. */
export function serverChannels(config: DatabaseConfig, orm: MikroORM): OpenChannel {
  return async (name, listener) => {
    const { driverOptions } = await databaseOptions(config);
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      ...(driverOptions as object),
      connectionString: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
      application_name: 'traffy-feed',
      connectionTimeoutMillis: CHANNEL_TIMEOUTS.connect,
      query_timeout: CHANNEL_TIMEOUTS.query,
    });
    let isClosed = false;
    const close = async () => {
      if (isClosed) return;
      isClosed = true;
      await client.end().catch(() => undefined);
    };
    const lost = () => {
      if (isClosed) return;
      void close();
      listener.lost();
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', () => listener.notified());
    try {
      await client.connect();
      await client.query(`listen ${client.escapeIdentifier(name)}`);
    } catch (error) {
      await close();
      throw error;
    }
    const kysely = (orm.em.fork() as SqlEntityManager).getKysely();
    const query = async <Row>(statement: RawBuilder<Row>): Promise<Row[]> => {
      const { sql: text, parameters } = statement.compile(kysely);
      const { rows } = await client.query(text, [...parameters]);
      return rows as Row[];
    };
    return { query, close };
  };
}

/**
 * Channels of the embedded database, which has one connection.
 *
 * @param query runs a statement when that one is free.
 */
export function embeddedChannels(
  orm: MikroORM,
  query: <Row>(statement: RawBuilder<Row>) => Promise<Row[]>,
): OpenChannel {
  return async (name, listener) => {
    const connection = orm.em.getConnection() as unknown as { getNativeClient(): Promise<Listening> };
    const unlisten = await (await connection.getNativeClient()).listen(name, () => listener.notified());
    let closing: Promise<void> | undefined;
    return { query, close: () => (closing ??= unlisten().catch(() => undefined)) };
  };
}

/** The part of PGlite that is used here. */
interface Listening {
  listen(channel: string, heard: () => void): Promise<() => Promise<void>>;
}
