import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { ServiceClients } from '../../src/services/service-clients.service.js';
import { ExpiredSessions } from '../../src/auth/sessions/expired-sessions.js';
import { SessionPurges } from '../../src/auth/sessions/session-purges.service.js';
import { Purger } from '../../src/platform/retention/purger.service.js';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { createTestDatabase, onServer } from '../support/database.js';
import { mailsQueued } from '../support/mailbox.js';
import { until } from '../support/process.js';
import { PASSWORD, type SignedIn, signIn, STRATEGIES } from '../support/strategies.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const purgerOf = (app: TestApp) => app.running.app.get(Purger, { strict: false });
const databaseOf = (app: TestApp) => app.running.database.database;

async function count(app: TestApp, what: ReturnType<typeof sql>): Promise<number> {
  const [row] = await app.query(sql<{ count: number }>`select count(*)::int as count from ${what}`);
  return row?.count ?? 0;
}

/** Lets days pass for a session, and for whatever it had. */
async function age(app: TestApp, { sessionId }: SignedIn, days: number): Promise<void> {
  const by = sql`make_interval(days => ${days})`;
  await app.query(
    sql`update sessions set created_at = created_at - ${by}, last_used_at = last_used_at - ${by}, expires_at = expires_at - ${by},
          revoked_at = revoked_at - ${by}, access_expires_at = access_expires_at - ${by} where id = ${sessionId}`,
  );
}

/** Sessions of somebody that ended long ago, made behind the application's back. */
async function addEnded(app: TestApp, { email }: SignedIn, sessions: number): Promise<void> {
  await app.query(
    sql`insert into sessions (id, user_id, strategy, methods, created_at, expires_at)
        select gen_random_uuid(), (select id from users where email_canonical = ${email}), 'jwt', '{pwd}', now() - interval '40 days',
          now() - interval '10 days' + make_interval(secs => n) from generate_series(1, ${sessions}::int) as n`,
  );
}

/** What a test of something else left behind has no part in this one. */
function purgedBy(app: TestApp, rows: string): number {
  return app.logs.reduce(
    (sum, { event, [rows]: number }) => sum + (event === 'purged' ? Number(number ?? 0) : 0),
    0,
  );
}

