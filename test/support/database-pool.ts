import { afterAll } from '@jest/globals';
import { sql } from 'kysely';
import { ENTITIES } from '../../src/entities.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/database/open.database.js';
import { createTestDatabase, embeddedIn, type TestDatabase } from './database.js';
import { keepFewParsers } from './parsers.js';

/** An embedded database that is open, migrated and empty. */
export interface PooledDatabase {
  readonly testDatabase: TestDatabase;
  readonly open: OpenDatabase;
}

/** Each one holds 128 MB. */
const MAX_IDLE = 2;

const idle: PooledDatabase[] = [];
let isOver = false;

afterAll(async () => {
  isOver = true;
  await Promise.all(idle.splice(0).map(discard));
});

/** Takes an embedded database: to empty one takes a twentieth of the time that it takes to open another. */
export async function takeDatabase(): Promise<PooledDatabase> {
  const found = idle.pop();
  if (found) return found;
  const testDatabase = await createTestDatabase();
  const open = await openDatabase(embeddedIn(testDatabase.dataDir), ENTITIES, () => undefined);
  await keepFewParsers(open.orm);
  return { testDatabase, open };
}

/** Empties a database for the next application; one that was closed or is damaged is dropped. */
export async function giveBack(pooled: PooledDatabase): Promise<void> {
  const isUsable =
    !isOver &&
    idle.length < MAX_IDLE &&
    (await empty(pooled).then(
      () => true,
      () => false,
    ));
  if (isUsable) idle.push(pooled);
  else await discard(pooled);
}

async function empty({ open: { database } }: PooledDatabase): Promise<void> {
  const tables = await database.query(
    sql<{ name: string }>`select relname as name from pg_class
        where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'traffy_migrations'`,
  );
  await database.transaction(async (tx) => {
    // Without triggers and foreign keys: an application that is gone needs no notice of its revocations.
    await tx.query(sql`set local session_replication_role = replica`);
    for (const { name } of tables) await tx.query(sql`delete from ${sql.id(name)}`);
    await tx.query(sql`select setval('revocations_seq_seq', 1, false)`);
  });
  await database.query(sql`reset all`);
}

async function discard({ open, testDatabase }: PooledDatabase): Promise<void> {
  await open.close();
  await testDatabase.drop();
}
