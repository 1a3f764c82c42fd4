import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { AUDIT_FUNCTIONS, AUDIT_TRIGGERS } from '../src/audit/audit.triggers.js';
import { REVOCATION_FUNCTIONS, REVOCATION_TRIGGERS } from '../src/auth/revocation/revocation.triggers.js';
import { SESSION_FUNCTIONS, SESSION_TRIGGERS } from '../src/auth/sessions/session.triggers.js';
import type { Queries } from '../src/platform/database/database.js';
import { USER_TRIGGERS } from '../src/users/user.triggers.js';
import { openShared } from './support/app.js';

const FUNCTIONS = { ...AUDIT_FUNCTIONS, ...REVOCATION_FUNCTIONS, ...SESSION_FUNCTIONS };
/** By the table that each stands on. */
const TRIGGERS = {
  audit_events: AUDIT_TRIGGERS,
  revocations: REVOCATION_TRIGGERS,
  sessions: SESSION_TRIGGERS,
  users: USER_TRIGGERS,
};

let shared: Awaited<ReturnType<typeof openShared>>;

beforeAll(async () => {
  shared = await openShared();
});
afterAll(() => shared.close());

/** The functions and triggers of a schema, as PostgreSQL writes them, without the name of the schema. */
async function definitionsIn(tx: Queries, schema: string): Promise<Record<string, string>> {
  const rows = await tx.query(
    sql<{ name: string; definition: string }>`
      select p.proname as name, pg_get_functiondef(p.oid) as definition
        from pg_proc p where p.pronamespace = ${schema}::regnamespace and p.prokind <> 'a'
      union all
      select c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
        from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = ${schema}::regnamespace and not t.tgisinternal`,
  );
  return Object.fromEntries(
    rows.map(({ name, definition }) => [name, definition.replaceAll(`${schema}.`, '')]),
  );
}

/** Runs `work` where the functions and triggers of the source stand in a schema of their own; leaves nothing. */
async function withSource(work: (tx: Queries, schema: string) => Promise<void>): Promise<void> {
  const rollback = new Error('rollback');
  const outcome = shared.running.database.database.transaction(async (tx) => {
    await tx.query(sql`create schema source_of_triggers`);
    await tx.query(sql`set local search_path to source_of_triggers, public`);
    for (const definition of Object.values(FUNCTIONS)) await tx.query(sql.raw(definition));
    for (const [table, triggers] of Object.entries(TRIGGERS)) {
      await tx.query(
        sql`create table ${sql.id('source_of_triggers', table)} (like ${sql.id('public', table)})`,
      );
      for (const definition of Object.values(triggers)) await tx.query(sql.raw(definition));
    }
    await work(tx, 'source_of_triggers');
    throw rollback;
  });
  await expect(outcome).rejects.toBe(rollback);
}

test('the database has exactly the functions and triggers of the source', () =>
  withSource(async (tx, schema) => {
    const inSource = await definitionsIn(tx, schema);
    expect(await definitionsIn(tx, 'public')).toEqual(inSource);
  }));

test('each function and trigger has the name of its key in the source', () =>
  withSource(async (tx, schema) => {
    const names = [
      ...Object.keys(FUNCTIONS),
      ...Object.entries(TRIGGERS).flatMap(([table, triggers]) =>
        Object.keys(triggers).map((name) => `${table}.${name}`),
      ),
    ];
    expect(Object.keys(await definitionsIn(tx, schema)).toSorted()).toEqual(names.toSorted());
  }));
