import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { mailTo, mailsQueued } from '../support/mailbox.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { endMadeBefore } from '../support/sign-out.js';
import { freshEmail, PASSWORD, signIn, type SignedIn, signUp, STRATEGIES } from '../support/strategies.js';
import { given } from '../support/given.js';

/** Somebody who may administer, signed in a moment ago. */
async function signInAdmin(app: TestApp): Promise<SignedIn> {
  const admin = await signIn(app);
  await given.role(app, admin.email, 'admin');
  return admin;
}

async function idOf(app: TestApp, email: string): Promise<string> {
  const [row] = await app.query(sql<{ id: string }>`select id from users where email = ${email}`);
  return row?.id ?? '';
}

async function kindsOf(app: TestApp, userId: string): Promise<string[]> {
  const rows = await app.query(
    sql<{ kind: string }>`select kind from audit_events where user_id = ${userId} order by at, id`,
  );
  return rows.map(({ kind }) => kind);
}

const ROUTES = [
  ['GET', '/admin/users'],
  ['GET', '/admin/users/{id}'],
  ['PATCH', '/admin/users/{id}'],
  ['GET', '/admin/users/{id}/sessions'],
  ['DELETE', '/admin/users/{id}/sessions'],
  ['DELETE', '/admin/users/{id}/sessions/019a0000-0000-7000-8000-000000000002'],
  ['GET', '/admin/audit'],
] as const;

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';