describe.each(STRATEGIES)(
  'sessions that ended long ago, with AUTH_STRATEGY=$strategy',
  ({ strategy, issues }) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    });
    afterAll(() => app.close());

    const refresh = ({ reply }: SignedIn): Promise<Reply> =>
      app.client.post('/refresh', { refresh_token: reply.body['refresh_token'] });

    /** Every way to present what a sign-in was answered with, but for the refresh token. */
    async function answersTo({ client, reply, headers }: SignedIn): Promise<Reply[]> {
      const token = reply.body['access_token'];
      const value = headers['cookie']?.split('=')[1];
      const spellings =
        issues === 'jwt'
          ? [`access_token=${token}`]
          : [`__Host-session=${value}`, `session=x; session=${value}`];
      return [
        await client.get('/users/me'),
        await client.get('/sessions'),
        await client.get('/verify'),
        await client.post('/session/exchange'),
        ...(await Promise.all(spellings.map((cookie) => app.client.get('/users/me', { cookie })))),
      ];
    }

    /** In the body and in its cookie; nothing where there is none. */
    async function answersToRefresh(signedIn: SignedIn): Promise<Reply[]> {
      if (issues === 'session') return [];
      const cookie = `refresh_token=${signedIn.reply.body['refresh_token']}`;
      return [await refresh(signedIn), await app.client.post('/refresh', undefined, { cookie })];
    }

    async function expectDead(signedIn: SignedIn, code: string, refreshCode: string): Promise<void> {
      expect((await signedIn.client.get('/me')).body).toEqual({ logged_in: false, action: 'login' });
      const facts = ({ status, body }: Reply) => [status, body['code'], body['action']];
      const answers = (await answersTo(signedIn)).map(facts);
      expect(answers).toEqual(answers.map(() => [401, code, 'login']));
      const refreshes = (await answersToRefresh(signedIn)).map(facts);
      expect(refreshes).toEqual(refreshes.map(() => [401, refreshCode, 'login']));
    }

    /** Whether whoever holds a live session can go on with it. */
    async function goesOn(signedIn: SignedIn): Promise<boolean> {
      const replies = [
        await signedIn.client.get('/users/me'),
        ...(issues === 'jwt' ? [await refresh(signedIn)] : []),
      ];
      return replies.every(({ status }) => status === 200);
    }

    async function isActive({ reply, headers }: SignedIn): Promise<unknown> {
      const service = await app.running.app
        .get(ServiceClients, { strict: false })
        .add(`service-${crypto.randomUUID()}`, ['introspect']);
      const token = reply.body['access_token'] ?? headers['cookie']?.split('=')[1];
      const answer = await app.client.send('POST', '/introspect', `token=${token}`, {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${btoa(`${service?.id}:${service?.secret}`)}`,
      });
      return answer.body['active'];
    }

    it('are purged, and their credentials stay refused [S4]', async () => {
      const live = await signIn(app);
      const [revoked, expired] = [await signIn(app, live.email), await signIn(app, live.email)];
      await revoked.client.post('/logout');
      await age(app, revoked, 8);
      await age(app, expired, 38);
      await expectDead(revoked, 'credential_revoked', 'refresh_revoked');
      await expectDead(expired, 'credential_expired', 'refresh_expired');
      const told = await count(app, sql`revocations`);
      await purgerOf(app).purge();
      for (const gone of [revoked, expired]) {
        expect(await count(app, sql`sessions where id = ${gone.sessionId}`)).toBe(0);
        expect(await count(app, sql`refresh_tokens where session_id = ${gone.sessionId}`)).toBe(0);
        await expectDead(gone, 'credential_invalid', 'refresh_invalid');
        expect(await isActive(gone)).toBe(false);
        // A token names its session by `sid`; a cookie whose row is purged names none.
        expect((await gone.client.post('/logout')).body).toEqual(
          issues === 'jwt' ? { logged_in: false } : { logged_in: false, action: 'login' },
        );
        expect((await live.client.send('DELETE', `/sessions/${gone.sessionId}`)).status).toBe(404);
      }
      // Nobody remembers them, so nobody is told.
      expect(await count(app, sql`revocations`)).toBe(told);
      expect((await live.client.get('/me')).body).toEqual({ logged_in: true, email: live.email });
      expect(await isActive(live)).toBe(true);
      const { sessions } = (await live.client.get('/sessions')).body;
      expect(sessions.map(({ id }: { id: string }) => id)).toEqual([live.sessionId]);
      expect(await goesOn(live)).toBe(true);
    });

    it('stay for SESSION_RETENTION, so that clients get the reason [S4]', async () => {
      const [revoked, expired] = [await signIn(app), await signIn(app)];
      await revoked.client.post('/logout');
      await age(app, revoked, 6);
      await age(app, expired, 36);
      await purgerOf(app).purge();
      await expectDead(revoked, 'credential_revoked', 'refresh_revoked');
      await expectDead(expired, 'credential_expired', 'refresh_expired');
    });

    it('stay as long as one of their access tokens could be valid under any settings [F2, B6]', async () => {
      const revoked = await signIn(app);
      await revoked.client.post('/logout');
      await age(app, revoked, 8);
      await app.query(
        sql`update sessions set access_expires_at = now() + interval '1 hour' where id = ${revoked.sessionId}`,
      );
      await purgerOf(app).purge();
      await expectDead(revoked, 'credential_revoked', 'refresh_revoked');
    });

    it('are the only ones purged: idle and cut-off sessions go after their absolute expiry [S7]', async () => {
      const [idle, cut] = [await signIn(app), await signIn(app)];
      await app.query(
        sql`update sessions set created_at = now() - interval '25 days', last_used_at = now() - interval '24 days',
            access_expires_at = null, expires_at = now() + interval '5 days' where id in (${idle.sessionId}, ${cut.sessionId})`,
      );
      await app.query(
        sql`insert into revocations (kind, user_id, issued_before, created_at, expires_at)
          select 'user', user_id, now() - interval '20 days', now() - interval '20 days', now() + interval '380 days'
          from sessions where id = ${cut.sessionId}`,
      );
      await purgerOf(app).purge();
      await expectDead(idle, 'credential_expired', 'refresh_expired');
      await expectDead(cut, 'credential_revoked', 'refresh_revoked');
    });
  },
);

describe('purge', () => {
  let app: TestApp;
  let somebody: SignedIn;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    somebody = await signIn(app);
  });
  afterAll(() => app.close());

  it('by two concurrent nodes deletes each row once', async () => {
    const sibling = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt,session' } });
    const before = purgedBy(app, 'sessions');
    await addEnded(app, somebody, 3_000);
    await Promise.all([app, sibling, app].map((node) => purgerOf(node).purge()));
    expect(await count(app, sql`sessions where expires_at < now()`)).toBe(0);
    expect(purgedBy(app, 'sessions') - before + purgedBy(sibling, 'sessions')).toBe(3_000);
    expect([...app.logs, ...sibling.logs].filter(({ event }) => event === 'purge_delayed')).toEqual([]);
    expect((await somebody.client.get('/users/me')).status).toBe(200);
    await sibling.close();
  });

  it('deletes a bounded number of rows per transaction, also of a session with many refreshes', async () => {
    const tired = await signIn(app);
    await app.query(
      sql`insert into refresh_tokens (token_hash, session_id, parent_hash, redeemed_at)
          select sha256(convert_to('link ' || n, 'UTF8')), ${tired.sessionId}, sha256(convert_to('link ' || n - 1, 'UTF8')), now()
          from generate_series(1, 95) as n`,
    );
    await age(app, tired, 38);
    const { all: purges } = app.running.app.get(SessionPurges, { strict: false });
    const old = new ExpiredSessions('expires_at', 7 * 86_400, purges);
    const rows = () => count(app, sql`refresh_tokens where session_id = ${tired.sessionId}`);
    const left: number[] = [];
    let purged = { count: 0, hasMore: true };
    while (purged.hasMore) {
      purged = await databaseOf(app).transaction((tx) => old.batch(tx, 40));
      left.push(await rows());
    }
    // The one of the sign-in, and 95 more.
    expect(left).toEqual([56, 16, 0]);
    expect(purged).toEqual({ count: 1, hasMore: false });
    expect((await tired.client.get('/users/me')).body['code']).toBe('credential_invalid');
  });

  it('continues where it was, and starts again at the end', async () => {
    await addEnded(app, somebody, 50);
    const old = new ExpiredSessions('expires_at', 7 * 86_400, []);
    const batch = () => databaseOf(app).transaction((tx) => old.batch(tx, 20));
    expect([await batch(), await batch()]).toEqual([
      { count: 20, hasMore: true },
      { count: 20, hasMore: true },
    ]);
    // One that is older than where it has come to: the next time.
    await addEnded(app, somebody, 1);
    expect(await batch()).toEqual({ count: 10, hasMore: false });
    expect(await batch()).toEqual({ count: 1, hasMore: false });
  });

  it.each([
    {
      table: 'one_time_tokens',
      insert: (at: number) =>
        sql`insert into one_time_tokens (token_hash, purpose, user_id, email, expires_at)
            select sha256(convert_to(${`one-time ${at}`}, 'UTF8')), 'verify_email', id, email, now() + make_interval(secs => ${at}) from users limit 1`,
      over: -1,
      young: 3_600,
    },
    {
      table: 'mfa_challenges',
      insert: (at: number) =>
        sql`insert into mfa_challenges (token_hash, user_id, methods, transport, expires_at)
            select sha256(convert_to(${`mfa ${at}`}, 'UTF8')), id, '{pwd}', 'bearer', now() + make_interval(secs => ${at}) from users limit 1`,
      over: -1,
      young: 600,
    },
    {
      table: 'webauthn_challenges',
      insert: (at: number) =>
        sql`insert into webauthn_challenges (challenge, ceremony, expires_at)
            values (sha256(convert_to(${`webauthn ${at}`}, 'UTF8')), 'authentication', now() + make_interval(secs => ${at}))`,
      over: -1,
      young: 300,
    },
    {
      table: 'outbox_mails',
      insert: (at: number) =>
        sql`insert into outbox_mails (id, kind, nonce, state, expires_at, created_at)
            values (gen_random_uuid(), 'password_changed', sha256('x'), 'sent', now(), now() + make_interval(secs => ${at}))`,
      over: -8 * 86_400,
      young: -6 * 86_400,
    },
    {
      table: 'revocations',
      insert: (at: number) =>
        sql`insert into revocations (kind, session_id, expires_at)
            values ('session', gen_random_uuid(), now() + make_interval(secs => ${at}))`,
      over: -1,
      young: 3_600,
    },
    {
      table: 'audit_counters',
      insert: (at: number) =>
        sql`insert into audit_counters (kind, subject, began_at, count)
            values ('login_failed', gen_random_uuid()::text, now() + make_interval(secs => ${at}), 1)`,
      over: -180,
      young: -60,
    },
    {
      table: 'guess_counters',
      insert: (at: number) =>
        sql`insert into guess_counters (authenticator, subject, network, is_account, failures, updated_at)
            values ('password', sha256(convert_to(${`guess ${at}`}, 'UTF8')), '203.0.113.9', true, 3, now() + make_interval(secs => ${at}))`,
      over: -25 * 3_600,
      young: -23 * 3_600,
    },
    {
      table: 'nodes',
      insert: (at: number) =>
        sql`insert into nodes (id, strategy, public_url, audience, host, pid, version, seen_at)
            values (gen_random_uuid(), 'jwt,session', 'http://localhost:8000', 'x', 'gone.example', 1, '0', now() + make_interval(secs => ${at}))`,
      over: -25 * 3_600,
      young: -23 * 3_600,
    },
  ])('deletes the expired rows of $table only', async ({ table, insert, over, young }) => {
    // The delivery of a mail adds its token.
    await mailsQueued(app);
    await purgerOf(app).purge();
    const rows = () => count(app, sql`${sql.table(table)}`);
    const before = await rows();
    await app.query(insert(young));
    await app.query(insert(over));
    expect(await rows()).toBe(before + 2);
    const purged = purgedBy(app, table);
    await purgerOf(app).purge();
    expect(await rows()).toBe(before + 1);
    expect(purgedBy(app, table)).toBe(purged + 1);
  });

  it('keeps redeemed tokens of a live session: presenting one is still reuse [F2]', async () => {
    const victim = await signIn(app);
    const { refresh_token: stolen } = victim.reply.body;
    const refresh = (token: unknown) => app.client.post('/refresh', { refresh_token: token });
    const { refresh_token: second } = (await refresh(stolen)).body;
    await refresh(second);
    await app.query(
      sql`update refresh_tokens set issued_at = issued_at - interval '20 days', redeemed_at = redeemed_at - interval '20 days'
          where session_id = ${victim.sessionId}`,
    );
    await purgerOf(app).purge();
    expect((await refresh(stolen)).body['code']).toBe('refresh_reused');
  });

  it('lets requests run in between', async () => {
    await app.query(
      sql`insert into revocations (kind, session_id, expires_at)
          select 'session', gen_random_uuid(), now() - interval '1 hour' from generate_series(1, 20000)`,
    );
    const left = () => count(app, sql`revocations where expires_at < now()`);
    const purge = purgerOf(app).purge();
    for (let request = 0; request < 3; request += 1) {
      const reply = await app.client.post('/login', { email: somebody.email, password: PASSWORD });
      expect(reply.status).toBe(200);
    }
    expect(await left()).toBeGreaterThan(0);
    await purge;
    expect(await left()).toBe(0);
  });

  it('stops with the node, and another node continues', async () => {
    const node = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt,session' } });
    await app.query(
      sql`insert into revocations (kind, session_id, expires_at)
          select 'session', gen_random_uuid(), now() - interval '1 hour' from generate_series(1, 20000)`,
    );
    const left = () => count(app, sql`revocations where expires_at < now()`);
    void purgerOf(node).purge();
    await until(async () => ((await left()) < 20_000 ? true : undefined));
    const since = performance.now();
    await node.close();
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(await left()).toBeGreaterThan(0);
    expect(node.logs.filter(({ event }) => event === 'purge_delayed')).toEqual([]);
    await purgerOf(app).purge();
    expect(await left()).toBe(0);
  });
});

const describeOnServer = onServer ? describe : describe.skip;
describeOnServer('purge on a server', () => {
  it('skips a locked session without waiting', async () => {
    const app = await startApp();
    const [held, free] = [await signIn(app), await signIn(app)];
    await Promise.all([age(app, held, 38), age(app, free, 38)]);
    await databaseOf(app).transaction(async (tx) => {
      await tx.query(sql`select 1 from sessions where id = ${held.sessionId} for update`);
      await purgerOf(app).purge();
      expect(await count(app, sql`sessions`)).toBe(1);
    });
    await purgerOf(app).purge();
    expect(await count(app, sql`sessions`)).toBe(0);
    await app.close();
  });

  it('recovers after an outage of the database without a restart, and logs it once [O4, fault 3]', async () => {
    const database = await createTestDatabase();
    const url = new URL(database.env['DATABASE_URL'] ?? '');
    const proxy = await TcpProxy.to(url.hostname, Number(url.port || 5432));
    const app = await startApp({
      database: { ...database, env: { ...database.env, DATABASE_URL: proxy.rewrite(url.href) } },
    });
    const old = await signIn(app);
    await age(app, old, 38);
    await proxy.stop();
    await purgerOf(app).purge();
    await purgerOf(app).purge();
    const events = () =>
      app.logs.map(({ event }) => event).filter((event) => /^purge_|^purged$/.test(String(event)));
    expect(events()).toEqual(['purge_delayed']);
    await proxy.start();
    await until(async () => {
      await purgerOf(app).purge();
      return events().includes('purge_restored') ? true : undefined;
    });
    expect(await count(app, sql`sessions`)).toBe(0);
    expect(events().filter((event) => event === 'purge_delayed')).toHaveLength(1);
    await app.close();
    await proxy.close();
    await database.drop();
  });
});
