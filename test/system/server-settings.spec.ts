import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import pg from 'pg';
import { ENTITIES } from '../../src/entities.js';
import { openDatabase } from '../../src/platform/database/open.database.js';
import { startApp, type TestApp } from '../support/app.js';
import {
  administer,
  createEmptyDatabase,
  createTestDatabase,
  embeddedIn,
  onServer,
  serverUrl,
  type TestDatabase,
} from '../support/database.js';
import { type Pooler, startPooler } from '../support/pooler.js';
import { freshEmail, PASSWORD, signIn } from '../support/strategies.js';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).toReversed()) await step();
});

interface Place {
  readonly database: TestDatabase;
  /** Of the administrator. */
  readonly url: string;
  readonly name: string;
}

/** An empty database, changed as `statements` say, inside it; `$db` is its name. */
async function place(statements: readonly string[], create = createEmptyDatabase): Promise<Place> {
  const database = await create();
  cleanup.push(() => database.drop());
  const url = database.env['DATABASE_URL'] ?? '';
  const name = new URL(url).pathname.slice(1);
  for (const statement of statements) await administer(url, statement.replaceAll('$db', name));
  return { database, url, name };
}

async function role(settings: readonly string[] = []): Promise<string> {
  const name = `traffy_role_${randomBytes(4).toString('hex')}`;
  await administer(serverUrl ?? '', `create role ${name} login`);
  cleanup.push(() => administer(serverUrl ?? '', `drop role ${name}`));
  for (const setting of settings) await administer(serverUrl ?? '', `alter role ${name} set ${setting}`);
  return name;
}

function change(url: string, edit: (changed: URL) => void): string {
  const changed = new URL(url);
  edit(changed);
  return changed.href;
}

async function start({ database }: Place, url: string, env = {}): Promise<TestApp> {
  const app = await startApp({ database, env: { DATABASE_URL: url, ...env } });
  cleanup.push(() => app.close());
  return app;
}

async function refusalOf({ database }: Place, url: string): Promise<string> {
  const opening = openDatabase(
    { ...embeddedIn(database.dataDir), DATABASE_URL: url },
    ENTITIES,
    () => undefined,
  );
  const message = await opening.then(
    async ({ close }) => {
      await close();
      return 'started';
    },
    (error: Error) => error.message,
  );
  return message;
}

async function rowsOf<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

const schemaOfUsers = async (url: string) =>
  (
    await rowsOf<{ schemaname: string }>(url, `select schemaname from pg_tables where tablename = 'users'`)
  ).map(({ schemaname }) => schemaname);