describe.each(STRATEGIES)('administration with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let app: TestApp;
  let admin: SignedIn;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    admin = await signInAdmin(app);
  });
  afterAll(() => app.close());

  it('refuses callers without the role, whatever account they name', async () => {
    const someone = await signIn(app);
    const own = await idOf(app, someone.email);
    for (const [method, path] of ROUTES) {
      const url = path.replace('{id}', own);
      const anonymous = await app.client.send(method, url, undefined);
      expect({ url, status: anonymous.status }).toEqual({ url, status: 401 });
      const refused = await someone.client.send(method, url, undefined);
      expect({ url, status: refused.status, code: refused.body['code'] }).toEqual({
        url,
        status: 403,
        code: 'forbidden',
      });
    }
  });

  it('requires step-up [S8]', async () => {
    const stale = await signInAdmin(app);
    await given.staleSession(app, stale.sessionId, '11 minutes');
    for (const [method, path] of ROUTES) {
      const reply = await stale.client.send(method, path.replace('{id}', crypto.randomUUID()));
      expect({ path, code: reply.body['code'], action: reply.body['action'] }).toEqual({
        path,
        code: 'step_up_required',
        action: 'step_up',
      });
    }
    await given.role(app, stale.email, 'user');
  });

  it('a change of role takes effect with the next request', async () => {
    const someone = await signIn(app);
    const id = await idOf(app, someone.email);
    expect((await admin.client.send('PATCH', `/admin/users/${id}`, { role: 'admin' })).body['role']).toBe(
      'admin',
    );
    expect((await someone.client.get('/admin/users')).status).toBe(200);
    await admin.client.send('PATCH', `/admin/users/${id}`, { role: 'user' });
    expect((await someone.client.get('/admin/users')).status).toBe(403);
    expect((await someone.client.get('/users/me')).status).toBe(200);
  });

  it('disabling ends every session immediately and refuses sign-in until the account is enabled [S5]', async () => {
    const someone = await signIn(app);
    const second = await signIn(app, someone.email);
    const id = await idOf(app, someone.email);
    const reply = await admin.client.send('PATCH', `/admin/users/${id}`, { disabled: true });
    expect(reply.body).toMatchObject({ id, live_sessions: 0, disabled_at: expect.any(String) });
    for (const { client } of [someone, second])
      expect((await client.get('/users/me')).body['code']).toBe('credential_revoked');
    const login = () => app.client.post('/login', { email: someone.email, password: PASSWORD });
    expect((await login()).body['code']).toBe('invalid_credentials');
    await admin.client.send('PATCH', `/admin/users/${id}`, { disabled: false });
    expect((await login()).status).toBe(200);
    expect((await someone.client.get('/users/me')).status).toBe(401);
    expect(await kindsOf(app, id)).toEqual(
      expect.arrayContaining(['login', 'user_disabled', 'login_failed', 'user_enabled']),
    );
  });

  it('ends one session of a user, or all, and lists them without secrets [S5]', async () => {
    const [one, other] = [await signIn(app), await signIn(app)];
    const second = await signIn(app, one.email, undefined, { 'user-agent': FIREFOX });
    const id = await idOf(app, one.email);
    const listed = await admin.client.get(`/admin/users/${id}/sessions`);
    expect(listed.body['sessions'].map((session: { id: string }) => session.id)).toEqual([
      second.sessionId,
      one.sessionId,
    ]);
    expect(listed.body['sessions'][0]).toMatchObject({ device: 'Firefox on Linux', current: false });
    expect(listed.text).not.toMatch(/trf_|hash|secret/);
    const foreign = await admin.client.send('DELETE', `/admin/users/${id}/sessions/${other.sessionId}`);
    expect(foreign.status).toBe(404);
    const ended = await admin.client.send('DELETE', `/admin/users/${id}/sessions/${one.sessionId}`);
    expect(ended.status).toBe(204);
    expect((await one.client.get('/users/me')).status).toBe(401);
    expect((await second.client.get('/users/me')).status).toBe(200);
    expect((await admin.client.send('DELETE', `/admin/users/${id}/sessions`)).body).toEqual({ ended: 1 });
    expect((await second.client.get('/users/me')).status).toBe(401);
    expect((await other.client.get('/users/me')).status).toBe(200);
  });

  it('a compromised password is refused, and the sessions end [P10]', async () => {
    const someone = await signIn(app);
    const id = await idOf(app, someone.email);
    await admin.client.send('PATCH', `/admin/users/${id}`, { password_compromised: true });
    expect((await someone.client.get('/users/me')).status).toBe(401);
    const right = await app.client.post('/login', { email: someone.email, password: PASSWORD });
    expect(right.body['code']).toBe('password_change_required');
    const wrong = await app.client.post('/login', { email: someone.email, password: `${PASSWORD}!` });
    expect(wrong.body['code']).toBe('invalid_credentials');
    const [mail] = await app.query(
      sql<{
        kind: string;
      }>`select kind from outbox_mails where kind = 'reset_password' order by created_at desc limit 1`,
    );
    expect(mail?.kind).toBe('reset_password');
  });

  it('the mail says that an administrator disabled the password, and the audit trail names the administrator [P10]', async () => {
    const someone = await signIn(app);
    const id = await idOf(app, someone.email);
    // More than are sent an hour to who only asks.
    for (let i = 0; i < 6; i += 1) await app.client.post('/password/forgot', { email: someone.email });
    await mailsQueued(app);
    await admin.client.send('PATCH', `/admin/users/${id}`, { password_compromised: true });
    const { text, token } = await mailTo(app, someone.email, 'reset_password');
    const said = text.replace(/\s+/g, ' ');
    expect(said).toContain(
      'An administrator signed you out of all devices and disabled the password of your account',
    );
    expect(said).not.toMatch(/nothing changes|was asked for|127\.0\.0\.1/);
    expect((await app.client.post('/password/reset', { token, new_password: `${PASSWORD} 2` })).status).toBe(
      204,
    );
    const events = await app.query(
      sql<{
        actor: string;
      }>`select actor from audit_events
        where user_id = ${id} and kind = 'password_reset_requested' and actor <> 'user'`,
    );
    expect(events).toEqual([{ actor: `admin:${await idOf(app, admin.email)}` }]);
  });

  it('counts no revoked or idle session as live [S5]', async () => {
    const { email } = await signIn(app);
    await signIn(app, email);
    const idle = await signIn(app, email);
    const id = await idOf(app, email);
    const live = async () => {
      const { body } = await admin.client.get(`/admin/users?email_prefix=${email}`);
      const shown = await admin.client.get(`/admin/users/${id}`);
      return [body['users'][0].live_sessions, shown.body['live_sessions']];
    };
    expect(await live()).toEqual([3, 3]);
    await given.unusedSession(app, idle.sessionId, '15 days');
    expect(await live()).toEqual([2, 2]);
    await endMadeBefore(app, id);
    expect(await live()).toEqual([0, 0]);
    const ended = await admin.client.send('DELETE', `/admin/users/${id}/sessions`);
    expect(ended.body).toEqual({ ended: 0 });
  });

  it('shows active locks, the networks they apply to and their end [L4]', async () => {
    const { email } = await signIn(app);
    const id = await idOf(app, email);
    const locks = async () => (await admin.client.get(`/admin/users/${id}`)).body['locks'];
    expect(await locks()).toEqual([]);
    for (let i = 0; i < 10; i += 1)
      await app.client.post('/login', { email, password: 'a wrong passphrase of some length' });
    expect(await locks()).toEqual([
      {
        authenticator: 'password',
        refuses: 'network',
        network: '127.0.0.1',
        failures: 10,
        until: expect.stringMatching(/Z$/),
      },
    ]);
    const isOf = sql`subject = sha256(convert_to(${email}, 'UTF8'))`;
    await app.query(
      sql`update guess_counters set failures = 80, locked_until = null where ${isOf} and network = ''`,
    );
    const shown = (failures: number, refuses: string, network: string | null) => ({
      authenticator: 'password',
      refuses,
      network,
      failures,
      until: null,
    });
    expect(await locks()).toEqual([shown(80, 'unknown_networks', null), shown(10, 'network', '127.0.0.1')]);
    await app.query(sql`update guess_counters set failures = 100 where ${isOf} and network = ''`);
    expect(await locks()).toEqual([shown(100, 'everybody', null), shown(10, 'network', '127.0.0.1')]);
    await app.query(sql`update guess_counters set is_account = false where ${isOf}`);
    expect(await locks()).toEqual([]);
  });

  it('records the administrator of the credential in the audit trail [incident 12]', async () => {
    const someone = await signIn(app);
    const id = await idOf(app, someone.email);
    const surprise = await admin.client.send('PATCH', `/admin/users/${id}`, {
      disabled: true,
      actor: 'system',
    });
    expect(surprise.status).toBe(400);
    await admin.client.get(`/admin/users/${id}`);
    const { body } = await admin.client.get(`/admin/audit?user_id=${id}&kind=admin_viewed`);
    expect(body['events']).toEqual([
      expect.objectContaining({ actor: `admin:${await idOf(app, admin.email)}`, user_id: id }),
    ]);
  });
});

