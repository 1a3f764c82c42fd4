/*
 * What must not compile: `npm run types` fails where a line below compiles after all. Nothing here runs.
 */
import { sql } from 'kysely';
import type { SessionsTables } from '../src/auth/sessions/sessions.tables.js';
import type { Columns } from '../src/platform/database/columns.js';
import type { Queries } from '../src/platform/database/database.js';
import { ExpiredRows } from '../src/platform/retention/expired-rows.js';
import type { UsersTables } from '../src/users/users.tables.js';

export async function refusesWrongNames(tx: Queries): Promise<void> {
  const users = tx.of<UsersTables>();
  await users.selectFrom('users').select('id').execute();
  // @ts-expect-error there is no such table
  await users.selectFrom('user').selectAll().execute();
  // @ts-expect-error `sessions` is a table of another room
  await users.selectFrom('sessions').selectAll().execute();
  // @ts-expect-error there is no such column
  await users.selectFrom('users').select('emailCanonical').execute();
  // @ts-expect-error there is no such column
  await users.selectFrom('users').select('id').where('mail', '=', 'a@example.com').execute();
  // @ts-expect-error there is no such column
  await users.updateTable('users').set({ mail: 'a@example.com' }).execute();
  // @ts-expect-error without tables there is nothing to select from
  await tx.of().selectFrom('users').selectAll().execute();
  await tx
    .of<UsersTables & SessionsTables>()
    .selectFrom('users')
    .innerJoin('sessions', 'sessions.user_id', 'users.id')
    .select(['users.email', 'sessions.ip'])
    .execute();
}

export async function refusesWrongValues(tx: Queries): Promise<void> {
  const users = tx.of<UsersTables>();
  // @ts-expect-error a time is a Date
  await users.updateTable('users').set({ disabled_at: '2026-11-22' }).execute();
  // @ts-expect-error it must not be null
  await users.updateTable('users').set({ email: null }).execute();
  // @ts-expect-error there is no such role
  await users.updateTable('users').set({ role: 'root' }).execute();
  // @ts-expect-error `email` has no default
  await users.insertInto('users').values({ id: 'id', email_canonical: 'a@example.com' }).execute();
}

export async function typesRows(tx: Queries): Promise<void> {
  const [user] = await tx.of<UsersTables>().selectFrom('users').select(['created_at', 'name']).execute();
  const since: Date | undefined = user?.created_at;
  // @ts-expect-error it may be null
  const name: string | undefined = user?.name;
  const [row] = await tx.query(sql<Columns<UsersTables, 'users', 'id'>>`select id from users`);
  const id: string | undefined = row?.id;
  // @ts-expect-error there is no such column
  const rows = await tx.query(sql<Columns<UsersTables, 'users', 'mail'>>`select mail from users`);
  void [since, name, id, rows];
}

export function refusesWrongRowsToDelete(): void {
  void new ExpiredRows<UsersTables>({ table: 'imports', key: ['id'], by: 'created_at', isOver: sql`true` });
  // @ts-expect-error there is no such column
  void new ExpiredRows<UsersTables>({ table: 'imports', key: ['id'], by: 'expires_at', isOver: sql`true` });
}
