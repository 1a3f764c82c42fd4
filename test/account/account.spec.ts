import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import type { LiveSession } from '../../src/auth/sessions/session-state.js';
import { SessionsService } from '../../src/auth/sessions/sessions.service.js';
import { StepUpCheck } from '../../src/auth/assurance/step-up-check.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { type Reply } from '../support/client.js';
import { onServer } from '../support/database.js';
import { Holder } from '../support/holder.js';
import { mailsQueued } from '../support/mailbox.js';
import { enrol } from '../support/passkeys.js';
import { routesOf } from '../support/routes.js';
import { freshEmail, PASSWORD, signIn, signUp, STRATEGIES } from '../support/strategies.js';
import { addRecoveryCodes, addTotp } from '../support/totp.js';
import { call, canSignIn, changePassword, makeStale, reauthenticate } from '../support/account.js';

const OTHER = 'another long passphrase';

/** The cookies that a reply sets. */
const namesOf = ({ setCookies }: Reply) => setCookies.map((line) => line.split('=')[0]);

/** What another secret means: a cookie is another one, and the old one dead; nothing in a 204 could bring other tokens. */
const RENEWAL = {
  session: { namesSet: ['session'], oldStatus: 401 },
  jwt: { namesSet: [], oldStatus: 200 },
} as const;

/** Every route that is marked as sensitive, with `DELETE /users/me` last. */
function sensitiveRoutes(app: TestApp) {
  const routes = routesOf(app)
    .filter(({ needsStepUp }) => needsStepUp)
    .map(({ method, path }) => ({ method, path: path.replace(/:\w+/g, () => crypto.randomUUID()) }));
  const isLast = ({ method, path }: { method: string; path: string }) =>
    Number(method === 'DELETE' && path === '/users/me');
  return routes.toSorted((a, b) => isLast(a) - isLast(b));
}

const itOnServer = onServer ? it : it.skip;