describe('lists for administrators', () => {
  let app: TestApp;
  let admin: SignedIn;
  beforeAll(async () => {
    app = await startApp();
    admin = await signInAdmin(app);
    await app.query(
      sql`insert into users (id, email, email_canonical)
          select gen_random_uuid(), 'List_' || i || '%@Example.com', 'list_' || i || '%@example.com' from generate_series(1, 45) i`,
    );
  });
  afterAll(() => app.close());

  it('have pages that contain each account once, also while accounts are added', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await admin.client.get(`/admin/users?email_prefix=list_&limit=20${query}`);
      seen.push(...body['users'].map(({ id }: { id: string }) => id));
      cursor = body['next_cursor'];
    }
    expect(seen).toHaveLength(45);
    expect(new Set(seen).size).toBe(45);
  });

  it('search by the literal beginning of the address, case-insensitively', async () => {
    const found = async (prefix: string) =>
      (await admin.client.get(`/admin/users?email_prefix=${encodeURIComponent(prefix)}`)).body['users']
        .length;
    expect(await found('LIST_1%')).toBe(1);
    expect(await found('list_44')).toBe(1);
    expect(await found('list%44')).toBe(0);
    expect(await found('l_st')).toBe(0);
    expect(await found('\\')).toBe(0);
    expect(await found(admin.email)).toBe(1);
  });

  it('filter by role and state', async () => {
    const { body } = await admin.client.get('/admin/users?role=admin&state=enabled');
    expect(body['users'].map(({ email }: { email: string }) => email)).toEqual([admin.email]);
    expect((await admin.client.get('/admin/users?state=disabled')).body['users']).toEqual([]);
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'cursor=x', 'role=root', 'unknown=1', 'email_prefix=%00'])(
    'refuse %s with the name of the field',
    async (query) => {
      const reply = await admin.client.get(`/admin/users?${query}`);
      expect({ status: reply.status, path: reply.body['errors']?.[0].path }).toEqual({
        status: 400,
        path: query.split('=')[0],
      });
    },
  );

  it('filter events by user, kind and time, in pages', async () => {
    const email = await signUp(app);
    for (let i = 0; i < 3; i += 1) await app.client.post('/login', { email, password: PASSWORD });
    const id = await idOf(app, email);
    const first = await admin.client.get(`/admin/audit?user_id=${id}&kind=login&limit=2`);
    expect(first.body['events']).toHaveLength(2);
    const rest = await admin.client.get(
      `/admin/audit?user_id=${id}&kind=login&limit=2&cursor=${first.body['next_cursor']}`,
    );
    expect(rest.body).toMatchObject({ events: [expect.anything()], next_cursor: null });
    const none = await admin.client.get(`/admin/audit?user_id=${id}&until=2020-01-01T00:00:00Z`);
    expect(none.body['events']).toEqual([]);
    for (const query of ['kind=nothing', 'since=yesterday', 'cursor=x', 'user_id=x'])
      expect((await admin.client.get(`/admin/audit?${query}`)).status).toBe(400);
  });

  it('one administrator always remains, also when two demote each other concurrently', async () => {
    const other = await signInAdmin(app);
    const [ids, admins] = [
      [await idOf(app, admin.email), await idOf(app, other.email)],
      [other, admin],
    ];
    const replies = await Promise.all(
      ids.map((id, index) => admins[index]?.client.send('PATCH', `/admin/users/${id}`, { role: 'user' })),
    );
    const rows = await app.query(sql`select 1 from users where role = 'admin' and disabled_at is null`);
    expect(rows).toHaveLength(1);
    expect(replies.filter((reply) => reply?.status === 200)).toHaveLength(1);
    const [left] = await app.query(sql<{ email: string }>`select email from users where role = 'admin'`);
    const survivor = left?.email === admin.email ? admin : other;
    const own = await idOf(app, survivor.email);
    for (const change of [{ role: 'user' }, { disabled: true }]) {
      const reply = await survivor.client.send('PATCH', `/admin/users/${own}`, change);
      expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status: 409, code: 'last_admin' });
    }
  });
});

