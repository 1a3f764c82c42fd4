import { sql } from 'kysely';
import { DatabaseUnfit } from './database-unfit.js';
import type { Database } from './database.js';

/** Records which migrations ran. Up to version 0.1 it was `migrations`, a name that other software uses too. */
export const MIGRATIONS_TABLE = 'traffy_migrations';

/**
 * Copies what an older version recorded. Its table stays, so that the older version still starts.
 *
 * @param migrations the names of all migrations.
 * @param tables the names of all tables of the schema.
 * @throws DatabaseUnfit at a first start, if tables of others have these names.
 */
export async function adoptMigrations(
  database: Database,
  migrations: readonly string[],
  tables: readonly string[],
): Promise<void> {
  if ((await existing(database, [MIGRATIONS_TABLE])).length > 0) return;
  if (await hasOldRecords(database, migrations)) {
    await database.transaction(async (tx) => {
      await tx.query(
        sql`create table ${sql.id(MIGRATIONS_TABLE)} (id serial primary key, name varchar(255) not null, executed_at timestamptz not null default current_timestamp)`,
      );
      await tx.query(
        sql`insert into ${sql.id(MIGRATIONS_TABLE)} (name, executed_at) select name, executed_at from migrations
            where name = any(${[...migrations]}::text[]) order by id`,
      );
    });
    return;
  }
  const taken = await existing(database, tables);
  if (taken.length === 0) return;
  throw new DatabaseUnfit(
    `the schema has tables of another application: ${taken.join(', ')}; use a database of its own, or an empty schema with DATABASE_URL=…?schema=name`,
  );
}

async function hasOldRecords(database: Database, migrations: readonly string[]): Promise<boolean> {
  const columns = await database.query(
    sql`select 1 from information_schema.columns where table_schema = current_schema() and table_name = 'migrations'
        and column_name = any(array['id', 'name', 'executed_at'])`,
  );
  if (columns.length < 3) return false;
  const rows = await database.query(
    sql`select 1 from migrations where name::text = any(${[...migrations]}::text[]) limit 1`,
  );
  return rows.length > 0;
}

/** Which of these names are taken in the schema. */
async function existing(database: Database, names: readonly string[]): Promise<string[]> {
  const rows = await database.query(
    sql<{
      name: string;
    }>`select relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = current_schema() and relkind <> 'i' and relname = any(${[...names]}::text[]) order by relname`,
  );
  return rows.map(({ name }) => name);
}