describe.each(STRATEGIES)('the account with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    other = await startApp({ env: { AUTH_STRATEGY: strategy }, sibling: app });
  });
  afterAll(async () => {
    await other.close();
    await app.close();
  });

  it('a password change ends all other sessions, and renews the secret of the current one [F7, pain 5]', async () => {
    const current = await Holder.signIn(app);
    const elsewhere = await Holder.signIn(app, current.email);
    const before = current.copy();
    const reply = await changePassword(app, current, PASSWORD, OTHER);
    expect({ status: reply.status, text: reply.text }).toEqual({ status: 204, text: '' });
    expect((await elsewhere.open(app)).status).toBe(401);
    expect((await elsewhere.refresh(app)).status).toBe(401);
    expect((await current.open(app)).status).toBe(200);
    const { namesSet, oldStatus } = RENEWAL[current.kind];
    expect(namesOf(reply)).toEqual(namesSet);
    expect((await before.open(app)).status).toBe(oldStatus);
    const { sessions } = (await call(app, current, 'GET', '/sessions')).body;
    expect(sessions).toMatchObject([{ id: current.sessionId, current: true }]);
    expect(await canSignIn(app, current.email, PASSWORD)).toBe(false);
    expect(await canSignIn(app, current.email, OTHER)).toBe(true);
  });

  it('the sign-in methods say what an account has, and what is left of it', async () => {
    const { client, email } = await signIn(app);
    const stranger = await signIn(app);
    const methods = async () => (await client.get('/users/me/sign-in-methods')).body;
    const none = { password: true, passkeys: 0, totp: false, recovery_codes_left: 0, pending_email: null };
    expect(await methods()).toEqual(none);
    const { secret } = (await client.post('/totp')).body;
    expect(await methods()).toEqual(none);
    expect(secret).toEqual(expect.any(String));
    await addTotp(app, client);
    await enrol({ client });
    await addRecoveryCodes(client);
    await app.query(
      sql`delete from recovery_codes where code_hash = (select code_hash from recovery_codes c join users u on u.id = c.user_id
        where u.email = ${email} limit 1)`,
    );
    const wanted = `new.${email}`;
    await client.post('/email', { email: wanted });
    await mailsQueued(app);
    const all = { password: true, passkeys: 1, totp: true, recovery_codes_left: 9, pending_email: wanted };
    expect(await methods()).toEqual(all);
    expect((await stranger.client.get('/users/me/sign-in-methods')).body).toEqual(none);
    // A disabled passkey, an expired link and a removed password no longer count.
    await app.query(
      sql`update passkeys set key_flaw = 'modulus' where user_id = (select id from users where email = ${email})`,
    );
    await app.query(
      sql`update one_time_tokens set expires_at = now() where user_id = (select id from users where email = ${email})`,
    );
    await app.query(sql`update users set password_hash = null where email = ${email}`);
    const left = await client.get('/users/me/sign-in-methods');
    expect(left.body).toEqual({ ...all, password: false, passkeys: 0, pending_email: null });
    expect((await app.client.get('/users/me/sign-in-methods')).status).toBe(401);
  });

  it('re-authentication replaces the secret and keeps session, user and expiry [S2, S3, incident 21]', async () => {
    const holder = await Holder.signIn(app);
    const before = holder.copy();
    const facts = async () =>
      (
        await app.query(
          sql<object>`select user_id, created_at, expires_at, methods from sessions where id = ${holder.sessionId}`,
        )
      )[0];
    const was = await facts();
    await makeStale(app, holder.sessionId);
    const reply = await reauthenticate(app, holder);
    expect({ status: reply.status, text: reply.text }).toEqual({ status: 204, text: '' });
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(await facts()).toEqual(was);
    expect((await holder.open(app)).status).toBe(200);
    const { namesSet, oldStatus } = RENEWAL[holder.kind];
    expect(namesOf(reply)).toEqual(namesSet);
    for (const node of [app, other]) expect((await before.open(node)).status).toBe(oldStatus);
    for (const line of reply.setCookies) {
      expect(line).toMatch(/^session=trf_st_[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/);
      expect(Number(/Max-Age=(\d+)/.exec(line)?.[1])).toBeGreaterThan(86_400 * 29);
    }
  });

  it('every sensitive route requires step-up, and every node accepts it immediately [S8]', async () => {
    const routes = sensitiveRoutes(app);
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining(['GET /users/me/export', 'DELETE /users/me']),
    );
    const email = await signUp(app);
    // Another one stays, so that this one may go.
    const colleague = await signUp(app);
    await app.query(sql`update users set role = 'admin' where email in (${email}, ${colleague})`);
    const holder = await Holder.signIn(app, email);
    for (const { method, path } of routes) {
      const route = `${method} ${path}`;
      await makeStale(app, holder.sessionId);
      const stale = await app.client.send(method, path, undefined, holder.headers);
      expect({ route, status: stale.status, ...stale.body }).toMatchObject({
        route,
        status: 401,
        code: 'step_up_required',
        action: 'step_up',
      });
    }
    // A stale session is a live one all the same.
    expect((await holder.open(other)).status).toBe(200);
    const remembered = await other.running.app
      .get(SessionsService, { strict: false })
      .findById(holder.sessionId);
    expect((await reauthenticate(app, holder)).status).toBe(204);
    // What a node remembers from before is no reason to refuse what another node has just taken.
    const { session } = remembered as { session: LiveSession };
    expect(await other.running.app.get(StepUpCheck, { strict: false }).isFresh(session)).toBe(true);
    for (const { method, path } of routes) {
      const reply = await call(other, holder, method, path);
      expect({ route: `${method} ${path}`, code: reply.body['code'] }).not.toMatchObject({
        code: expect.stringMatching(/^(step_up_required|credential_.*|authentication_required)$/),
      });
    }
    expect((await holder.open(app)).status).toBe(401);
  });

  it('deleting an account ends every session on every node and frees the address [S5]', async () => {
    const email = freshEmail();
    const { id } = (await app.client.post('/signup', { email, password: PASSWORD })).body;
    const holder = await Holder.signIn(app, email);
    const elsewhere = await Holder.signIn(app, email);
    expect((await elsewhere.open(other)).status).toBe(200);
    const reply = await app.client.send('DELETE', '/users/me', undefined, holder.headers);
    expect({ status: reply.status, text: reply.text }).toEqual({ status: 204, text: '' });
    expect(reply.setCookies).toHaveLength(6);
    expect(reply.setCookies.every((line) => line.includes('Max-Age=0'))).toBe(true);
    for (const gone of [holder, elsewhere]) {
      expect((await gone.open(app)).status).toBe(401);
      expect((await gone.refresh(app)).status).toBe(401);
    }
    const deadline = Date.now() + 2_000;
    while ((await elsewhere.open(other)).status !== 401) expect(Date.now()).toBeLessThan(deadline);
    expect(await canSignIn(app, email, PASSWORD)).toBe(false);
    const mails = await app.query(
      sql`select kind, recipient from outbox_mails where user_id = ${id} and kind = 'account_deleted'`,
    );
    expect(mails).toEqual([{ kind: 'account_deleted', recipient: email }]);
    const events = await app.query(
      sql<{ kind: string }>`select kind from audit_events where user_id = ${id} order by at`,
    );
    expect(events.map(({ kind }) => kind)).toContain('account_deleted');
    const again = await app.client.post('/signup', { email, password: PASSWORD });
    expect(again.status).toBe(201);
    expect(again.body['id']).not.toBe(id);
    // What was of the old account opens nothing of the new one.
    expect((await elsewhere.open(app)).status).toBe(401);
  });

  it('identifies the user by the credential alone [incident 12]', async () => {
    const mine = await Holder.signIn(app);
    const theirs = await Holder.signIn(app);
    const { id } = (await theirs.open(app)).body;
    for (const field of ['user_id', 'userId', 'email', 'id', 'sub']) {
      for (const [method, path, body] of [
        ['POST', '/password', { current_password: PASSWORD, new_password: OTHER }],
        ['POST', '/reauthenticate', { password: PASSWORD }],
        ['PATCH', '/users/me', { name: 'Eve' }],
      ] as const) {
        const reply = await call(app, mine, method, path, { ...body, [field]: id });
        expect({ path, field, status: reply.status, errors: reply.body['errors'] }).toEqual({
          path,
          field,
          status: 400,
          errors: [{ path: field, message: 'is not a known field' }],
        });
      }
    }
    const exported = await call(app, mine, 'GET', `/users/me/export?user_id=${id}&userId=${id}`);
    expect(exported.body['account']).toMatchObject({ email: mine.email });
    expect(exported.text).not.toContain(id);
    expect((await call(app, mine, 'DELETE', `/users/me?user_id=${id}&userId=${id}`)).status).toBe(204);
    expect((await theirs.open(app)).status).toBe(200);
    expect((await mine.open(app)).status).toBe(401);
  });

  itOnServer(
    'signing out everywhere waits for a concurrent change of the account, without a deadlock [S5]',
    async () => {
      const holder = await Holder.signIn(app);
      const rows = await app.query(sql<{ id: string }>`select id from users where email = ${holder.email}`);
      let leaving: Promise<Reply> | undefined;
      await other.running.database.database.transaction(async (tx) => {
        await tx.query(sql`select 1 from users where id = ${rows[0]?.id} for no key update`);
        leaving = call(app, holder, 'POST', '/logout?scope=global');
        for (let looks = 0, waits = 0; waits === 0 && looks < 200; looks += 1) {
          const [seen] = await tx.query(
            sql<{
              n: number;
            }>`select count(*)::int as n from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))`,
          );
          waits = seen?.n ?? 0;
          if (waits === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        }
        // It holds none of the sessions that the change is going to end.
        const free = await tx.query(
          sql`select 1 from sessions where user_id = ${rows[0]?.id} for update nowait`,
        );
        expect(free).toHaveLength(1);
      });
      expect((await leaving)?.status).toBe(200);
      expect((await holder.open(other)).status).toBe(401);
    },
  );

  it('of two concurrent password changes with the same password over two nodes, exactly one succeeds', async () => {
    const first = await Holder.signIn(app);
    const second = await Holder.signIn(app, first.email);
    const twin = first.copy();
    const wanted = [`${OTHER} 1`, `${OTHER} 2`, `${OTHER} 3`];
    const replies = await Promise.all([
      changePassword(app, first, PASSWORD, `${OTHER} 1`),
      changePassword(other, second, PASSWORD, `${OTHER} 2`),
      // Of one session, too: nothing but the password tells these two apart where the credential stays.
      changePassword(other, twin, PASSWORD, `${OTHER} 3`),
    ]);
    expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
    for (const { status, body } of replies)
      expect([undefined, 'current_password_wrong', 'credential_revoked', 'credential_invalid']).toContain(
        status === 204 ? undefined : body['code'],
      );
    const good = await Promise.all(wanted.map((password) => canSignIn(app, first.email, password)));
    expect(good).toEqual(replies.map(({ status }) => status === 204));
  });
});

