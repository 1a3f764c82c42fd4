import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../src/platform/database/database.js';
import { insertUser } from '../src/users/user-writes.js';
import { User } from '../src/users/user.entity.js';
import type { UsersTables } from '../src/users/users.tables.js';
import { openShared } from './support/app.js';
import { COLUMNS } from './support/columns.js';

let shared: Awaited<ReturnType<typeof openShared>>;
let database: Database;

beforeAll(async () => {
  shared = await openShared();
  ({ database } = shared.running.database);
});
afterAll(() => shared.close());

/** One value of every type that columns have, and some that statements compute. */
const VALUES = sql<Record<string, unknown>>`select
    '2026-11-22 10:20:30.123456+00'::timestamptz as time,
    '0001-02-03 04:05:06+00'::timestamptz as early,
    null::timestamptz as never,
    '\\x00ff10'::bytea as bytes,
    ''::bytea as no_bytes,
    42::bigint as big,
    9007199254740991::bigint as biggest,
    -9007199254740991::bigint as smallest,
    count(*) as count,
    7::int as int,
    1.5::float8 as float,
    true as bool,
    'ü'::text as text,
    '01932c07-6e2c-7000-8000-000000000000'::uuid as id,
    array['a', 'b,"c"']::text[] as texts,
    '{"a": [1, null]}'::jsonb as json
  from (values (1), (2)) as two`;

const EXPECTED = {
  time: new Date('2026-11-22T10:20:30.123Z'),
  early: new Date('0001-02-03T04:05:06Z'),
  never: null,
  bytes: Buffer.from([0x00, 0xff, 0x10]),
  no_bytes: Buffer.alloc(0),
  big: 42,
  biggest: Number.MAX_SAFE_INTEGER,
  smallest: -Number.MAX_SAFE_INTEGER,
  count: 2,
  int: 7,
  float: 1.5,
  bool: true,
  text: 'ü',
  id: '01932c07-6e2c-7000-8000-000000000000',
  texts: ['a', 'b,"c"'],
  json: { a: [1, null] },
};

describe('values that a statement returns', () => {
  const expectValues = ([row]: Record<string, unknown>[]) => {
    expect(row).toStrictEqual(EXPECTED);
    expect(row?.['bytes']).toBeInstanceOf(Buffer);
  };

  test('are the same on both databases', async () => {
    expectValues(await database.query(VALUES));
  });

  test('are the same in a transaction', async () => {
    expectValues(await database.transaction((tx) => tx.query(VALUES)));
  });

  test('are the same on a notification channel', async () => {
    const channel = await database.openChannel('typed_sql', {
      notified: () => undefined,
      lost: () => undefined,
    });
    expectValues(await channel.query(VALUES));
    await channel.close();
  });

  test.each(['Europe/Berlin', 'Asia/Kathmandu', 'America/St_Johns', 'UTC'])(
    'are the same instants in a session with the time zone %s',
    async (zone) => {
      const [row] = await database.transaction(async (tx) => {
        await tx.query(sql`select set_config('timezone', ${zone}, true)`);
        return tx.query(VALUES);
      });
      expect(row?.['time']).toEqual(EXPECTED.time);
    },
  );

  test('fail for an integer that a number cannot represent', async () => {
    await expect(database.query(sql`select 9007199254740993::bigint as big`)).rejects.toThrow(RangeError);
    expect(await database.query(sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });
});

describe('typed tables', () => {
  test('have the columns, types and nulls of the database', async () => {
    const rows = await database.query(
      sql<{ table: string; column: string; type: string }>`select table_name as table, column_name as column,
          udt_name || case is_nullable when 'YES' then '?' else '' end as type
        from information_schema.columns where table_schema = 'public' and table_name <> 'traffy_migrations'`,
    );
    const real: Record<string, Record<string, string>> = {};
    for (const { table, column, type } of rows) real[table] = { ...real[table], [column]: type };
    expect(real).toEqual(COLUMNS);
  });

  test('accept what they returned', async () => {
    const id = uuidv7();
    const handle = Buffer.alloc(64, 7);
    const at = new Date('2026-11-22T10:20:30.123Z');
    await database.transaction((tx) =>
      insertUser(tx, { id, email: 'Ada@Example.com', passwordHash: 'hash', isEmailVerified: true }),
    );
    const users = database.of<UsersTables>();
    await users
      .updateTable('users')
      .set({ webauthn_handle: handle, disabled_at: at })
      .where('id', '=', id)
      .execute();
    const found = await users
      .selectFrom('users')
      .selectAll()
      .where('webauthn_handle', '=', handle)
      .where('disabled_at', '=', at)
      .executeTakeFirst();
    expect(found).toMatchObject({
      id,
      email: 'Ada@Example.com',
      email_canonical: 'ada@example.com',
      name: null,
    });
    expect(found?.webauthn_handle?.equals(handle)).toBe(true);
    expect(found?.disabled_at).toEqual(at);
    expect(found?.email_verified_at).toBeInstanceOf(Date);
  });

  test('roll back with their transaction', async () => {
    const id = uuidv7();
    const failing = database.transaction(async (tx) => {
      await insertUser(tx, { id, email: 'gone@example.com', passwordHash: 'hash', isEmailVerified: false });
      throw new Error('stop');
    });
    await expect(failing).rejects.toThrow('stop');
    const users = database.of<UsersTables>().selectFrom('users').select('id').where('id', '=', id);
    expect(await users.execute()).toEqual([]);
  });
});

describe('MikroORM', () => {
  test('reads its own entities with the same parsers', async () => {
    const id = uuidv7();
    await database.transaction((tx) =>
      insertUser(tx, { id, email: 'orm@example.com', passwordHash: 'hash', isEmailVerified: true }),
    );
    await database
      .of<UsersTables>()
      .updateTable('users')
      .set({ webauthn_handle: Buffer.alloc(64, 9) })
      .where('id', '=', id)
      .execute();
    const em = shared.running.database.orm.em.fork() as SqlEntityManager;
    const user = await em.findOneOrFail(User, { id }, { populate: ['webauthnHandle'] });
    expect(user.createdAt).toBeInstanceOf(Date);
    expect(user.emailVerifiedAt).toBeInstanceOf(Date);
    expect(user.webauthnHandle).toEqual(Buffer.alloc(64, 9));
  });

  test('knows the executed migrations', async () => {
    const { orm } = shared.running.database;
    const executed = await orm.migrator.getExecuted();
    expect(executed.length).toBeGreaterThan(0);
    expect(executed.every(({ executed_at: at }) => at instanceof Date)).toBe(true);
    expect(await orm.migrator.getPending()).toEqual([]);
  });
});
