import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { isClientName } from '../../src/services/service-clients.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { signIn } from '../support/strategies.js';
import { expectOAuthError, serviceOf, valueOf } from '../support/service-clients.js';

describe('traffy clients', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(endAllPrograms);
  afterAll(() => database.drop());

  async function clients(...args: string[]) {
    const program = startProgram({ args: ['traffy', 'clients', ...args], env: { ...database.env } });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('adds, lists and removes clients; of eight concurrent additions of one name, one succeeds', async () => {
    const adding = await Promise.all(Array.from({ length: 8 }, () => clients('add', 'billing', '--json')));
    const [won, ...further] = adding.filter(({ code }) => code === 0);
    expect(further).toEqual([]);
    expect(
      adding.filter(({ code, out, err }) => code === 1 && out === '' && /^traffy: .+\n$/.test(err)),
    ).toHaveLength(7);
    // On the embedded database the others may have found the data directory in use instead.
    const refusal = onServer ? /a service client billing already exists/ : /^traffy: /;
    expect(adding.filter(({ err }) => refusal.test(err))).toHaveLength(7);
    const billing = JSON.parse(won?.out ?? '');
    expect(billing).toEqual({
      client_id: expect.stringMatching(/^[0-9a-f-]{14}7[0-9a-f-]{21}$/),
      client_secret: expect.stringMatching(/^trf_cs_[A-Za-z0-9_-]{43}$/),
      name: 'billing',
      permissions: ['introspect', 'revoke'],
    });
    expect(await clients('add', 'billing')).toEqual({
      code: 1,
      out: '',
      err: 'traffy: a service client billing already exists; remove it or choose another name\n',
    });

    const reports = await clients('add', 'reports', '--only', 'introspect');
    const [, id = '', secret = ''] =
      /^client_id {6}(\S+)\nclient_secret {2}(trf_cs_\S{43})\n.*introspect\.\n$/.exec(reports.out) ?? [];
    expect(secret).not.toBe('');

    const listed = await clients('list', '--json');
    expect(JSON.parse(listed.out)).toEqual({
      clients: [
        {
          client_id: billing.client_id,
          name: 'billing',
          permissions: ['introspect', 'revoke'],
          created_at: expect.any(String),
        },
        { client_id: id, name: 'reports', permissions: ['introspect'], created_at: expect.any(String) },
      ],
    });
    expect(listed.out).not.toContain('trf_cs_');

    // The secrets work, and stand nowhere in the database, in no spelling.
    const app = await startApp({ database });
    const [asks, both] = [
      serviceOf(app, id, secret),
      serviceOf(app, billing.client_id, billing.client_secret),
    ];
    const token = valueOf(app, await signIn(app));
    expect((await both.introspect(token)).body['active']).toBe(true);
    expectOAuthError(await asks.revoke(token), 400, 'unauthorized_client');
    const dump = await everyRow(app);
    expect(dump).toContain('billing');
    for (const shown of [secret, billing.client_secret as string]) {
      const bytes = Buffer.from(shown.slice('trf_cs_'.length), 'base64url');
      const spellings = [shown, shown.slice('trf_cs_'.length), Buffer.from(shown).toString('hex')];
      for (const spelling of [...spellings, bytes.toString('hex'), bytes.toString('base64')])
        expect(dump).not.toContain(spelling);
    }
    await app.close();

    expect(await clients('remove', 'billing', '--json')).toEqual({
      code: 0,
      out: `{"removed":{"client_id":"${billing.client_id}","name":"billing"}}\n`,
      err: '',
    });
    expect(await clients('remove', billing.client_id)).toEqual({
      code: 1,
      out: '',
      err: `traffy: no service client is named "${billing.client_id}"\n`,
    });
    expect((await clients('remove', id)).code).toBe(0);
    expect((await clients('list')).out).toBe('There are no service clients.\n');
  });

  it.each([
    ['a bad name', ['add', 'Billing']],
    ['an unknown permission', ['add', 'billing', '--only', 'everything']],
  ])('exits with 2 for %s and prints the usage', async (_what, args) => {
    const { code, out, err } = await clients(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: traffy clients add');
  });

  it('names are short, lower-case and never an id', () => {
    const good = ['a', '7', 'billing', 'billing-2', 'eu.billing_2', 'x'.repeat(64)];
    const bad = [
      '',
      'Billing',
      'a b',
      '-x',
      'x-',
      '.x',
      'x'.repeat(65),
      'ünicode',
      'a\n',
      "a'b",
      'a/b',
      uuidv7(),
    ];
    expect(good.filter(isClientName)).toEqual(good);
    expect(bad.filter(isClientName)).toEqual([]);
  });
});

/** Every row of every table, as text. */
async function everyRow(app: TestApp): Promise<string> {
  const tables = await app.query(
    sql<{
      name: string;
    }>`select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) =>
      app.query(sql<{ row: string }>`select t::text as row from ${sql.table(name)} t`),
    ),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}
