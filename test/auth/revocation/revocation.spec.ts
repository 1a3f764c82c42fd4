import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import pg from 'pg';
import { RevocationFeed } from '../../../src/auth/revocation/revocation-feed.service.js';
import { startApp, type TestApp } from '../../support/app.js';
import { type Client, cookieValue, type Reply } from '../../support/client.js';
import { onServer } from '../../support/database.js';
import { accessClaims, issueToken, signingKey } from '../../support/jwt.js';
import { endAllPrograms, startProgram } from '../../support/process.js';
import { endMadeBefore } from '../../support/sign-out.js';
import { PASSWORD, type SignedIn, signIn, STRATEGIES } from '../../support/strategies.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { given } from '../../support/given.js';

/** Milliseconds after which a revoked credential is dead on every node, as docs/adr/0012 promises. */
const BOUND = 2_000;

const itOnServer = onServer ? it : it.skip;
const describeOnServer = onServer ? describe : describe.skip;

/** The same credential, sent to another node. */
function at(node: TestApp, { headers }: SignedIn): Client {
  return node.client.with(headers);
}

/** Waits until a credential is dead on a node, and gives how many milliseconds that took. */
async function diesOn(node: TestApp, signedIn: SignedIn): Promise<number> {
  const started = performance.now();
  let reply: Reply;
  do {
    // A remembered credential is answered without any waiting: nothing else would ever run.
    await turn();
    reply = await at(node, signedIn).get('/users/me');
    expect([200, 401]).toContain(reply.status);
    if (performance.now() - started > 10_000) throw new Error('it lives on');
  } while (reply.status === 200);
  return performance.now() - started;
}

async function isLiveOn(node: TestApp, signedIn: SignedIn): Promise<boolean> {
  return (await at(node, signedIn).get('/users/me')).status === 200;
}