const describeOnServer = onServer ? describe : describe.skip;
describeOnServer('traffy users', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await endAllPrograms();
    await app.close();
  });

  async function traffy(args: string[], input?: string) {
    const program = startProgram({
      args: ['traffy', ...args],
      env: { ...app.testDatabase.env, APP_ENV: 'test', AUTH_SECRETS: app.config.auth.AUTH_SECRETS.join(',') },
      ...(input !== undefined && { input }),
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr() };
  }

  it('create-admin creates an administrator who can sign in; before, there was none [L7]', async () => {
    expect(await app.query(sql`select 1 from users`)).toEqual([]);
    const email = freshEmail();
    const weak = await traffy(['users', 'create-admin', email], 'short\n');
    expect({ code: weak.code, err: weak.err }).toEqual({
      code: 1,
      err: expect.stringMatching(/at least 15/),
    });
    const made = await traffy(['users', 'create-admin', email, '--json'], `${PASSWORD}\n`);
    expect({ code: made.code, ...JSON.parse(made.out) }).toMatchObject({ code: 0, user: { role: 'admin' } });
    const admin = await signIn(app, email);
    expect((await admin.client.get('/admin/users')).status).toBe(200);
  });

  it('disable, enable, show, list and reset take effect on a running node', async () => {
    const someone = await signIn(app);
    const shown = await traffy(['users', 'show', someone.email, '--json']);
    expect(JSON.parse(shown.out).user).toMatchObject({ email: someone.email, live_sessions: 1 });
    expect(shown.out).not.toMatch(/argon2|hash/);
    expect((await traffy(['users', 'disable', someone.email])).code).toBe(0);
    expect((await someone.client.get('/users/me')).status).toBe(401);
    const listed = await traffy(['users', 'list', '--state', 'disabled', '--json']);
    expect(JSON.parse(listed.out).users.map(({ email }: { email: string }) => email)).toEqual([
      someone.email,
    ]);
    expect((await traffy(['users', 'enable', someone.email])).code).toBe(0);
    const again = await signIn(app, someone.email);
    expect((await traffy(['users', 'reset', someone.email])).code).toBe(0);
    expect((await again.client.get('/users/me')).status).toBe(401);
    const login = await app.client.post('/login', { email: someone.email, password: PASSWORD });
    expect(login.body['code']).toBe('password_change_required');
  });

  it('enable reports a remaining lock; unlock ends it, keeps the password and is recorded [L4]', async () => {
    const { email } = await signIn(app);
    const guess = () => app.client.post('/login', { email, password: 'a wrong passphrase of some length' });
    for (let i = 0; i < 10; i += 1) await guess();
    const right = () => app.client.post('/login', { email, password: PASSWORD });
    expect((await right()).status).toBe(401);
    const enabled = await traffy(['users', 'enable', email]);
    expect(enabled.out).toMatch(
      /Locked after 10 failed attempts: The password, from 127\.0\.0\.1, until \S+Z\./,
    );
    expect(enabled.out).toContain(`users unlock ${await idOf(app, email)}`);
    const unlocked = await traffy(['users', 'unlock', email, '--json']);
    expect({ code: unlocked.code, ...JSON.parse(unlocked.out).user }).toMatchObject({ code: 0, locks: [] });
    expect((await right()).status).toBe(200);
    expect((await traffy(['users', 'unlock', email])).out).toContain('The account had no failed attempts');
    const events = await app.query(
      sql`select actor from audit_events where kind = 'user_unlocked' and user_id = ${await idOf(app, email)}`,
    );
    expect(events).toEqual([{ actor: 'operator' }]);
  });

  it('does not count sessions that the command line revoked', async () => {
    const { email } = await signIn(app);
    expect((await traffy(['sessions', 'revoke', '--user', email])).out).toContain('Revoked 1 session.');
    const shown = await traffy(['users', 'show', email, '--json']);
    expect(JSON.parse(shown.out).user).toMatchObject({ live_sessions: 0 });
    expect((await traffy(['sessions', 'revoke', '--user', email])).out).toContain('Revoked 0 sessions.');
  });

  it('reset --factors and reset name the operator and the remaining sign-in methods in their mails', async () => {
    const [kept, none] = [await signIn(app), await signIn(app)];
    await given.passwordHash(app, none.email, null);
    for (const { email } of [kept, none])
      expect((await traffy(['users', 'reset', email, '--factors'])).code).toBe(0);
    const said = async (email: string) =>
      (await mailTo(app, email, 'sign_in_reset')).text.replace(/\s+/g, ' ');
    expect(await said(kept.email)).toContain('Your password has not changed');
    expect(await said(kept.email)).not.toMatch(/another mail|Another mail/);
    expect(await said(none.email)).toContain('Set one with the link below');
    expect(await said(none.email)).toContain('http://localhost:8000/forgot');
    expect((await traffy(['users', 'reset', kept.email])).code).toBe(0);
    expect((await mailTo(app, kept.email, 'reset_password')).text).toContain(
      'An administrator signed you out',
    );
    const events = await app.query(
      sql`select actor from audit_events where kind = 'password_reset_requested'
        and user_id = ${await idOf(app, kept.email)}`,
    );
    expect(events).toEqual([{ actor: 'operator' }]);
  });

  it('exits with 1 for an unknown user and with 2 for wrong use', async () => {
    expect((await traffy(['users', 'show', 'nobody@example.com'])).code).toBe(1);
    expect((await traffy(['users', 'create-admin', 'nobody'])).code).toBe(2);
    expect((await traffy(['users', 'list', '--limit', '0'])).code).toBe(2);
  });
});

