import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type RawBuilder, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Audit, type NewAuditEvent } from '../src/audit/audit.service.js';
import { AuditRetention } from '../src/audit/audit-retention.service.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { AuditSealer } from '../src/audit/audit-sealer.service.js';
import { type ChainPlace, readChain } from '../src/audit/chain-head.js';
import { ChainKeyDoesNotFit } from '../src/audit/chain-key.js';
import { type ChainReport, verifyChain } from '../src/audit/chain-verification.js';
import { ServiceClients } from '../src/auth/clients/service-clients.service.js';
import { KeyAdministration } from '../src/auth/keys/key-administration.service.js';
import { KeyInventory } from '../src/auth/keys/key-inventory.service.js';
import type { Database, Queries } from '../src/database/database.js';
import { startApp, TEST_SECRET, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import { endAllPrograms, startProgram, until } from './support/process.js';
import type { Note } from './support/provoke/common.js';
import { freshEmail, PASSWORD, signIn, STRATEGIES } from './support/strategies.js';

/** Some things need transactions that run at once: the embedded database has one connection. */
const itOnServer = onServer ? it : it.skip;

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

interface StoredEvent {
  kind: string;
  user_id: string | null;
  actor: string;
  session_id: string | null;
  ip: string | null;
  details: Record<string, unknown>;
}

const databaseOf = (app: TestApp): Database => app.running.database.database;
const service = <T>(app: TestApp, type: new (...args: never[]) => T): T =>
  app.running.app.get<T>(type, { strict: false });

/** What was recorded, the oldest first. */
async function events(app: TestApp, condition: RawBuilder<unknown> = sql`true`): Promise<StoredEvent[]> {
  const rows = await databaseOf(app).query(
    sql<
      StoredEvent & { details: string }
    >`select kind, user_id, actor, session_id, ip, details::text as details from audit_events where ${condition} order by at, id`,
  );
  return rows.map((row) => ({ ...row, details: JSON.parse(row.details) }));
}

async function countOf(queries: Queries, from: RawBuilder<unknown>): Promise<number> {
  const [row] = await queries.query(sql<{ count: number }>`select count(*)::int as count from ${from}`);
  return row?.count ?? 0;
}

/** Records events that tell nothing. */
async function recordSome(app: TestApp, count: number, kind: NewAuditEvent['kind'] = 'users_exported') {
  for (let i = 0; i < count; i += 1)
    await service(app, Audit).record({ kind, userId: null, actor: 'operator', details: { number: i } });
}

/** Seals until nothing waits. Transactions of others on the same server may make that take a moment. */
function sealAll(app: TestApp): Promise<true> {
  return until(async () => {
    await service(app, AuditSealer).seal();
    return (await countOf(databaseOf(app), sql`audit_events where seq is null`)) === 0 || undefined;
  });
}

function verify(queries: Queries, noted: ChainPlace | null = null): Promise<ChainReport> {
  return verifyChain(queries, [TEST_SECRET], noted);
}

async function headOf(app: TestApp): Promise<ChainPlace> {
  const chain = await readChain(databaseOf(app));
  if (!chain) throw new Error('there is no chain');
  return chain.head;
}

class RolledBack extends Error {}

/** Does something as somebody who owns the database, in a transaction that never was. */
async function inPassing<T>(app: TestApp, work: (tx: Queries) => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await databaseOf(app)
    .transaction(async (tx) => {
      await tx.query(sql`set local session_replication_role = replica`);
      result = { value: await work(tx) };
      throw new RolledBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
  if (!result) throw new Error('nothing came of it');
  return result.value;
}

/** The same, and it stays. */
async function asOwner(app: TestApp, statement: RawBuilder<unknown>): Promise<void> {
  await databaseOf(app).transaction(async (tx) => {
    await tx.query(sql`set local session_replication_role = replica`);
    await tx.query(statement);
  });
}

async function userIdOf(app: TestApp, email: string): Promise<string> {
  const [row] = await databaseOf(app).query(sql<{ id: string }>`select id from users where email = ${email}`);
  if (!row) throw new Error('there is no such account');
  return row.id;
}

describe.each(STRATEGIES)('the audit trail with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it('O1: a person sees what happened to their account, the newest first, and nothing of others', async () => {
    const first = await signIn(app);
    await app.client.post('/login', { email: first.email, password: 'not my long passphrase' });
    const second = await signIn(app, first.email);
    await second.client.send('DELETE', `/sessions/${first.sessionId}`);
    await signIn(app);
    const { status, body } = await second.client.get('/users/me/events');
    expect(status).toBe(200);
    const event = (kind: string, description: string, sessionId: string | null, details: object) => ({
      id: expect.any(String),
      kind,
      at: expect.stringMatching(/Z$/),
      description,
      actor: 'user',
      session_id: sessionId,
      ip: '127.0.0.1',
      user_agent: 'lightMyRequest',
      details,
    });
    expect(body['next_cursor']).toBeNull();
    const known = body['events'].filter(({ kind }: { kind: string }) => kind !== 'signup');
    expect(known).toEqual([
      event('session_ended', 'A session was ended', first.sessionId, { reason: 'device_removed' }),
      event('login', 'Signed in', second.sessionId, { methods: ['pwd'], device: expect.any(String) }),
      event('login_failed', 'A sign-in failed', null, { reason: 'wrong' }),
      event('login', 'Signed in', first.sessionId, { methods: ['pwd'], device: expect.any(String) }),
    ]);
  });

  it('O1: pages of any size hold every event once, in one order', async () => {
    const { client, email } = await signIn(app);
    const userId = await userIdOf(app, email);
    await databaseOf(app).transaction(async (tx) => {
      // All of one time: the id decides.
      for (let i = 0; i < 7; i += 1)
        await service(app, Audit).record({ kind: 'profile_changed', userId }, tx);
    });
    const whole = (await client.get('/users/me/events?limit=100')).body['events'];
    expect(whole.length).toBeGreaterThanOrEqual(8);
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const { status, body }: Reply = await client.get(`/users/me/events?limit=3${query}`);
      expect(status).toBe(200);
      expect(body['events'].length).toBeLessThanOrEqual(3);
      ids.push(...body['events'].map(({ id }: { id: string }) => id));
      cursor = body['next_cursor'];
    } while (cursor !== null);
    expect(ids).toEqual(whole.map(({ id }: { id: string }) => id));
  });

  it('refuses a query that makes no sense, and names the field', async () => {
    const { client } = await signIn(app);
    for (const [query, path] of [
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['limit=1.5', 'limit'],
      ['limit=many', 'limit'],
      ['cursor=nothing', 'cursor'],
      [`cursor=${Buffer.from("1.x'; drop table users").toString('base64url')}`, 'cursor'],
      ['user_id=019a0000-0000-7000-8000-000000000000', 'user_id'],
    ]) {
      const { status, body } = await client.get(`/users/me/events?${query}`);
      const [error] = body['errors'] ?? [];
      expect([query, status, body['code'], error?.path]).toEqual([query, 400, 'validation_failed', path]);
    }
  });

  it('a person does not see which administrator or service it was, where they sat, or inner details', async () => {
    const { client, email } = await signIn(app);
    const userId = await userIdOf(app, email);
    const adminId = uuidv7();
    const sessionId = uuidv7();
    const inside = { ip: '198.51.100.66', userAgent: 'admins-own-browser', requestId: 'r-1' };
    const details = { note: 'kept inside', reason: 'ended_by_admin' };
    for (const actor of [`admin:${adminId}`, `service:${adminId}`] as const)
      await service(app, Audit).record({
        kind: 'user_disabled',
        userId,
        actor,
        sessionId,
        client: inside,
        details,
      });
    const { body, text } = await client.get('/users/me/events?limit=2');
    expect(body['events'].map(({ actor }: { actor: string }) => actor)).toEqual(['service', 'admin']);
    expect(body['events'][1]).toMatchObject({ ip: null, user_agent: null, session_id: null, details: {} });
    for (const hidden of [adminId, inside.ip, inside.userAgent, inside.requestId, 'kept inside'])
      expect(text).not.toContain(hidden);
    const exported = await client.get('/users/me/export');
    const kinds = exported.body['audit_events'].map(({ actor }: { actor: string }) => actor);
    expect(kinds).toEqual(expect.arrayContaining(['user', 'service', 'admin']));
    for (const hidden of [adminId, inside.ip, inside.userAgent, inside.requestId])
      expect(exported.text).not.toContain(hidden);
  });

  it('O1: signing out is recorded with its scope, once for what it ended', async () => {
    const mine = await signIn(app);
    const userId = await userIdOf(app, mine.email);
    const [second, third] = [await signIn(app, mine.email), await signIn(app, mine.email)];
    await mine.client.post('/logout?scope=others');
    await mine.client.post('/logout');
    await mine.client.post('/logout');
    const [fourth] = [await signIn(app, mine.email), await signIn(app, mine.email)];
    await fourth.client.post('/logout?scope=global');
    expect([second.sessionId, third.sessionId]).not.toContain(mine.sessionId);
    const ended = await events(app, sql`user_id = ${userId} and kind in ('logout', 'sessions_revoked')`);
    expect(ended.map(({ kind, session_id, details }) => [kind, session_id, details])).toEqual([
      ['sessions_revoked', mine.sessionId, { reason: 'logout_others', sessions: 2 }],
      ['logout', mine.sessionId, { scope: 'local' }],
      ['logout', fourth.sessionId, { scope: 'global', sessions: 2 }],
    ]);
  });

  it('O1: a sign-in that replaces a session, and one beyond the limit, tell which session ended', async () => {
    const { email, client, sessionId } = await signIn(app);
    const userId = await userIdOf(app, email);
    await client.post('/login', { email, password: PASSWORD });
    const ended = await events(app, sql`user_id = ${userId} and kind = 'session_ended'`);
    expect(ended.map(({ session_id, details }) => [session_id, details])).toEqual([
      [sessionId, { reason: 'replaced' }],
    ]);
  });

  if (issues === 'jwt')
    it('F3: a refresh token that comes back ends the session, and the record says where it came from', async () => {
      const { reply, email } = await signIn(app);
      const userId = await userIdOf(app, email);
      const refresh = (refresh_token: string, ip: string) =>
        app.client.send('POST', '/refresh', { refresh_token }, {}, ip);
      const next = await refresh(reply.body['refresh_token'], '192.0.2.1');
      await refresh(next.body['refresh_token'], '192.0.2.1');
      await app.query(sql`update refresh_tokens set redeemed_at = redeemed_at - interval '1 hour'`);
      const again = await refresh(reply.body['refresh_token'], '192.0.2.66');
      expect(again.body['code']).toBe('refresh_reused');
      const [event] = await events(app, sql`user_id = ${userId} and kind = 'refresh_reused'`);
      expect(event).toMatchObject({ ip: '192.0.2.66', details: { cause: 'successor_used' } });
    });
});