describe.each(STRATEGIES)('revocation over three nodes, AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let nodes: TestApp[];
  let here: TestApp;
  let there: TestApp;
  beforeAll(async () => {
    const env = { AUTH_STRATEGY: strategy };
    here = await startApp({ env });
    there = await startApp({ env, sibling: here });
    nodes = [here, there, await startApp({ env, sibling: here })];
  });
  afterAll(async () => {
    for (const node of nodes.toReversed()) await node.close();
  });

  /** Signs in, and lets every node remember the credential. */
  async function knownEverywhere(email?: string): Promise<SignedIn> {
    const signedIn = await signIn(here, email);
    for (const node of nodes) expect(await isLiveOn(node, signedIn)).toBe(true);
    return signedIn;
  }

  const WAYS: [string, (one: SignedIn, other: SignedIn) => Promise<unknown>][] = [
    ['POST /logout', (one) => one.client.post('/logout')],
    [
      'POST /logout?scope=global of another session',
      (_one, other) => other.client.post('/logout?scope=global'),
    ],
    [
      'POST /logout?scope=others of another session',
      (_one, other) => other.client.post('/logout?scope=others'),
    ],
    ['DELETE /sessions/:id', (one, other) => other.client.send('DELETE', `/sessions/${one.sessionId}`)],
    ['a statement behind the back of the service', (one) => given.endedSession(here, one.sessionId)],
    ['a truncated table', () => here.query(sql`truncate sessions cascade`)],
    [
      'the deletion of the account',
      (one) =>
        here.query(
          sql`delete from users where id = (select user_id from sessions where id = ${one.sessionId})`,
        ),
    ],
    [
      'everything of the person that was made before now',
      async (one) => {
        const [row] = await here.query(
          sql<{ user_id: string }>`select user_id from sessions where id = ${one.sessionId}`,
        );
        await endMadeBefore(here, row?.user_id ?? '');
      },
    ],
    ['everything of everybody that was made before now', () => endMadeBefore(here, null)],
  ];

  it.each(WAYS)('every node learns of %s [S4, pain 3]', async (_way, revoke) => {
    const one = await knownEverywhere();
    const other = await signIn(here, one.email);
    const bystander = await knownEverywhere();
    await revoke(one, other);
    for (const node of nodes) expect(await diesOn(node, one)).toBeLessThan(BOUND + 1_000);
    if (/everybody|truncated/.test(_way)) return;
    for (const node of nodes) expect(await isLiveOn(node, bystander)).toBe(true);
  });

  it('the credential is dead on this node when the reply of the logout arrives [S4]', async () => {
    for (let round = 0; round < 20; round += 1) {
      const one = await signIn(here);
      expect(await isLiveOn(here, one)).toBe(true);
      await one.client.post('/logout');
      expect((await one.client.get('/me')).body).toEqual({ logged_in: false, action: 'login' });
    }
  });

  it('every node forgets the session that SESSIONS_PER_USER ended [S9]', async () => {
    const first = await knownEverywhere();
    await here.query(
      sql`insert into sessions (id, user_id, strategy, methods, expires_at)
          select gen_random_uuid(), user_id, strategy, methods, expires_at from sessions, generate_series(1, 19) where id = ${first.sessionId}`,
    );
    await signIn(here, first.email);
    expect(await isLiveOn(here, first)).toBe(false);
    expect(await diesOn(there, first)).toBeLessThan(BOUND + 1_000);
  });

  it('a user whose sessions were revoked can sign in again and stays signed in', async () => {
    const before = await knownEverywhere();
    const [row] = await here.query(
      sql<{ user_id: string }>`select user_id from sessions where id = ${before.sessionId}`,
    );
    await endMadeBefore(here, row?.user_id ?? '', new Date(Date.now() + 3_600_000));
    const after = await signIn(there, before.email);
    for (const node of nodes) expect(await isLiveOn(node, after)).toBe(true);
    expect(await isLiveOn(there, before)).toBe(false);
    // A moment in the past ends what was made before it, and nothing else.
    await endMadeBefore(here, row?.user_id ?? '', new Date(Date.now() - 3_600_000));
    for (const node of nodes) expect(await isLiveOn(node, after)).toBe(true);
  });

  it('a concurrent sign-in at the time of the revocation is dead from its first use', async () => {
    const signedIn = await signIn(here);
    await here.query(
      sql`update sessions set created_at = now() - interval '1 minute' where id = ${signedIn.sessionId}`,
    );
    await endMadeBefore(here, null);
    const late = await signIn(there);
    await here.query(
      sql`update sessions set created_at = now() - interval '1 hour' where id = ${late.sessionId}`,
    );
    expect((await at(there, late).get('/users/me')).body['code']).toBe('credential_revoked');
    const token = late.reply.body['refresh_token'] ?? 'none';
    const refreshed = await there.client.post('/refresh', { refresh_token: token });
    expect(refreshed.body['code']).toBe({ jwt: 'refresh_revoked', session: 'refresh_invalid' }[issues]);
  });

  it('a verdict that becomes outdated while it is read is not cached', async () => {
    const people = await Promise.all(Array.from({ length: 12 }, () => signIn(here)));
    const over = new AbortController();
    const reading = people.map(async (person) => {
      while (!over.signal.aborted) {
        await at(there, person).get('/me');
        await pause(5);
      }
    });
    await Promise.all(people.map((person) => person.client.post('/logout')));
    await pause(BOUND);
    for (const person of people) expect(await isLiveOn(there, person)).toBe(false);
    over.abort();
    await Promise.all(reading);
  });

  it('a concurrent sign-in when everything was revoked stays dead, also a day later', async () => {
    const signedIn = await signIn(here);
    await endMadeBefore(here, null);
    const [row] = await here.query(
      sql<{ sessions: boolean; tokens: boolean }>`select expires_at > now() + interval '400 days' as sessions,
          tokens_expire_at > now() + interval '1 day' as tokens from revocations where kind = 'all' order by seq desc limit 1`,
    );
    expect(row).toEqual({ sessions: true, tokens: true });
    expect(await isLiveOn(here, signedIn)).toBe(false);
  });

  itOnServer('a reconnect to another server clears the cache', async () => {
    const signedIn = await knownEverywhere();
    // As a standby that lags would: the row is there, under the number of a transaction that was seen before.
    await here.query(sql`alter table revocations disable trigger all`);
    await given.endedSession(here, signedIn.sessionId);
    await here.query(sql`update revocations set xact = 3 where session_id = ${signedIn.sessionId}`);
    await here.query(sql`alter table revocations enable trigger all`);
    await here.query(
      sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'traffy-feed' and datname = current_database()`,
    );
    for (const node of nodes) expect(await diesOn(node, signedIn)).toBeLessThan(BOUND + 1_500);
  });

  it('a cached credential of one kind does not match another kind [S13]', async () => {
    const { reply } = await knownEverywhere();
    const cookie = cookieValue(reply, 'session');
    const misplaced =
      cookie === undefined
        ? { cookie: `session=${reply.body['access_token']}` }
        : { authorization: `Bearer ${cookie}` };
    for (const node of nodes) expect((await node.client.get('/users/me', misplaced)).status).toBe(401);
  });

  itOnServer('a verified credential costs no query [pain 3]', async () => {
    const feed = there.running.app.get(RevocationFeed, { strict: false });
    await feed.catchUp();
    const signedIn = await knownEverywhere();
    let answered = 0;
    const locker = new pg.Client({ connectionString: here.config.database.DATABASE_URL });
    await locker.connect();
    try {
      await locker.query('begin; lock table sessions, users in access exclusive mode');
      for (let round = 0; round < 20; round += 1) {
        // On a machine that stands still for two seconds the node rightly does not believe what it remembers.
        if (!feed.isFresh) continue;
        const reply = await at(there, signedIn).get('/me');
        expect(reply.body).toEqual({ logged_in: true, email: signedIn.email });
        answered += 1;
      }
      expect(answered).toBeGreaterThan(10);
    } finally {
      await locker.end();
    }
  });

  itOnServer('without NOTIFY, as behind a pooler, a poll every second stays within the bound', async () => {
    const signedIn = await knownEverywhere();
    await here.query(sql`alter table revocations disable trigger revocations_are_told`);
    try {
      await signedIn.client.post('/logout');
      expect(await diesOn(there, signedIn)).toBeLessThan(BOUND + 1_500);
    } finally {
      await here.query(sql`alter table revocations enable trigger revocations_are_told`);
    }
  });

  itOnServer('a revocation that commits late is not missed', async () => {
    const late = await knownEverywhere();
    const early = await knownEverywhere();
    const slow = new pg.Client({ connectionString: here.config.database.DATABASE_URL });
    await slow.connect();
    try {
      await slow.query('begin');
      await slow.query(`update sessions set revoked_at = now(), revoked_reason = 'logout' where id = $1`, [
        late.sessionId,
      ]);
      await early.client.post('/logout');
      expect(await diesOn(there, early)).toBeLessThan(BOUND + 1_000);
      await pause(1_200);
      expect(await isLiveOn(there, late)).toBe(true);
      await slow.query('commit');
      expect(await diesOn(there, late)).toBeLessThan(BOUND + 1_000);
    } finally {
      await slow.end();
    }
  });
});

describe('many credentials', () => {
  it("of ten thousand distinct tokens, none opens another user's account [incident 9]", async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    const key = await signingKey(app);
    const people = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { email, sessionId } = await signIn(app);
        const [row] = await app.query(
          sql<{ user_id: string }>`select user_id from sessions where id = ${sessionId}`,
        );
        return { email, sid: sessionId, sub: row?.user_id ?? '' };
      }),
    );
    const tokens = Array.from({ length: 10_000 }, (_, index) => {
      const person = people[index % people.length] ?? { email: '', sid: '', sub: '' };
      return {
        email: person.email,
        token: issueToken(key, accessClaims(app, { sub: person.sub, sid: person.sid })),
      };
    });
    const swapped: string[] = [];
    const ask = async ({ email, token }: { email: string; token: string }) => {
      const { body } = await app.client.get('/me', { authorization: `Bearer ${token}` });
      if (body['email'] !== email) swapped.push(`${email}: ${JSON.stringify(body)}`);
    };
    for (let start = 0; start < tokens.length; start += 100) {
      const wave = tokens.slice(start, start + 100);
      // The earlier ones are remembered by now.
      const again = Array.from({ length: 20 }, () => tokens[Math.floor(Math.random() * (start + 100))]);
      await Promise.all([...wave, ...again.filter((known) => known !== undefined)].map(ask));
    }
    expect(swapped).toEqual([]);
    await app.close();
  });
});

describeOnServer('node without database', () => {
  it.each(STRATEGIES.filter(({ accepts }) => accepts.length === 1))(
    'serves cached verdicts for two seconds, then answers 503, and never accepts a signed-out credential ($strategy)',
    async ({ strategy }) => {
      const env = { AUTH_STRATEGY: strategy };
      const here = await startApp({ env });
      const direct = new URL(here.testDatabase.env['DATABASE_URL'] ?? '');
      const cable = await TcpProxy.to(direct.hostname, Number(direct.port || 5432));
      const there = await startApp({
        env: { ...env, DATABASE_URL: cable.rewrite(direct.href) },
        sibling: here,
      });
      try {
        const signedIn = await signIn(here);
        const stays = await signIn(here);
        for (const one of [signedIn, stays]) expect(await isLiveOn(there, one)).toBe(true);

        cable.hold();
        const cutAt = performance.now();
        await signedIn.client.post('/logout');
        let reply = await at(there, signedIn).get('/me');
        while (reply.status === 200) {
          expect(reply.body['logged_in']).toBe(true);
          expect(performance.now() - cutAt).toBeLessThan(BOUND + 1_500);
          await pause(20);
          reply = await at(there, signedIn).get('/me');
        }
        expect(reply.status).toBe(503);
        expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);

        cable.release();
        const deadline = performance.now() + 10_000;
        do {
          reply = await at(there, signedIn).get('/me');
          expect(reply.body['logged_in']).not.toBe(true);
        } while (reply.status === 503 && performance.now() < deadline);
        expect(reply.body).toEqual({ logged_in: false, action: 'login' });
        expect((await at(there, stays).get('/me')).body).toEqual({ logged_in: true, email: stays.email });
      } finally {
        await there.close();
        await cable.close();
        await here.close();
      }
    },
  );
});

describe('traffy sessions revoke', () => {
  afterAll(endAllPrograms);

  async function traffy(app: TestApp, args: string[]) {
    const program = startProgram({
      args: ['traffy', 'sessions', 'revoke', ...args],
      env: { ...app.testDatabase.env, APP_ENV: 'test', AUTH_SECRETS: app.config.auth.AUTH_SECRETS.join(',') },
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr() };
  }

  itOnServer('revokes the sessions of one user, or of all, on a running node', async () => {
    const app = await startApp();
    const [one, other] = [await signIn(app), await signIn(app)];
    for (const person of [one, other]) expect(await isLiveOn(app, person)).toBe(true);
    expect(
      await traffy(app, ['--user', one.email.toUpperCase().replace('EXAMPLE.COM', 'example.com')]),
    ).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Revoked 1 session\./),
    });
    expect(await diesOn(app, one)).toBeLessThan(BOUND + 1_500);
    expect(await isLiveOn(app, other)).toBe(true);
    const preview = await traffy(app, ['--all', '--json', '--dry-run']);
    expect(JSON.parse(preview.out)).toMatchObject({ dry_run: true, sessions: expect.any(Array) });
    expect(await isLiveOn(app, other)).toBe(true);
    const { code, out } = await traffy(app, ['--all', '--json']);
    expect({ code, ...JSON.parse(out) }).toMatchObject({
      code: 0,
      user: null,
      before: null,
      dry_run: false,
      sessions: expect.arrayContaining([expect.objectContaining({ id: other.sessionId })]),
    });
    expect(await diesOn(app, other)).toBeLessThan(BOUND + 1_500);
    expect((await app.client.post('/login', { email: one.email, password: PASSWORD })).status).toBe(200);
    await app.close();
  });

  itOnServer.each([
    [[], 2],
    [['--user', 'a@example.com', '--all'], 2],
    [['--everybody', '--before', 'yesterday'], 2],
    [['--before', '2026-01-01T00:00:00Z'], 2],
    [['--all', '--cidr', '203.0.113.0/24'], 2],
    [['--cidr', '203.0.113.0'], 2],
    [['--everybody', '--before', '2999-01-01T00:00:00Z'], 2],
    [['--user', 'nobody@example.com'], 1],
  ])('refuses %j with exit code %i', async (args, expected) => {
    const app = await startApp();
    const { code, out, err } = await traffy(app, args);
    expect({ code, out }).toEqual({ code: expected, out: '' });
    expect(err).not.toBe('');
    await app.close();
  });
});