describe('pending exchange', () => {
  let app: TestApp;
  let issuing: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    issuing = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' }, sibling: app, force: true });
  });
  afterAll(async () => {
    await issuing.close();
    await app.close();
  });

  it('completes when the new credential re-authenticates; the old kind cannot restore the old value [S2, S3]', async () => {
    const old = await Holder.signIn(app);
    const holder = old.copy();
    holder.take(await old.exchange(issuing));
    const before = holder.copy();
    expect(holder.kind).toBe('session');
    expect((await reauthenticate(issuing, holder)).status).toBe(204);
    expect((await holder.open(issuing)).status).toBe(200);
    expect((await before.open(issuing)).status).toBe(401);
    expect((await old.exchange(issuing)).status).toBe(401);
    expect((await before.open(issuing)).status).toBe(401);
    expect((await holder.open(issuing)).status).toBe(200);
  });

  it('ends when the old credential re-authenticates: a credential requested before gains nothing [S2, S3]', async () => {
    const holder = await Holder.signIn(issuing);
    const before = holder.copy();
    const tokens = before.copy();
    tokens.take(await before.exchange(app));
    expect((await reauthenticate(app, holder)).status).toBe(204);
    expect((await before.open(app)).status).toBe(401);
    expect((await holder.open(app)).status).toBe(200);
    expect((await tokens.open(app)).status).toBe(401);
    expect((await tokens.refresh(app)).body['code']).toBe('refresh_invalid');
    holder.take(await holder.exchange(app));
    expect((await holder.open(app)).status).toBe(200);
  });

  it.each(['session', 'jwt'] as const)(
    'ends with a password change: the %s that an attacker requested is refused, and the owner stays signed in [S5]',
    async (kind) => {
      const [from, to] = kind === 'session' ? [app, issuing] : [issuing, app];
      const holder = await Holder.signIn(from);
      const thief = holder.copy();
      thief.take(await holder.exchange(to));
      expect(thief.kind).toBe(kind);
      expect((await changePassword(from, holder, PASSWORD, OTHER)).status).toBe(204);
      expect((await thief.open(to)).status).toBe(401);
      expect((await thief.refresh(to)).status).toBe(401);
      expect((await holder.open(to)).status).toBe(200);
    },
  );
});