describe('what was done and what was recorded', () => {
  let app: TestApp;
  let session: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    session = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' }, sibling: app });
    await app.query(
      sql`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$`,
    );
  });
  afterAll(async () => {
    await session.close();
    await app.close();
  });

  const post = (path: string, body?: object) => (person: Person) => person.client.post(path, body);
  type Person = Awaited<ReturnType<typeof person>>;

  async function person() {
    const signedIn = await signIn(app);
    const old = await signIn(session, signedIn.email);
    const { sessionId } = signedIn;
    return { ...signedIn, old: app.client.with(old.headers), oldSessionId: old.sessionId, sessionId };
  }

  async function addService() {
    const client = await service(app, ServiceClients).add(`service-${uuidv7()}x`, ['revoke']);
    const authorization = `Basic ${btoa(`${client?.id}:${client?.secret}`)}`;
    return { ...FORM, authorization };
  }

  interface Act {
    readonly act: string;
    readonly kind: string;
    readonly run: (person: Person) => Promise<unknown>;
    /** What it writes, and by which rows that is to be known. */
    readonly table: 'sessions' | 'service_clients';
    readonly by: 'insert' | 'update';
    readonly where: string;
  }

  const ENDS = { table: 'sessions', by: 'update', where: 'revoked_at is not null' } as const;
  const ACTS: readonly Act[] = [
    {
      act: 'sign-in',
      kind: 'login',
      run: ({ email }) => app.client.post('/login', { email, password: PASSWORD }),
      table: 'sessions',
      by: 'insert',
      where: 'id is not null',
    },
    { act: 'sign-out', kind: 'logout', run: post('/logout'), ...ENDS },
    { act: 'sign-out everywhere', kind: 'logout', run: post('/logout?scope=global'), ...ENDS },
    { act: 'sign-out elsewhere', kind: 'sessions_revoked', run: post('/logout?scope=others'), ...ENDS },
    {
      act: 'ending one session',
      kind: 'session_ended',
      run: ({ client, oldSessionId }) => client.send('DELETE', `/sessions/${oldSessionId}`),
      ...ENDS,
    },
    {
      act: 'an exchange',
      kind: 'credential_exchanged',
      run: ({ old }) => old.post('/session/exchange'),
      table: 'sessions',
      by: 'update',
      where: 'exchange_to is not null',
    },
    {
      act: 'a revocation by a service',
      kind: 'session_ended',
      run: async ({ reply }) =>
        app.client.post('/revoke', `token=${reply.body['access_token']}`, await addService()),
      ...ENDS,
    },
    {
      act: 'the reuse of a refresh token',
      kind: 'refresh_reused',
      run: async ({ reply }) => {
        const { refresh_token } = reply.body;
        const next = await app.client.post('/refresh', { refresh_token });
        await app.client.post('/refresh', { refresh_token: next.body['refresh_token'] });
        await app.query(sql`update refresh_tokens set redeemed_at = redeemed_at - interval '1 hour'`);
        return app.client.post('/refresh', { refresh_token });
      },
      ...ENDS,
    },
    {
      act: 'a new service client',
      kind: 'client_added',
      run: () => service(app, ServiceClients).add(`service-${uuidv7()}x`, ['introspect']),
      table: 'service_clients',
      by: 'insert',
      where: 'id is not null',
    },
  ];

  it.each(ACTS)(
    'fault 2: $act leaves its event, and neither stays where the end of the transaction fails',
    async ({ kind, run, table, by, where }) => {
      const changed = () => countOf(databaseOf(app), sql.raw(`${table} where ${where}`));
      const recorded = () => countOf(databaseOf(app), sql`audit_events where kind = ${kind}`);
      const unlucky = await person();
      const before = [await changed(), await recorded()];
      for (const [failing, operation, condition] of [
        [table, by, where],
        ['audit_events', 'insert', `kind = '${kind}'`],
      ]) {
        await app.query(
          sql.raw(`create constraint trigger last_moment after ${operation} on ${failing} deferrable initially deferred
            for each row when (new.${condition}) execute function refuse()`),
        );
        const failed = await run(unlucky).catch(() => ({ status: 500 }));
        await app.query(sql.raw(`drop trigger last_moment on ${failing}`));
        expect({ failing, status: (failed as Reply).status }).toEqual({ failing, status: 500 });
        expect([await changed(), await recorded()]).toEqual(before);
      }
      await run(await person());
      expect(await changed()).toBeGreaterThan(before[0] ?? 0);
      expect(await recorded()).toBeGreaterThan(before[1] ?? 0);
    },
  );

  it('O1: acts of operators on keys and clients are recorded, with who and what', async () => {
    const administration = new KeyAdministration(databaseOf(app), app.config.auth);
    // The next one may not have been published yet.
    await administration.rotate();
    await app.query(sql`update signing_keys set created_at = created_at - interval '1 day'`);
    await administration.rotate();
    const [key] = await app.query(sql<{ kid: string }>`select kid from signing_keys where state = 'current'`);
    await administration.revoke(key?.kid ?? '');
    const clients = service(app, ServiceClients);
    const added = await clients.add('resource-server', ['introspect']);
    await clients.remove('resource-server');
    await new KeyInventory(databaseOf(app), app.config.auth).rewrap();
    const recorded = await events(app, sql`actor = 'operator'`);
    const last = (kind: string) => recorded.findLast((event) => event.kind === kind)?.details;
    expect(last('key_rotated')).toEqual({ current: key?.kid, previous: expect.any(String) });
    expect(last('key_revoked')).toEqual({ kid: key?.kid, current: expect.any(String) });
    const client = { client_id: added?.id, name: 'resource-server', permissions: ['introspect'] };
    expect([last('client_added'), last('client_removed')]).toEqual([client, client]);
    expect(last('secrets_rewrapped')).toEqual({ keys: [], unopened: [], audit_chain: expect.any(String) });
  });

  it('O1: a key that a node makes or promotes, and a value that no other node runs, are recorded', async () => {
    const recorded = await events(app, sql`actor = 'system'`);
    const details = (kind: string) =>
      recorded.filter((event) => event.kind === kind).map((event) => event.details);
    expect(details('key_rotated')).toEqual([{ current: expect.any(String), previous: null }]);
    const started = (strategy: string) => ({
      strategy,
      host: expect.any(String),
      version: expect.any(String),
    });
    expect(details('strategy_started')).toEqual([started('jwt,session'), started('session,jwt')]);
    const third = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' }, sibling: app });
    await third.close();
    expect(await countOf(databaseOf(app), sql`audit_events where kind = 'strategy_started'`)).toBe(2);
  });
});