describeOnServer('traffy sessions revoke by network, time and key', () => {
  it('revokes sessions of a network, since a time, or with tokens of a key; --dry-run only lists them', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    const [near, far] = [await signIn(app), await signIn(app)];
    await given.sessionFrom(app, near.sessionId, '203.0.113.9');
    await given.sessionFrom(app, far.sessionId, 'strange:1');
    const revoke = async (...args: string[]) => {
      const program = startProgram({
        args: ['traffy', 'sessions', 'revoke', '--json', ...args],
        env: {
          ...app.testDatabase.env,
          APP_ENV: 'test',
          AUTH_SECRETS: app.config.auth.AUTH_SECRETS.join(','),
        },
      });
      await program.exit;
      const { sessions } = JSON.parse(program.stdout()) as { sessions: { id: string }[] };
      return sessions.map(({ id }) => id);
    };
    const isLive = async ({ client }: SignedIn) => (await client.get('/users/me')).status === 200;
    expect(await revoke('--cidr', '203.0.113.0/24', '--dry-run')).toEqual([near.sessionId]);
    expect(await isLive(near)).toBe(true);
    expect(await revoke('--cidr', '::ffff:203.0.113.0/120', '--dry-run')).toEqual([near.sessionId]);
    expect(await revoke('--cidr', '203.0.113.0/24')).toEqual([near.sessionId]);
    expect([await isLive(near), await isLive(far)]).toEqual([false, true]);
    const [key] = await app.query(sql<{ kid: string }>`select kid from signing_keys where state = 'current'`);
    expect(await revoke('--kid', 'another', '--dry-run')).toEqual([]);
    expect(await revoke('--kid', key?.kid ?? '')).toEqual([far.sessionId]);
    expect(await isLive(far)).toBe(false);
    const late = await signIn(app);
    expect(await revoke('--since', '2020-01-01T00:00:00Z')).toEqual([late.sessionId]);
    expect(await isLive(late)).toBe(false);
    const events = await app.query(
      sql<{ actor: string }>`select actor from audit_events where kind = 'sessions_revoked'`,
    );
    expect(events).toEqual([{ actor: 'operator' }, { actor: 'operator' }, { actor: 'operator' }]);
    await endAllPrograms();
    await app.close();
  });
});
