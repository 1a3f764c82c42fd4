import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { ACCOUNT_SECTION, EXPORT_SECTIONS } from '../../src/account/export-sections.js';
import { startApp, type TestApp } from '../support/app.js';
import { Holder } from '../support/holder.js';
import { mailsQueued } from '../support/mailbox.js';
import { freshEmail, PASSWORD } from '../support/strategies.js';
import { call, canSignIn } from '../support/account.js';

const OTHER = 'another long passphrase';

describe('personal data', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'session' } });
  });
  afterAll(() => app.close());

  /** Tables with rows about people that are not handed out, with the reason. */
  const NOT_EXPORTED: Readonly<Record<string, string>> = {
    guess_counters: 'how often somebody, whoever it was, guessed wrong: under a hash of the address',
    audit_counters:
      'how many events of a kind there were in a moment, so that floods are not recorded one by one',
    revocations:
      'which sessions and tokens died, for nodes; gone an hour later, and the sessions say the same',
    refresh_tokens:
      'hashes of the secrets of a session, and when they were used: the session has its last use',
  };

  it('the export covers every column of every table about users or sessions', async () => {
    const columns = await app.query(
      sql<{ table: string; column: string }>`select table_name as "table", column_name as "column"
        from information_schema.columns where table_schema = 'public'`,
    );
    const byTable = Map.groupBy(columns, ({ table }) => table);
    const sections = [ACCOUNT_SECTION, ...EXPORT_SECTIONS];
    for (const [table, found] of byTable) {
      const names = found.map(({ column }) => column);
      const isAboutPeople =
        table === 'users' ||
        names.some((name) => /^(user|session|person|account)_id$|^(e_?mail|recipient|subject)$/.test(name));
      if (!isAboutPeople || NOT_EXPORTED[table]) continue;
      const section = sections.find((candidate) => candidate.table === table);
      const known = section && [
        ...section.columns,
        ...(section.bytes ?? []),
        ...Object.keys(section.leftOut),
      ];
      expect({ table, columns: known?.toSorted() }).toEqual({ table, columns: names.toSorted() });
    }
    expect(Object.keys(NOT_EXPORTED).filter((table) => !byTable.has(table))).toEqual([]);
  });

  it('the export is a file with all stored data of the user, without secrets and without data of others', async () => {
    const holder = await Holder.signIn(app);
    const stranger = await Holder.signIn(app);
    const { id } = (await holder.open(app)).body;
    const strangerId = (await stranger.open(app)).body['id'];
    for (const owner of [id, strangerId]) await fill(owner);
    // Asked for by whoever it was, without a credential; composed, it is known whose it is.
    await app.client.post('/password/forgot', { email: holder.email });
    await mailsQueued(app);
    const reply = await call(app, holder, 'GET', '/users/me/export');
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/json/),
      'content-disposition': 'attachment; filename="account.json"',
      'cache-control': 'no-store',
    });
    const { exported_at, account, ...sections } = reply.body;
    expect(Date.now() - Date.parse(exported_at)).toBeLessThan(60_000);
    expect(account).toMatchObject({ id, email: holder.email, role: 'user', name: null });
    for (const { table, columns, bytes = [] } of EXPORT_SECTIONS) {
      const rows = sections[table] as Record<string, unknown>[];
      expect({ table, rows: rows.length }).not.toEqual({ table, rows: 0 });
      expect({ table, columns: Object.keys(rows[0] ?? {}) }).toEqual({
        table,
        columns: [...columns, ...bytes],
      });
    }
    expect(Object.keys(sections)).toHaveLength(EXPORT_SECTIONS.length);
    expect(sections['sessions']).toMatchObject([{ id: holder.sessionId, ip: '127.0.0.1' }]);
    expect(sections['passkeys']).toMatchObject([
      { name: 'a key', credential_id: expect.stringMatching(/^_-[\w-]+$/) },
    ]);
    expect(sections['audit_events'].map(({ kind }: { kind: string }) => kind)).toEqual(
      expect.arrayContaining(['login', 'account_exported']),
    );
    expect(sections['outbox_mails'].map(({ kind }: { kind: string }) => kind)).toContain('reset_password');
    expect(reply.text).not.toContain(strangerId);
    expect(reply.text).not.toContain(stranger.email);
    expect(reply.text).not.toMatch(/argon2|trf_|secret|hash|seed|\\x[0-9a-f]{16}/i);
  });

  /** A row in every table that people have rows in. */
  async function fill(id: string): Promise<void> {
    const bytes = (n: number) => crypto.getRandomValues(Buffer.alloc(n));
    const soon = sql`now() + interval '1 hour'`;
    await app.query(sql`update sessions set methods = '{pwd,mfa}' where user_id = ${id}`);
    for (const statement of [
      sql`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
          values (${crypto.randomUUID()}, ${id}, 'a key', ${credentialId()}, ${bytes(77)}, '{}', true, true, 'x')`,
      sql`insert into totp_authenticators (user_id, seed, confirmed_at) values (${id}, ${bytes(48)}, now())`,
      sql`insert into recovery_codes (code_hash, user_id) values (${bytes(32)}, ${id})`,
      sql`insert into known_devices (user_id, network, agent_hash) values (${id}, '203.0.113.7', ${bytes(32)}) on conflict do nothing`,
      sql`insert into one_time_tokens (token_hash, purpose, user_id, email, expires_at)
          values (${bytes(32)}, 'verify_email', ${id}, 'x@example.com', ${soon})`,
      sql`insert into mfa_challenges (token_hash, user_id, methods, transport, expires_at)
          values (${bytes(32)}, ${id}, '{pwd}', 'bearer', ${soon})`,
      sql`insert into webauthn_challenges (challenge, ceremony, user_id, expires_at)
          values (${bytes(32)}, 'registration', ${id}, ${soon})`,
      sql`insert into outbox_mails (id, kind, user_id, recipient, nonce, expires_at, rendered)
          values (${crypto.randomUUID()}, 'new_device', ${id}, 'x@example.com', ${bytes(32)}, ${soon}, ${bytes(64)})`,
    ])
      await app.query(statement);
  }
  let made = 0;
  /** Bytes that base64url writes with its own signs, each time others. */
  const credentialId = () => Buffer.from([255, 239, ...Buffer.from(String((made += 1)))]);

  it('deletion removes all data of an account; the audit trail and the last mail keep its id', async () => {
    const holder = await Holder.signIn(app);
    const { id } = (await holder.open(app)).body;
    await fill(id);
    await app.query(sql`update outbox_mails set state = 'sent', finished_at = now() where user_id = ${id}`);
    expect((await call(app, holder, 'DELETE', '/users/me')).status).toBe(204);
    const left = new Map<string, number>();
    for (const { table } of EXPORT_SECTIONS) {
      const [row] = await app.query(
        sql<{ n: number }>`select count(*)::int as n from ${sql.table(table)} where user_id = ${id}`,
      );
      left.set(table, row?.n ?? 0);
    }
    const kept = [...left].filter(([, rows]) => rows > 0);
    expect(kept).toEqual([
      ['audit_events', expect.any(Number)],
      ['outbox_mails', 1],
    ]);
    const [user] = await app.query(sql`select 1 from users where id = ${id}`);
    expect(user).toBeUndefined();
  });

  it('the last administrator cannot be deleted, also when two administrators try concurrently', async () => {
    const [first, second] = [await Holder.signIn(app), await Holder.signIn(app)];
    await app.query(sql`update users set role = 'admin' where email in (${first.email}, ${second.email})`);
    const replies = await Promise.all(
      [first, second].map((holder) => call(app, holder, 'DELETE', '/users/me')),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 409]);
    const left = [first, second][replies.findIndex(({ status }) => status === 409)] as Holder;
    const refused = await call(app, left, 'DELETE', '/users/me');
    expect({ status: refused.status, code: refused.body['code'], cookies: refused.setCookies }).toEqual({
      status: 409,
      code: 'last_admin',
      cookies: [],
    });
    expect((await left.open(app)).body).toMatchObject({ email: left.email, role: 'admin' });
    // One who may not sign in is no administrator to stay with.
    const disabled = await Holder.signIn(app);
    await app.query(
      sql`update users set role = 'admin', disabled_at = now() where email = ${disabled.email}`,
    );
    expect((await call(app, left, 'DELETE', '/users/me')).status).toBe(409);
  });

  it('the profile has a name and a language only; credentials are refused by field name [H1, pain 6]', async () => {
    const holder = await Holder.signIn(app);
    const before = (await holder.open(app)).body;
    expect(before).toEqual({
      id: expect.any(String),
      email: holder.email,
      email_verified: false,
      name: null,
      language: null,
      role: 'user',
      created_at: expect.stringMatching(/Z$/),
    });
    const named = await call(app, holder, 'PATCH', '/users/me', { name: 'Ada Lovelace' });
    expect({ status: named.status, ...named.body }).toEqual({ status: 200, ...before, name: 'Ada Lovelace' });
    const [row] = await app.query(
      sql`select to_jsonb(u) - 'updated_at' as row from users u where id = ${before['id']}`,
    );
    for (const [field, value] of Object.entries({
      password: OTHER,
      new_password: OTHER,
      password_hash: 'x',
      email: freshEmail(),
      email_canonical: freshEmail(),
      role: 'admin',
      email_verified: true,
      email_verified_at: '2026-01-01T00:00:00Z',
      disabled_at: null,
      id: crypto.randomUUID(),
    })) {
      const reply = await call(app, holder, 'PATCH', '/users/me', { name: 'Eve', [field]: value });
      expect({ field, status: reply.status, errors: reply.body['errors'] }).toEqual({
        field,
        status: 400,
        errors: [{ path: field, message: 'is not a known field' }],
      });
    }
    const proto = await call(
      app,
      holder,
      'PATCH',
      '/users/me',
      '{"name":"Eve","__proto__":{"role":"admin"}}',
    );
    expect(proto.body['code']).toBe('malformed_body');
    await call(app, holder, 'PATCH', '/users/me', '{"name":"Ada Lovelace","constructor":{"role":"admin"}}');
    const after = await app.query(
      sql`select to_jsonb(u) - 'updated_at' as row from users u where id = ${before['id']}`,
    );
    expect(after).toEqual([row]);
    expect(await canSignIn(app, holder.email, PASSWORD)).toBe(true);
  });

  it('a name is one line of 1 to 100 characters, or null', async () => {
    const holder = await Holder.signIn(app);
    for (const name of [
      '',
      ' ',
      'x'.repeat(101),
      'a\nb',
      'a\0b',
      '\ud800',
      'a\u2028b',
      'a\u001bb',
      1,
      ['Eve'],
      {},
      true,
    ]) {
      const reply = await call(app, holder, 'PATCH', '/users/me', { name });
      expect({ name, status: reply.status, ...reply.body }).toMatchObject({
        name,
        status: 400,
        code: 'validation_failed',
        errors: [{ path: 'name' }],
      });
    }
    expect((await call(app, holder, 'PATCH', '/users/me', {})).body['code']).toBe('validation_failed');
    for (const name of ['\u{1f9e1}'.repeat(100), 'Zo\u00eb \u2764\ufe0f <b>', null]) {
      const reply = await call(app, holder, 'PATCH', '/users/me', { name });
      expect({ status: reply.status, name: reply.body['name'] }).toEqual({ status: 200, name });
    }
  });
});
