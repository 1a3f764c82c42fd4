import type { Client } from 'pg';
import { DatabaseUnfit } from './database-unfit.js';
import type { SessionSettings } from './postgres-server.js';

/**
 * What the code relies on, in all sessions. A server, a database and a role can have other defaults. Anything here can be
 * set by every role.
 */
const REQUIRED: Readonly<Record<string, string>> = {
  array_nulls: 'on',
  bytea_output: 'hex',
  DateStyle: 'ISO, MDY',
  default_transaction_deferrable: 'off',
  // Statements that wait for a lock then see the row as it is, and decide on that.
  default_transaction_isolation: 'read committed',
  extra_float_digits: '1',
  IntervalStyle: 'postgres',
  row_security: 'on',
  standard_conforming_strings: 'on',
  TimeZone: 'UTC',
  transform_null_equals: 'off',
};

/** Time limits that end a migration, or the connection of the feed. Older servers do not have all of them. */
const UNLIMITED = [
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'statement_timeout',
  'transaction_timeout',
];

const OLDEST_VERSION = 130_000;

/** The settings of a session as its server decides them. */
export interface SessionFacts {
  readonly values: ReadonlyMap<string, string>;
  /** The schema where a new table would be created, if any. */
  readonly schema: string | null;
}

/** Reads the settings of a session. */
export async function readSession(client: Client): Promise<SessionFacts> {
  const settings = await client.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings',
  );
  const { rows } = await client.query<{ schema: string | null }>('select current_schema() as schema');
  return {
    values: new Map(settings.rows.map(({ name, setting }) => [name, setting])),
    schema: rows[0]?.schema ?? null,
  };
}

/** @throws DatabaseUnfit if the server or the role has a setting that Traffy cannot work with and cannot change. */
export function assertFit({ values }: SessionFacts): void {
  const problem = problemOf(values);
  if (problem !== null) throw new DatabaseUnfit(`the database cannot be used: ${problem}`);
}

function problemOf(values: ReadonlyMap<string, string>): string | null {
  const version = Number(values.get('server_version_num'));
  if (version < OLDEST_VERSION)
    return `it runs PostgreSQL ${values.get('server_version')}; 13 or newer is needed`;
  const encoding = values.get('server_encoding');
  if (encoding !== 'UTF8')
    return `its encoding is ${encoding}, which cannot store every letter; create another: create database … encoding 'UTF8' template template0`;
  if (values.get('in_hot_standby') === 'on')
    return 'it is a standby, which cannot be written; DATABASE_URL must name the primary';
  if (values.get('default_transaction_read_only') === 'on')
    return 'default_transaction_read_only is on for this server, database or role; turn it off';
  if (values.get('session_replication_role') === 'replica')
    return 'session_replication_role is replica, so that triggers do not run; reset it for this database or role';
  return null;
}

/**
 * Finds the schema of the tables.
 *
 * @param named the schema that DATABASE_URL names.
 * @throws DatabaseUnfit
 */
export async function findSchema(
  client: Client,
  { schema }: SessionFacts,
  named: string | null,
): Promise<string> {
  if (named !== null) {
    const { rowCount } = await client.query('select 1 from pg_namespace where nspname = $1', [named]);
    if (!rowCount)
      throw new DatabaseUnfit(
        `the schema ${JSON.stringify(named)} of DATABASE_URL does not exist; create it: create schema ${client.escapeIdentifier(named)}`,
      );
    return named;
  }
  // Tables of an earlier start stay where they are, even if a schema that comes first was created since.
  const { rows } = await client.query<{ schema: string }>(
    `select n.nspname as schema from unnest(current_schemas(false)) with ordinality as path (name, position)
      join pg_namespace n on n.nspname = path.name
      join pg_class c on c.relnamespace = n.oid
      where c.relkind = 'r' and c.relname = any (array['traffy_migrations', 'migrations', 'signing_keys'])
      group by n.nspname, path.position
      having bool_or(c.relname = 'traffy_migrations') or count(*) = 2
      order by path.position limit 1`,
  );
  const found = rows[0]?.schema ?? schema;
  if (found !== null) return found;
  throw new DatabaseUnfit(
    'the database has no schema on the search_path of this role to create tables in; create one, such as: create schema public',
  );
}

/** The settings of connections that reach the server directly. */
export function directSettings(
  facts: SessionFacts,
  schema: string,
  limits: 'request' | 'none',
): SessionSettings {
  const wanted = new Map(Object.entries({ ...REQUIRED, ...durability(facts), search_path: quoted(schema) }));
  const unlimited = limits === 'none' ? UNLIMITED : ['idle_session_timeout'];
  for (const name of unlimited) wanted.set(name, '0');
  const options = [...wanted]
    .filter(([name]) => facts.values.has(name))
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, '\\$&')}`);
  return { options: options.join(' '), local: '' };
}

/** The settings of connections through a transaction pooler: only those that its sessions do not have. */
export function pooledSettings(facts: SessionFacts, schema: string): SessionSettings {
  const wanted = Object.entries({ ...REQUIRED, ...durability(facts) });
  const differing = wanted.filter(
    ([name, value]) => facts.values.has(name) && facts.values.get(name) !== value,
  );
  if (facts.schema !== schema) differing.push(['search_path', quoted(schema)]);
  // `set local default_transaction_isolation` has no effect on its own transaction: BEGIN names the level.
  const local = differing.map(([name, value]) => `set local ${name} to ${literal(name, value)}`);
  return { options: '', local: local.join('; ') };
}

/** What was answered must be durable. Stricter values than `on` are the operator's choice. */
function durability({ values }: SessionFacts): Readonly<Record<string, string>> {
  return values.get('synchronous_commit') === 'off' ? { synchronous_commit: 'on' } : {};
}

function literal(name: string, value: string): string {
  return name === 'search_path' ? value : `'${value}'`;
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
