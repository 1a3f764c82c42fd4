import type { MikroORM } from '@mikro-orm/core';
import { Database } from './database.js';
import { embeddedChannels } from './open-channel.js';

/** Makes the database of an open embedded connection. */
export function embeddedDatabase(orm: MikroORM): Database {
  const database: Database = new Database(
    orm,
    embeddedChannels(orm, (statement) => database.query(statement)),
    () => closeBetweenStatements(orm),
  );
  return database;
}

/** Closes PGlite while no statement runs: closed during a statement, it would never return and block the process. */
async function closeBetweenStatements(orm: MikroORM): Promise<void> {
  const connection = orm.em.getConnection() as unknown as { getNativeClient(): Promise<Client> };
  const client = await connection.getNativeClient();
  await client.runExclusive(() => orm.close());
}

/** The part of PGlite that is used here. */
interface Client {
  runExclusive(work: () => Promise<void>): Promise<void>;
}
