import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Audit } from '../../src/audit/audit.service.js';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { KeyAdministration } from '../../src/auth/keys/key-administration.service.js';
import { KeyInventory } from '../../src/auth/keys/key-inventory.service.js';
import { textsIn } from '../../src/texts/language.js';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { PASSWORD, signIn, STRATEGIES } from '../support/strategies.js';
import {
  countOf,
  databaseOf,
  events,
  recordSome,
  sealAll,
  service,
  userIdOf,
} from '../support/audit-events.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

describe.each(STRATEGIES)('the audit trail with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  it('users see the events of their own account, newest first [O1]', async () => {
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
      device: null,
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

  it('describes them in the language of the reader', async () => {
    const { client } = await signIn(app);
    const german = await client.get('/users/me/events', { 'accept-language': 'de' });
    expect(german.headers).toMatchObject({
      'content-language': 'de',
      vary: expect.stringContaining('Accept-Language'),
    });
    const of = ({ body }: typeof german) => body['events'][0] as object;
    expect(of(german)).toMatchObject({ kind: 'login', description: textsIn('de').events.login });
    const english = await client.get('/users/me/events', { 'accept-language': 'fr' });
    expect(of(english)).toMatchObject({ kind: 'login', description: 'Signed in' });
  });

  it('pages of any size contain every event once, in one order [O1]', async () => {
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

  it('refuses an invalid query and names the field', async () => {
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

  it('hides administrator, service, network and internal details from users', async () => {
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

  it('records a sign-out with its scope, once per ended session [O1]', async () => {
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

  it('records which session a sign-in replaced or the session limit ended [O1]', async () => {
    const { email, client, sessionId } = await signIn(app);
    const userId = await userIdOf(app, email);
    await client.post('/login', { email, password: PASSWORD });
    const ended = await events(app, sql`user_id = ${userId} and kind = 'session_ended'`);
    expect(ended.map(({ session_id, details }) => [session_id, details])).toEqual([
      [sessionId, { reason: 'replaced' }],
    ]);
  });

  if (issues === 'jwt')
    it('records that reuse of a refresh token ended the session, and the client that caused it [F3]', async () => {
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

describe('acts and their records', () => {
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
    '$act and its record are committed together or not at all [fault 2]',
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

  it("records operators' changes of keys and clients with actor and object [O1]", async () => {
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

  it('records keys that a node creates or promotes, and a value that no other node runs [O1]', async () => {
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

describe('table of events', () => {
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
  ])('refuses %s, also for the owner of the table', async (_what, statement) => {
    const failure = await databaseOf(app)
      .query(statement)
      .catch((error: unknown) => error);
    expect(String(failure)).toContain('audit events are only added');
  });

  it('never deletes an unsealed event, even during retention', async () => {
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