describe('the table of events', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
    await recordSome(app, 5);
    await sealAll(app);
    await recordSome(app, 1);
  });
  afterAll(() => app.close());

  it.each([
    ['update', sql`update audit_events set kind = 'login'`],
    ['update of the hash', sql`update audit_events set hash = decode(repeat('00', 32), 'hex') where seq = 2`],
    ['update of what is not sealed', sql`update audit_events set details = '{}' where seq is null`],
    [
      'seal that changes something',
      sql`update audit_events set seq = 999, hash = decode(repeat('00', 32), 'hex'), actor = 'x' where seq is null`,
    ],
    ['delete', sql`delete from audit_events where seq = 1`],
    ['truncate', sql`truncate audit_events`],
    ['truncate of all that is bound to it', sql`truncate audit_events cascade`],
  ])('refuses %s, also to whoever owns it', async (_what, statement) => {
    const failure = await databaseOf(app)
      .query(statement)
      .catch((error: unknown) => error);
    expect(String(failure)).toContain('audit events are only added');
  });

  it('lets nobody delete what is not sealed, even while retention runs', async () => {
    const failure = await databaseOf(app)
      .transaction(async (tx) => {
        await tx.query(sql`select set_config('traffy.audit_retention', 'on', true)`);
        // None was sealed in this transaction.
        await service(app, Audit).record({ kind: 'users_exported', userId: null }, tx);
        await tx.query(sql`delete from audit_events where seq is null`);
      })
      .catch((error: unknown) => error);
    expect(String(failure)).toContain('audit events are only added');
  });
});

