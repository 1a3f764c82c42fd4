import type { MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { RawBuilder } from 'kysely';
import type { OpenChannel } from './notification-channel.js';
import { assertWritable, type PostgresServer } from './postgres-server.js';

/** Milliseconds after which a channel is opened again: its address can lead to another server since. */
const LIFETIME = 300_000;

/** Channels of a PostgreSQL server: each is a connection outside the pool. */
export function serverChannels(server: PostgresServer, orm: MikroORM): OpenChannel {
  return async (name, listener) => {
    const client = await server.connect('traffy-feed');
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
    setTimeout(lost, LIFETIME).unref();
    try {
      await assertWritable(client);
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
 * @param query runs a statement when the connection is free.
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