/** Everything that reads and writes times, bytes, rows under lock, and revocations. */
async function expectToWork(app: TestApp): Promise<void> {
  const { client, headers, email } = await signIn(app);
  const { body } = await client.get('/sessions');
  const [session] = body['sessions'] as { created_at: string }[];
  expect(Math.abs(Date.parse(session?.created_at ?? '') - Date.now())).toBeLessThan(60_000);
  expect(session?.created_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect((await client.get('/users/me/events')).status).toBe(200);
  expect((await client.get('/users/me/export')).status).toBe(200);
  expect((await client.post('/logout')).status).toBe(200);
  expect((await app.client.get('/me', headers)).body['logged_in']).toBe(false);
  expect((await app.client.post('/login', { email, password: PASSWORD })).status).toBe(200);
}

(onServer ? describe : describe.skip)('settings of the server', () => {
  const schemas: [string, () => Promise<{ at: Place; url: string; schema: string }>][] = [
    [
      'named after the role',
      async () => {
        const name = await role();
        const at = await place([
          `grant all on schema public to ${name}`,
          `create schema authorization ${name}`,
        ]);
        return { at, url: change(at.url, (url) => (url.username = name)), schema: name };
      },
    ],
    [
      'that the search_path of the role names',
      async () => {
        const name = await role(['search_path = other, public']);
        const at = await place([`create schema other authorization ${name}`]);
        return { at, url: change(at.url, (url) => (url.username = name)), schema: 'other' };
      },
    ],
    [
      'that ?schema= names',
      async () => {
        const at = await place(['create schema "Odd name"']);
        return {
          at,
          url: change(at.url, (url) => url.searchParams.set('schema', 'Odd name')),
          schema: 'Odd name',
        };
      },
    ],
    [
      'that the options of the URL name',
      async () => {
        const at = await place(['create schema app', 'create table public.users (id int)']);
        const set = (url: URL) =>
          url.searchParams.set('options', '-c search_path=app,public -c work_mem=8MB');
        return { at, url: change(at.url, set), schema: 'app' };
      },
    ],
  ];
  it.each(schemas)('a schema %s has the tables, and starts again [fault 1]', async (_what, prepare) => {
    const { at, url, schema } = await prepare();
    await expectToWork(await start(at, url));
    await expectToWork(await start(at, url));
    expect(await schemaOfUsers(at.url)).toContain(schema);
    expect(
      (await rowsOf(at.url, `select 1 from pg_tables where schemaname = 'public' and tablename = 'sessions'`))
        .length,
    ).toBe(0);
  });

  it('tables stay where they are if a schema that comes first is created later [fault 1]', async () => {
    const name = await role();
    const at = await place([`grant all on schema public to ${name}`]);
    const url = change(at.url, (edited) => (edited.username = name));
    const first = await start(at, url);
    const { email } = await signIn(first);
    await administer(at.url, `create schema authorization ${name}`);
    const second = await start(at, url);
    expect((await second.client.post('/login', { email, password: PASSWORD })).status).toBe(200);
  });

  it.each(['repeatable read', 'serializable'])(
    'a default isolation of %s does not make concurrent changes fail [fault 9]',
    async (level) => {
      const at = await place(
        [`alter database $db set default_transaction_isolation = '${level}'`],
        createTestDatabase,
      );
      const app = await start(at, at.url, { AUTH_STRATEGY: 'jwt' });
      const { reply, email } = await signIn(app);
      const { refresh_token } = reply.body;
      const refreshed = await Promise.all(
        Array.from({ length: 20 }, () => app.client.post('/refresh', { refresh_token })),
      );
      expect(new Set(refreshed.map(({ status }) => status))).toEqual(new Set([200]));
      const logins = await Promise.all(
        Array.from({ length: 10 }, () => app.client.post('/login', { email, password: PASSWORD })),
      );
      expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]));
    },
  );

  it('other formats, time zones and time limits change nothing [fault 1]', async () => {
    const settings = [
      `"TimeZone" = 'Australia/Lord_Howe'`,
      `"DateStyle" = 'German'`,
      `"IntervalStyle" = 'sql_standard'`,
      `bytea_output = 'escape'`,
      `standard_conforming_strings = off`,
      `extra_float_digits = 0`,
      `transform_null_equals = on`,
      `array_nulls = off`,
      `row_security = off`,
      `default_transaction_deferrable = on`,
      `synchronous_commit = off`,
      `client_encoding = 'LATIN1'`,
      `statement_timeout = 5`,
      `lock_timeout = 1`,
      `idle_in_transaction_session_timeout = 1`,
      `idle_session_timeout = 300`,
      `client_min_messages = error`,
    ];
    const at = await place(settings.map((setting) => `alter database $db set ${setting}`));
    const app = await start(at, at.url);
    await expectToWork(app);
    const [row] = await app.running.database.database.query<{ durable: string }>(
      sql`select current_setting('synchronous_commit') as durable`,
    );
    expect(row?.durable).toBe('on');
    await expectToWork(await start(at, at.url));
  });

  it('tables of others: `migrations` is left alone [fault 1]', async () => {
    const at = await place([
      'create table migrations (id int primary key, name text, executed_at timestamptz)',
      `insert into migrations values (1, 'theirs', now())`,
    ]);
    await expectToWork(await start(at, at.url));
    expect(await rowsOf(at.url, 'select name from migrations')).toEqual([{ name: 'theirs' }]);
  });

  it('records of an older version are copied, and its table stays', async () => {
    const at = await place([], createTestDatabase);
    await administer(at.url, 'alter table traffy_migrations rename to migrations');
    const before = await rowsOf(at.url, 'select name, executed_at from migrations order by name');
    await expectToWork(await start(at, at.url));
    expect(await rowsOf(at.url, 'select name, executed_at from migrations order by name')).toEqual(before);
    expect(await rowsOf(at.url, 'select name, executed_at from traffy_migrations order by name')).toEqual(
      before,
    );
    await expectToWork(await start(at, at.url));
  });

  const refused: [string, string[], (url: URL) => void, RegExp][] = [
    [
      'a table `users` of others',
      ['create table users (id int)'],
      () => undefined,
      /tables of another application: users;/,
    ],
    [
      'a schema that does not exist',
      [],
      (url) => url.searchParams.set('schema', 'nowhere'),
      /the schema "nowhere" of DATABASE_URL does not exist; create it: create schema "nowhere"/,
    ],
    ['no schema', ['drop schema public'], () => undefined, /no schema on the search_path of this role/],
    [
      'a read-only default',
      ['alter database $db set default_transaction_read_only = on'],
      () => undefined,
      /default_transaction_read_only is on/,
    ],
    [
      'triggers that do not run',
      ['alter database $db set session_replication_role = replica'],
      () => undefined,
      /session_replication_role is replica/,
    ],
  ];
  it.each(refused)(
    'refuses %s at the first start in one sentence',
    async (_what, statements, edit, message) => {
      const at = await place(statements);
      const refusal = await refusalOf(at, change(at.url, edit));
      expect(refusal).toMatch(message);
      expect(refusal).not.toContain('\n');
      expect((await rowsOf(at.url, `select 1 from pg_tables where tablename = 'sessions'`)).length).toBe(0);
    },
  );

  it.each(['LATIN1', 'SQL_ASCII'])('refuses an encoding of %s at the first start', async (encoding) => {
    const name = `traffy_test_${randomBytes(6).toString('hex')}`;
    await administer(
      serverUrl ?? '',
      `create database ${name} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`,
    );
    cleanup.push(() => administer(serverUrl ?? '', `drop database ${name} with (force)`));
    const at = await place([]);
    const url = change(at.url, (edited) => (edited.pathname = `/${name}`));
    expect(await refusalOf(at, url)).toMatch(new RegExp(`its encoding is ${encoding}`));
  });
});