describe('the chain', () => {
  let app: TestApp;
  let noted: ChainPlace;
  beforeAll(async () => {
    app = await startApp();
    await recordSome(app, 20);
    await sealAll(app);
    noted = await headOf(app);
    await recordSome(app, 20);
    await sealAll(app);
  });
  afterAll(() => app.close());

  it('is whole: every event has its place, and the head of before is in it', async () => {
    const head = await headOf(app);
    const report = await verify(databaseOf(app), noted);
    expect(report).toMatchObject({ broken: null, events: Number(head.seq), head });
    expect(await verify(databaseOf(app), head)).toMatchObject({ broken: null });
    const [row] = await app.query(
      sql<{
        places: number;
        last: number;
      }>`select count(distinct seq)::int as places, max(seq)::int as last from audit_events where seq is not null`,
    );
    expect(row).toEqual({ places: Number(head.seq), last: Number(head.seq) });
  });

  const zeros = sql`decode(repeat('00', 32), 'hex')`;
  const TAMPERINGS: [string, string, number, RawBuilder<unknown>[]][] = [
    [
      'another detail',
      'changed',
      7,
      [sql`update audit_events set details = '{"number": 400}' where seq = 7`],
    ],
    [
      'another person',
      'changed',
      7,
      [sql`update audit_events set user_id = gen_random_uuid() where seq = 7`],
    ],
    [
      'another time',
      'changed',
      7,
      [sql`update audit_events set at = at + interval '1 microsecond' where seq = 7`],
    ],
    ['no address any more', 'changed', 7, [sql`update audit_events set ip = '' where seq = 7`]],
    ['another transaction', 'changed', 7, [sql`update audit_events set xact = xact + 1 where seq = 7`]],
    ['another hash', 'changed', 7, [sql`update audit_events set hash = ${zeros} where seq = 7`]],
    [
      'another last event',
      'changed',
      0,
      [sql`update audit_events set actor = 'user' where seq = (select max(seq) from audit_events)`],
    ],
    ['one deleted', 'missing', 7, [sql`delete from audit_events where seq = 7`]],
    ['the first deleted', 'missing', 1, [sql`delete from audit_events where seq = 1`]],
    [
      'one deleted, and the rest moved up',
      'missing',
      7,
      [
        sql`delete from audit_events where seq = 7`,
        sql`update audit_events set seq = -seq where seq > 7`,
        sql`update audit_events set seq = -seq - 1 where seq < 0`,
        sql`update audit_chain set head_seq = head_seq - 1`,
      ],
    ],
    [
      'one inserted, and the rest moved down',
      'inserted',
      7,
      [
        sql`update audit_events set seq = -seq where seq >= 7`,
        sql`update audit_events set seq = -seq + 1 where seq < 0`,
        sql`insert into audit_events (id, kind, actor, seq, hash) values (gen_random_uuid(), 'login', 'user', 7, ${zeros})`,
        sql`update audit_chain set head_seq = head_seq + 1`,
      ],
    ],
    [
      'one inserted behind the head',
      'changed',
      0,
      [
        sql`insert into audit_events (id, kind, actor, seq, hash)
            values (gen_random_uuid(), 'login', 'user', (select max(seq) + 1 from audit_events), ${zeros})`,
      ],
    ],
    [
      'two that changed places',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 8)`,
        sql`update audit_events set seq = 15 + seq where seq < 0`,
      ],
    ],
    [
      'two apart that changed places',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 12)`,
        sql`update audit_events set seq = 19 + seq where seq < 0`,
      ],
    ],
    [
      'two that changed what they say',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 8)`,
        sql`update audit_events e set hash = o.hash, seq = 15 + e.seq from audit_events o
            where e.seq < 0 and o.seq < 0 and e.id <> o.id`,
      ],
    ],
    ['the tail cut off', 'cut', 31, [sql`delete from audit_events where seq > 30`]],
    ['all gone', 'cut', 1, [sql`delete from audit_events`]],
    [
      'the start cut off, as if its time were over',
      'cut_at_start',
      10,
      [
        sql`update audit_chain set first_seq = 10, first_hash = (select hash from audit_events where seq = 10)`,
        sql`delete from audit_events where seq <= 10`,
      ],
    ],
    [
      'the start cut off, and a record that its time was over',
      'cut_at_start',
      10,
      [
        sql`update audit_chain set first_seq = 10, first_hash = (select hash from audit_events where seq = 10)`,
        sql`delete from audit_events where seq <= 10`,
        sql`insert into audit_events (id, kind, actor, details)
            values (gen_random_uuid(), 'audit_pruned', 'system', '{"through": "10", "events": 10}')`,
      ],
    ],
    ['no chain any more', 'no_chain', 1, [sql`delete from audit_chain`]],
  ];

  it.each(TAMPERINGS)('shows %s: %s', async (_what, fault, seq, statements) => {
    const head = await headOf(app);
    const report = await inPassing(app, async (tx) => {
      for (const statement of statements) await tx.query(statement);
      return verify(tx);
    });
    const place = seq === 0 ? report.broken?.seq : BigInt(seq);
    expect(report.broken).toMatchObject({ fault, seq: place });
    expect((await verify(databaseOf(app), head)).broken).toBeNull();
  });

  it('shows a tail that was cut off together with the head, by a head that was noted elsewhere', async () => {
    const head = await headOf(app);
    const cut = sql`with gone as (delete from audit_events where seq > 30 returning 1)
      update audit_chain set head_seq = 30, head_hash = (select hash from audit_events where seq = 30)`;
    const [alone, compared] = await inPassing(app, async (tx) => {
      await tx.query(cut);
      return [await verify(tx), await verify(tx, head)];
    });
    // What follows is only as good as where the head is kept.
    expect(alone?.broken).toBeNull();
    expect(compared?.broken).toEqual({ fault: 'cut', seq: 31n, id: null });
    const other = { seq: noted.seq, hash: head.hash };
    expect((await verify(databaseOf(app), other)).broken).toMatchObject({
      fault: 'another_head',
      seq: noted.seq,
    });
  });

  it('cannot be verified, or gone on with, under other secrets', async () => {
    await expect(verifyChain(databaseOf(app), [OTHER_SECRET])).rejects.toBeInstanceOf(ChainKeyDoesNotFit);
    const foreign = new AuditSealer(databaseOf(app), { AUTH_SECRETS: [OTHER_SECRET] });
    const failure = await until(async () => {
      // This node may be quicker.
      await recordSome(app, 1);
      return foreign.seal().then(
        () => undefined,
        (error: unknown) => error,
      );
    });
    expect(failure).toBeInstanceOf(ChainKeyDoesNotFit);
    await sealAll(app);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('J16: after a rewrap the new secret alone opens its key', async () => {
    const rewrap = async (secrets: [string, ...string[]]) => {
      const config = { ...app.config.auth, AUTH_SECRETS: secrets };
      const { auditChain, othersMayLeaveAt } = await new KeyInventory(databaseOf(app), config).rewrap();
      return [auditChain, othersMayLeaveAt !== null];
    };
    expect(await rewrap([OTHER_SECRET])).toEqual(['unopened', false]);
    expect(await rewrap([OTHER_SECRET, TEST_SECRET])).toEqual(['rewrapped', true]);
    expect(await rewrap([OTHER_SECRET, TEST_SECRET])).toEqual(['kept', true]);
    expect((await verifyChain(databaseOf(app), [OTHER_SECRET], noted)).broken).toBeNull();
    await expect(verify(databaseOf(app))).rejects.toBeInstanceOf(ChainKeyDoesNotFit);
    expect(await rewrap([TEST_SECRET, OTHER_SECRET])).toEqual(['rewrapped', true]);
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
  });

  it('fault 9: two nodes that seal at once, under load, make one chain without a gap', async () => {
    const other = await startApp({ sibling: app });
    const nodes = [app, other];
    const before = await countOf(databaseOf(app), sql`audit_events`);
    const recording = nodes.flatMap((node) => Array.from({ length: 6 }, () => recordSome(node, 25)));
    const sealing = nodes.flatMap((node) =>
      Array.from({ length: 2 }, async () => {
        for (let round = 0; round < 15; round += 1) await service(node, AuditSealer).seal();
      }),
    );
    await Promise.all([...recording, ...sealing]);
    await sealAll(app);
    const head = await headOf(app);
    expect(await countOf(databaseOf(app), sql`audit_events`)).toBe(before + 300);
    expect(Number(head.seq)).toBe(before + 300);
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
    await recordSome(other, 3);
    await other.close();
    // Fault 11: what it recorded until it stopped is sealed, by itself or the other one.
    await until(async () => (await verify(databaseOf(app))).unsealed.events === 0 || undefined, 5_000);
  });

  itOnServer('who records waits for nobody, and what commits late still gets its place', async () => {
    const audit = service(app, Audit);
    const head = await headOf(app);
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let began: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => (began = resolve));
    const late = databaseOf(app).transaction(async (tx) => {
      await audit.record({ kind: 'email_changed', userId: null }, tx);
      began();
      await released;
    });
    await hasBegun;
    // Recorded and committed behind it: it must not get a place before what was begun earlier.
    await audit.record({ kind: 'email_verified', userId: null });
    for (let round = 0; round < 3; round += 1) await service(app, AuditSealer).seal();
    const meanwhile = await headOf(app);
    const { unsealed } = await verify(databaseOf(app));
    release();
    await late;
    expect([meanwhile.seq, unsealed.events]).toEqual([head.seq, 1]);
    await sealAll(app);
    const sealed = await app.query(
      sql<{
        kind: string;
      }>`select kind from audit_events where seq > ${head.seq.toString()}::bigint order by seq`,
    );
    expect(sealed.map(({ kind }) => kind)).toEqual(['email_changed', 'email_verified']);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('seals what was restored from a server that had counted further', async () => {
    const head = await headOf(app);
    await asOwner(
      app,
      sql`insert into audit_events (id, kind, actor, xact) values (gen_random_uuid(), 'login', 'user', 4000000000000)`,
    );
    await recordSome(app, 1);
    await sealAll(app);
    expect((await headOf(app)).seq).toBe(head.seq + 2n);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('stands in the log with its head, for whoever keeps that elsewhere', async () => {
    const line = await until(() => app.logs.find(({ event }) => event === 'audit_head'));
    const [row] = await app.query(
      sql<{
        hash: string;
      }>`select encode(hash, 'hex') as hash from audit_events where seq = ${Number(line['seq'])}`,
    );
    expect(line).toMatchObject({ level: 'info', hash: row?.hash });
  });
});

describe('AUDIT_RETENTION', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUDIT_RETENTION: '30d' } });
  });
  afterAll(() => app.close());

  it('deletes the oldest alone, and what is left can still be verified', async () => {
    await recordSome(app, 10);
    // Made old before they are sealed.
    await asOwner(app, sql`update audit_events set at = at - interval '31 days'`);
    await recordSome(app, 5, 'admin_viewed');
    await sealAll(app);
    const noted = await headOf(app);
    const retention = service(app, AuditRetention);
    const old = await countOf(databaseOf(app), sql`audit_events where at < now() - interval '30 days'`);
    const prune = () => databaseOf(app).transaction((tx) => retention.batch(tx, 5_000));
    expect(await prune()).toEqual({ count: old, hasMore: false });
    // Before its own record is sealed, and after.
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
    await sealAll(app);
    const report = await verify(databaseOf(app), noted);
    expect(report).toMatchObject({ broken: null, first: { seq: BigInt(old) } });
    expect(await countOf(databaseOf(app), sql`audit_events where kind = 'admin_viewed'`)).toBe(5);
    const [pruned] = await events(app, sql`kind = 'audit_pruned'`);
    expect(pruned).toMatchObject({ actor: 'system', details: { events: old, through: String(old) } });
    expect((await prune()).count).toBe(0);
    // A head from before that can only be compared where it is the last that was deleted.
    const [last, before] = [
      { seq: BigInt(old), hash: report.first?.hash ?? noted.hash },
      { ...noted, seq: 1n },
    ];
    expect((await verify(databaseOf(app), last)).broken).toBeNull();
    expect((await verify(databaseOf(app), before)).broken).toMatchObject({ fault: 'head_too_old' });
  });

  it('leaves a chain that goes on, once all of it is old', async () => {
    await recordSome(app, 3);
    await sealAll(app);
    const impatient = new AuditRetention(service(app, Audit), { AUDIT_RETENTION: 0 }, app.config.auth);
    const { count } = await databaseOf(app).transaction((tx) => impatient.batch(tx, 5_000));
    expect(count).toBeGreaterThan(3);
    const { broken, events: left, first, head } = await verify(databaseOf(app));
    expect([broken, left, first]).toEqual([null, 0, head]);
    await recordSome(app, 2);
    await sealAll(app);
    // With what the deletion recorded of itself.
    expect(await verify(databaseOf(app), head)).toMatchObject({ broken: null, events: 3 });
  });
});

describe('attempts of strangers', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  const attempt = (ip: string, email: string, userId: string | null = null) =>
    service(app, Audit).recordAttempt({
      kind: 'login_failed',
      userId,
      email,
      client: { ip, userAgent: null, requestId: 'r' },
      details: { reason: 'wrong' },
    });
  const from = (ip: string) => events(app, sql`ip = ${ip}`);

  it('G3, O1: of one network, the first ten in a minute are recorded, and then ever fewer, with their number', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, i) => attempt('192.0.2.7', `nobody${i}@example.com`)));
    const recorded = await from('192.0.2.7');
    // Over the end of a minute it begins anew.
    expect(recorded.length).toBeGreaterThanOrEqual(12);
    expect(recorded.length).toBeLessThanOrEqual(30);
    const numbers = recorded.flatMap(({ details }) =>
      'attempt' in details ? [Number(details['attempt'])] : [],
    );
    expect(numbers).toContain(16);
    expect(numbers.filter((number) => number < 16 || !Number.isInteger(Math.log2(number)))).toEqual([]);
  });

  it('G3: of any number of networks, no more than a fixed number is recorded in a minute', async () => {
    // Of a minute that has not begun, so that none ends meanwhile.
    await app.query(
      sql`insert into audit_counters (kind, subject, began_at, count)
          select 'login_failed', 'unknown/' || n, now() + interval '1 minute', 60 from generate_series(0, 15) n
          on conflict (kind, subject) do update set began_at = excluded.began_at, count = 60`,
    );
    await Promise.all(
      Array.from({ length: 320 }, (_, i) => attempt(`10.1.${i >> 4}.${i & 15}`, `nobody.${i}@example.com`)),
    );
    const recorded = await events(app, sql`ip like '10.1.%'`);
    // The 64th in each of the parts, and of none another.
    expect(recorded.map(({ details }) => details['attempt_of_all'])).toEqual(
      Array.from({ length: 16 }, () => 64),
    );
    await app.query(sql`update audit_counters set began_at = began_at - interval '5 minutes'`);
  });

  it('O1: at an account that there is, its owner sees them, whatever is tried elsewhere from the same network', async () => {
    const { client, email } = await signIn(app);
    await Promise.all(Array.from({ length: 40 }, (_, i) => attempt('192.0.2.8', `nobody${i}@example.com`)));
    for (let i = 0; i < 3; i += 1) await attempt('192.0.2.8', email);
    const { body } = await client.get('/users/me/events');
    const failed = body['events'].filter(
      ({ kind, ip }: StoredEvent) => kind === 'login_failed' && ip === '192.0.2.8',
    );
    expect(failed).toHaveLength(3);
  });

  it('forgets what it counted', async () => {
    expect(await countOf(databaseOf(app), sql`audit_counters`)).toBeGreaterThan(0);
    await app.query(sql`update audit_counters set began_at = began_at - interval '5 minutes'`);
    await service(app, Sweeper).sweep();
    expect(await countOf(databaseOf(app), sql`audit_counters`)).toBe(0);
  });
});

/** What would begin another line, or be obeyed by a terminal, and what PostgreSQL cannot store. */
const NASTY = 'evil\r\n{"event":"login"}\u001b[2J\u009b31m\u2028\u2029\u0000\ud800 end';
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

async function recordNasty(app: TestApp, email: string): Promise<void> {
  const userId = await userIdOf(app, email);
  const client = { ip: NASTY, userAgent: NASTY, requestId: NASTY };
  await service(app, Audit).record({ kind: 'passkey_renamed', userId, client, details: { name: NASTY } });
  await service(app, Audit).recordAttempt({ kind: 'login_failed', userId: null, email: NASTY, client });
}

describe('what must never stand in the trail or the log', () => {
  const SECRET_FIELDS =
    /^(password|current_password|new_password|token|refresh_token|access_token|mfa_token|code|recovery_code|secret|otpauth_uri|client_secret|signature)$/;

  /** What was sent and answered that opens something, and addresses as they were typed. */
  class Listener {
    readonly secrets = new Set<string>();
    readonly addresses = new Set<string>();

    hear(value: unknown, name = ''): void {
      if (Array.isArray(value)) for (const item of value) this.hear(item, name === 'codes' ? 'code' : name);
      else if (typeof value === 'object' && value !== null)
        for (const [key, inner] of Object.entries(value)) this.hear(inner, key);
      // Problems have a code that is none.
      else if (name === 'code' && /^[a-z_]+$/.test(String(value))) return;
      else if (typeof value === 'string' && SECRET_FIELDS.test(name)) this.secrets.add(value);
      // What is masked in the trail is answered masked: that is no address.
      else if (typeof value === 'string' && name === 'email' && !value.includes('***'))
        this.addresses.add(value);
    }

    hearText(text: unknown): void {
      if (typeof text !== 'string') return;
      try {
        this.hear(JSON.parse(text));
      } catch {
        this.hear(Object.fromEntries(new URLSearchParams(text)));
      }
    }

    hearHeaders(headers: Record<string, unknown>): void {
      for (const line of [headers['cookie'], headers['set-cookie']].flat()) {
        for (const pair of String(line ?? '').split('; ')) {
          const [name = '', value = ''] = pair.split('=');
          if (/session|_token/.test(name)) this.secrets.add(value);
        }
      }
      const [, credential = ''] = String(headers['authorization'] ?? '').split(' ');
      this.secrets.add(credential);
      const [, clientSecret = ''] = Buffer.from(credential, 'base64').toString('latin1').split(':');
      this.secrets.add(clientSecret);
    }
  }

  it('O2: after everything that can be called was called, no secret that was sent or given stands in either', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    const listener = new Listener();
    const { app: http } = app.running;
    const adapter = http.getHttpAdapter() as unknown as { inject: unknown };
    const inject = (adapter.inject as (...all: unknown[]) => unknown).bind(adapter) as (
      request: Record<string, unknown>,
    ) => Promise<{
      headers: Record<string, unknown>;
      body: string;
    }>;
    adapter.inject = async (request: Record<string, unknown>) => {
      listener.hearText(request['payload']);
      listener.hearHeaders(request['headers'] as Record<string, unknown>);
      const reply = await inject(request);
      listener.hearText(reply.body);
      listener.hearHeaders(reply.headers);
      return reply;
    };
    const note: Note = async (_name, ...calls) => void (await Promise.all(calls));
    const folder = join(import.meta.dirname, 'support', 'provoke');
    for (const file of readdirSync(folder).filter((name) => name !== 'common.ts')) {
      const capability = (await import(join(folder, file))) as Record<string, unknown>;
      for (const [name, provoke] of Object.entries(capability))
        if (name.startsWith('provoke') && typeof provoke === 'function') await provoke(app, note);
    }
    const person = await signIn(app);
    const { refresh_token } = person.reply.body;
    await app.client.post('/refresh', { refresh_token });
    await app.client.post('/login', { email: person.email, password: 'a wrong and rather long one' });
    await app.client.post('/login', { email: freshEmail(), password: 'of somebody who is not there' });
    await sealAll(app);

    const rows = await app.query(sql<{ text: string }>`select to_jsonb(e)::text as text from audit_events e`);
    const trail = rows.map(({ text }) => text).join('\n');
    const [outbox] = await app.query(
      sql<{ text: string | null }>`select string_agg(to_jsonb(m)::text, ' ') as text from outbox_mails m`,
    );
    const log = app.logText();
    expect(rows.length).toBeGreaterThan(5);
    // Short ones are numbers that stand anywhere: as a whole value they do not.
    const forms = [...listener.secrets].filter((secret) => secret.length >= 6);
    const sought = forms.map((secret) => (secret.length < 10 ? JSON.stringify(secret) : secret));
    expect(sought.length).toBeGreaterThan(10);
    const found = (text: string) => sought.filter((secret) => text.includes(secret));
    expect({ trail: found(trail), log: found(log), outbox: found(outbox?.text ?? '') }).toEqual({
      trail: [],
      log: [],
      outbox: [],
    });
    // Answers may have masked ones; those are what the trail is to have.
    const addresses = [...listener.addresses].filter((address) => /^[^*]+@/.test(address));
    expect(addresses.length).toBeGreaterThan(5);
    expect(addresses.filter((address) => trail.includes(address) || log.includes(address))).toEqual([]);
    await app.close();
  });

  it('O3: a user agent breaks no line of the log, and no sign-in', async () => {
    const app = await startApp();
    const { email, headers } = await signIn(app);
    await recordNasty(app, email);
    await app.client.post(
      '/login',
      { email, password: PASSWORD },
      { 'user-agent': NASTY.split('\0')[0] ?? '' },
    );
    const { body } = await app.client.with(headers).get('/users/me/events');
    const renamed = body['events'].find(({ kind }: StoredEvent) => kind === 'passkey_renamed');
    expect(renamed.user_agent).toContain('evil');
    for (const line of app.logText().split('\n').slice(0, -1)) expect(() => JSON.parse(line)).not.toThrow();
    expect(app.logText()).not.toMatch(CONTROLS);
    await app.close();
  });
});

describe('traffy audit', () => {
  let database: TestDatabase;
  let email: string;
  let noted: string;
  let app: TestApp | undefined;
  beforeAll(async () => {
    database = await createTestDatabase();
    const first = await startApp({ database });
    ({ email } = await signIn(first));
    await recordNasty(first, email);
    await recordSome(first, 5);
    await sealAll(first);
    // The embedded database belongs to one process; on a server the node goes on beside the command.
    if (onServer) app = first;
    else await first.close();
  });
  afterEach(endAllPrograms);
  afterAll(async () => {
    await app?.close();
    await database.drop();
  });

  async function traffy(...args: string[]) {
    const program = startProgram({
      args: ['traffy', 'audit', ...args],
      env: { ...database.env, AUTH_SECRETS: TEST_SECRET },
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('verify says that it is whole, list shows what happened, and head what to note elsewhere', async () => {
    const head = await traffy('head');
    expect(head.out).toMatch(/^\d+:[0-9a-f]{64}\n$/);
    noted = head.out.trim();
    const { code, out } = await traffy('verify', '--json', '--head', noted);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ intact: true, broken: null, first: 1, head: noted });
    const shown = await traffy('list', '--user', email);
    expect(shown.out).toMatch(/\n\S+Z +login +\S+ +user +127\.0\.0\.1 +\{"device/);
    expect(shown.out.split('\n').filter((line) => line.includes('evil'))).toHaveLength(1);
    expect(shown.out).toContain('\\u001b[2J\\u009b31m\\u2028');
    expect(shown.out).not.toMatch(CONTROLS);
  });

  it('verify says of a whole chain that it lacks a head which is not its own, and of no break', async () => {
    const { code, out, err } = await traffy('verify', '--head', `2:${'0'.repeat(64)}`);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'traffy: the audit trail does not have the given head at 2: another event stands there than the one that was noted\n',
    });
    expect(out).toMatch(/^\d+ events fit, from 1 to (\d+); the head is \1:[0-9a-f]{64}\.\n$/);
  });

  it('verify ends with 1 and names the place once something was changed', async () => {
    const tampered = app ?? (await startApp({ database }));
    await asOwner(tampered, sql`update audit_events set actor = 'nobody' where seq = 3`);
    if (!app) await tampered.close();
    const { code, out, err } = await traffy('verify', '--head', noted);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'traffy: the audit trail is broken at 3: the event was changed\n',
    });
    expect(out).toContain('2 events fit, from 1 to 2; then the chain breaks.');
  });
});