(onServer ? describe : describe.skip)('settings of the server, behind PgBouncer in transaction mode', () => {
  let pooler: Pooler;
  afterAll(() => pooler?.stop());

  it('reach every statement: schema, isolation, formats [fault 9]', async () => {
    const at = await place([
      'create schema app',
      `alter database $db set default_transaction_isolation = 'repeatable read'`,
      `alter database $db set bytea_output = 'escape'`,
      `alter database $db set transform_null_equals = on`,
    ]);
    pooler = await startPooler(at.url);
    const url = change(pooler.url, (edited) => edited.searchParams.set('schema', 'app'));
    const app = await start(at, url, { DATABASE_DIRECT_URL: at.url, AUTH_STRATEGY: 'jwt,session' });
    await expectToWork(app);
    expect(await schemaOfUsers(at.url)).toEqual(['app']);
    const { reply } = await signIn(app);
    const { refresh_token } = reply.body;
    const refreshed = await Promise.all(
      Array.from({ length: 20 }, () => app.client.post('/refresh', { refresh_token })),
    );
    expect(new Set(refreshed.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await signUpAgain(app)).toBe(409);
  });

  async function signUpAgain(app: TestApp): Promise<number> {
    const account = { email: freshEmail(), password: PASSWORD };
    expect((await app.client.post('/signup', account)).status).toBe(201);
    return (await app.client.post('/signup', account)).status;
  }
});
