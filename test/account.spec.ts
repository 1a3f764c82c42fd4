import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { sql } from 'kysely';
import { ACCOUNT_SECTION, EXPORT_SECTIONS } from '../src/auth/account/export-sections.js';
import type { LiveSession } from '../src/auth/sessions/session-state.js';
import { SessionsService } from '../src/auth/sessions/sessions.service.js';
import { Freshness } from '../src/auth/step-up/freshness.service.js';
import { STEP_UP } from '../src/http/access.decorators.js';
import { startApp, type TestApp } from './support/app.js';
import { cookieValue, type Reply } from './support/client.js';
import { onServer } from './support/database.js';
import { Holder } from './support/holder.js';
import { settleMails } from './support/mailbox.js';
import { freshEmail, PASSWORD, signUp, STRATEGIES } from './support/strategies.js';
import { addTotp, codeOfNow, forgetSteps, wrongCode } from './support/totp.js';
import { SoftwareAuthenticator } from './support/webauthn.js';

const OTHER = 'another long passphrase';

/** Makes the last proof of a session too old for what is sensitive. */
async function makeStale(app: TestApp, sessionId: string): Promise<void> {
  await app.query(
    sql`update sessions set authenticated_at = now() - interval '11 minutes' where id = ${sessionId}`,
  );
}

async function countOf(app: TestApp, table: string, email: string): Promise<number> {
  const [row] = await app.query(
    sql<{
      n: number;
    }>`select count(*)::int as n from ${sql.table(table)} where user_id = (select id from users where email = ${email})`,
  );
  return row?.n ?? 0;
}

/** Sends with what a holder has, and keeps what the reply gives. */
async function call(
  app: TestApp,
  holder: Holder,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Reply> {
  const reply = await app.client.send(method, path, body, holder.headers);
  if (reply.status < 300) holder.take(reply);
  return reply;
}

const changePassword = (app: TestApp, holder: Holder, current: string | undefined, wanted: string) =>
  call(app, holder, 'POST', '/password', {
    ...(current !== undefined && { current_password: current }),
    new_password: wanted,
  });
const reauthenticate = (app: TestApp, holder: Holder, body: object = { password: PASSWORD }) =>
  call(app, holder, 'POST', '/reauthenticate', body);
const canSignIn = async (app: TestApp, email: string, password: string) =>
  (await app.client.post('/login', { email, password })).status === 200;

/** The cookies that a reply sets. */
const namesOf = ({ setCookies }: Reply) => setCookies.map((line) => line.split('=')[0]);

/** What another secret means: a cookie is another one, and the old one dead; nothing in a 204 could bring other tokens. */
const RENEWAL = {
  session: { namesSet: ['session'], oldStatus: 401 },
  jwt: { namesSet: [], oldStatus: 200 },
} as const;

/** Every route that is marked as sensitive, with `DELETE /users/me` last. */
function sensitiveRoutes(app: TestApp): { method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; path: string }[] {
  const discovery = new DiscoveryService(app.running.app.get(ModulesContainer));
  const scanner = new MetadataScanner();
  const routes = discovery.getControllers().flatMap(({ instance, metatype }) => {
    if (!instance || !metatype) return [];
    const prefix = String(Reflect.getMetadata('path', metatype));
    return scanner.getAllMethodNames(Object.getPrototypeOf(instance)).flatMap((name) => {
      const handler = (instance as Record<string, object>)[name] as object;
      const path: unknown = Reflect.getMetadata('path', handler);
      const isMarked = Reflect.getMetadata(STEP_UP, handler) ?? Reflect.getMetadata(STEP_UP, metatype);
      if (typeof path !== 'string' || !isMarked) return [];
      return [
        {
          method: RequestMethod[Number(Reflect.getMetadata('method', handler))] as 'GET',
          path: `/${prefix}/${path}`
            .replace(/\/{2,}/g, '/')
            .replace(/(.)\/$/, '$1')
            .replace(/:\w+/g, () => crypto.randomUUID()),
        },
      ];
    });
  });
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

  it('pain 5, F7: a changed password ends all other sessions with it, and the current one goes on under another secret', async () => {
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

  it('S2-3, incident 21: a re-authentication makes the secret another one, and leaves session, person and end', async () => {
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

  it('S8: whatever is sensitive wants a fresh proof, on every route, and takes it at once on every node', async () => {
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
    expect(await other.running.app.get(Freshness, { strict: false }).isFresh(session)).toBe(true);
    for (const { method, path } of routes) {
      const reply = await call(other, holder, method, path);
      expect({ route: `${method} ${path}`, code: reply.body['code'] }).not.toMatchObject({
        code: expect.stringMatching(/^(step_up_required|credential_.*|authentication_required)$/),
      });
    }
    expect((await holder.open(app)).status).toBe(401);
  });

  it('S5: a deleted account ends every session at once on every node, and its address is free', async () => {
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

  it('incident 12: nothing but the credential says whose account it is', async () => {
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
    'S5: who signs out everywhere waits for what changes the account, instead of for its sessions',
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

  it('of two changes at once that know the same password exactly one wins, on two nodes', async () => {
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

describe('the account', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
  });
  afterAll(() => app.close());

  const idOf = async (holder: Holder) => (await holder.open(app)).body['id'] as string;
  const eventsOf = (id: string) =>
    app.query(
      sql<{
        kind: string;
        session_id: string | null;
        details: Record<string, unknown>;
      }>`select kind, session_id, details
        from audit_events where user_id = ${id} order by at, id`,
    );

  describe('a changed password', () => {
    it('P1, P3, P6, P8, P9: goes by the rules of sign-up', async () => {
      const email = `grandiloquence.${freshEmail()}`;
      await signUp(app, email);
      const holder = await Holder.signIn(app, email);
      for (const [wanted, reason] of [
        ['x'.repeat(7) + 'yz wvut'.slice(0, 7), 'too_short'],
        ['passwordpassword', 'common'],
        ['Grandiloquence-Grandiloquence', 'context_specific'],
        ['traffy-TRAFFY-traffy!', 'context_specific'],
      ] as const) {
        const reply = await changePassword(app, holder, PASSWORD, wanted);
        expect({ wanted, status: reply.status, ...reply.body }).toMatchObject({
          wanted,
          status: 400,
          code: 'weak_password',
          reason,
          errors: [{ path: 'new_password' }],
        });
      }
      const tooLong = await changePassword(app, holder, PASSWORD, 'ä'.repeat(513));
      expect(tooLong.body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'new_password' }] });
      expect((await changePassword(app, holder, PASSWORD, 'fifteen letters')).status).toBe(204);
      const longest = `${'0123456789 abcdef'.repeat(60)}`;
      expect((await changePassword(app, holder, 'fifteen letters', `${longest}!`)).status).toBe(204);
      expect(await canSignIn(app, email, longest)).toBe(false);
      expect(await canSignIn(app, email, `${longest}!`)).toBe(true);
    });

    it('P7: is the same in either Unicode spelling, also as the current one', async () => {
      const holder = await Holder.signIn(app);
      expect((await changePassword(app, holder, PASSWORD, 'caf\u00e9 au lait, s\u2019il')).status).toBe(204);
      const unchanged = await changePassword(
        app,
        holder,
        'cafe\u0301 au lait, s\u2019il',
        'cafe\u0301 au lait, s\u2019il',
      );
      expect(unchanged.body).toMatchObject({ code: 'weak_password', reason: 'unchanged' });
      expect((await changePassword(app, holder, 'cafe\u0301 au lait, s\u2019il', OTHER)).status).toBe(204);
    });

    it('pain 6: needs the current one; a wrong one is a 403 that signs nobody out, is recorded, and changes nothing', async () => {
      const holder = await Holder.signIn(app);
      const elsewhere = await Holder.signIn(app, holder.email);
      const reply = await changePassword(app, holder, `${PASSWORD}!`, OTHER);
      expect({ status: reply.status, cookies: reply.setCookies, ...reply.body }).toMatchObject({
        status: 403,
        cookies: [],
        code: 'current_password_wrong',
        errors: [{ path: 'current_password', message: 'is wrong' }],
      });
      expect(reply.body).not.toHaveProperty('action');
      expect((await holder.open(app)).status).toBe(200);
      expect((await elsewhere.open(app)).status).toBe(200);
      expect(await canSignIn(app, holder.email, PASSWORD)).toBe(true);
      expect(await eventsOf(await idOf(holder))).toContainEqual({
        kind: 'reauthentication_failed',
        session_id: holder.sessionId,
        details: { reason: 'wrong', purpose: 'password' },
      });
      // A wrong one never learns whether the new one is the current one.
      const probe = await changePassword(app, holder, `${PASSWORD}!`, PASSWORD);
      expect(probe.body['code']).toBe('current_password_wrong');
    });

    it('pain 6: without the current one a fresh session will do, and a stale one will not', async () => {
      const holder = await Holder.signIn(app);
      await makeStale(app, holder.sessionId);
      const stale = await changePassword(app, holder, undefined, OTHER);
      expect({ status: stale.status, ...stale.body }).toMatchObject({
        status: 401,
        code: 'step_up_required',
        action: 'step_up',
      });
      expect(await canSignIn(app, holder.email, OTHER)).toBe(false);
      expect((await reauthenticate(app, holder)).status).toBe(204);
      const same = await changePassword(app, holder, undefined, PASSWORD);
      expect(same.body).toMatchObject({ code: 'weak_password', reason: 'unchanged' });
      expect((await changePassword(app, holder, undefined, OTHER)).status).toBe(204);
      expect(await canSignIn(app, holder.email, OTHER)).toBe(true);
    });

    it('is the first one for somebody who has none, once they are fresh', async () => {
      const holder = await Holder.signIn(app);
      await app.query(sql`update users set password_hash = null where email = ${holder.email}`);
      for (const guess of ['', PASSWORD])
        expect((await changePassword(app, holder, guess, OTHER)).body['code']).toBe('current_password_wrong');
      expect((await changePassword(app, holder, undefined, OTHER)).status).toBe(204);
      expect(await canSignIn(app, holder.email, OTHER)).toBe(true);
    });

    it('L8: is told by mail and recorded, counts as known to nobody, and ends what was under way', async () => {
      const holder = await Holder.signIn(app);
      const id = await idOf(holder);
      await app.query(sql`update users set password_compromised_at = now() where id = ${id}`);
      const hash = () => crypto.getRandomValues(Buffer.alloc(32));
      await app.query(
        sql`insert into mfa_challenges (token_hash, user_id, methods, transport, expires_at)
            values (${hash()}, ${id}, ${['pwd']}, 'bearer', now() + interval '10 minutes')`,
      );
      for (const [purpose, waiting] of [
        ['reset_password', null],
        ['verify_email', 'the hash of a password that waits'],
        ['change_email', null],
      ])
        await app.query(
          sql`insert into one_time_tokens (token_hash, purpose, user_id, email, password_hash, expires_at)
              values (${hash()}, ${purpose}, ${id}, ${holder.email}, ${waiting}, now() + interval '1 hour')`,
        );
      expect((await changePassword(app, holder, PASSWORD, OTHER)).status).toBe(204);
      expect(await countOf(app, 'mfa_challenges', holder.email)).toBe(0);
      const links = await app.query(
        sql<{
          purpose: string;
        }>`select distinct purpose from one_time_tokens where user_id = ${id} order by purpose`,
      );
      // The other is its own affair: whoever proves the address wins.
      expect(links.map(({ purpose }) => purpose)).toEqual(['verify_email']);
      const [user] = await app.query(sql`select password_compromised_at from users where id = ${id}`);
      expect(user).toEqual({ password_compromised_at: null });
      const mails = await app.query(
        sql`select kind, recipient, params from outbox_mails where user_id = ${id} and kind = 'password_changed'`,
      );
      expect(mails).toEqual([
        {
          kind: 'password_changed',
          recipient: holder.email,
          params: { ip: '127.0.0.1', user_agent: 'lightMyRequest' },
        },
      ]);
      expect((await eventsOf(id)).at(-1)).toMatchObject({
        kind: 'password_changed',
        session_id: holder.sessionId,
      });
    });

    it('pain 5: stands with its mail, its record and the ended sessions, or not at all', async () => {
      const holder = await Holder.signIn(app);
      const elsewhere = await Holder.signIn(app, holder.email);
      await app.query(
        sql`alter table outbox_mails add constraint "no_mail" check (kind <> 'password_changed') not valid`,
      );
      const failed = await changePassword(app, holder, PASSWORD, OTHER);
      await app.query(sql`alter table outbox_mails drop constraint "no_mail"`);
      expect(failed.status).toBe(500);
      expect((await elsewhere.open(app)).status).toBe(200);
      expect((await holder.open(app)).status).toBe(200);
      expect(await canSignIn(app, holder.email, PASSWORD)).toBe(true);
      expect((await eventsOf(await idOf(holder))).map(({ kind }) => kind)).not.toContain('password_changed');
    });
  });

  describe('a re-authentication', () => {
    it('S8: with a wrong password is a 403 that signs nobody out, and leaves the session stale', async () => {
      const holder = await Holder.signIn(app);
      const stranger = await Holder.signIn(app);
      await changePassword(app, stranger, PASSWORD, OTHER);
      await makeStale(app, holder.sessionId);
      // incident 21: also with one that is right for somebody else.
      for (const password of ['', `${PASSWORD} `, OTHER]) {
        const reply = await reauthenticate(app, holder, { password });
        expect({ status: reply.status, cookies: reply.setCookies, code: reply.body['code'] }).toEqual({
          status: 403,
          cookies: [],
          code: 'reauthentication_failed',
        });
      }
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
      expect(await eventsOf(await idOf(holder))).toContainEqual({
        kind: 'reauthentication_failed',
        session_id: holder.sessionId,
        details: { reason: 'wrong' },
      });
    });

    it('refuses a body without any proof', async () => {
      const holder = await Holder.signIn(app);
      for (const body of [{}, undefined, { password: 1 }, { password: null }, { password: [PASSWORD] }]) {
        const reply = await call(app, holder, 'POST', '/reauthenticate', body);
        expect({ body, code: reply.body['code'] }).toEqual({ body, code: 'validation_failed' });
      }
      const reply = await reauthenticate(app, holder, { code: '123456' });
      expect(reply.body['code']).toBe('reauthentication_failed');
    });

    it('L3: guesses at either place count as those at sign-in do', async () => {
      const holder = await Holder.signIn(app);
      await makeStale(app, holder.sessionId);
      const guesses = async () => {
        const [row] = await app.query(
          sql<{ n: number }>`select coalesce(max(failures), 0)::int as n from guess_counters
            where authenticator = 'password' and subject = sha256(convert_to(${holder.email}, 'UTF8'))`,
        );
        return row?.n;
      };
      await reauthenticate(app, holder, { password: 'wrong' });
      await changePassword(app, holder, 'wrong', OTHER);
      expect(await guesses()).toBe(2);
      // Right, but nothing came of it: no guess, and no success either.
      await changePassword(app, holder, PASSWORD, 'short');
      expect(await guesses()).toBe(2);
      expect((await reauthenticate(app, holder)).status).toBe(204);
      expect(await guesses()).toBe(0);
      // What the limit does not admit is refused, though it is right.
      for (let guess = 0; guess < 12; guess += 1) await reauthenticate(app, holder, { password: 'wrong' });
      expect((await reauthenticate(app, holder)).body['code']).toBe('reauthentication_failed');
      expect((await changePassword(app, holder, PASSWORD, OTHER)).body['code']).toBe(
        'current_password_wrong',
      );
      expect((await holder.open(app)).status).toBe(200);
    });

    it('never brings back a session that has died', async () => {
      const holder = await Holder.signIn(app);
      for (const change of [
        sql`update sessions set expires_at = created_at + interval '1 microsecond' where id = ${holder.sessionId}`,
        sql`update sessions set revoked_at = now(), revoked_reason = 'logout' where id = ${holder.sessionId}`,
      ]) {
        await app.query(change);
        expect((await reauthenticate(app, holder)).status).toBe(401);
        expect((await holder.open(app)).status).toBe(401);
      }
    });

    it('S2-3: of two at once with one cookie the first wins, and the second’s cookie is dead', async () => {
      const holder = await Holder.signIn(app);
      const replies = await Promise.all([1, 2].map(() => reauthenticate(app, holder.copy())));
      expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 401]);
      const won = replies.find(({ status }) => status === 204) as Reply;
      const [row] = await app.query(
        sql<{
          good: boolean;
        }>`select secret_hash = sha256(convert_to(${cookieValue(won, 'session')}, 'UTF8')) as good
          from sessions where id = ${holder.sessionId}`,
      );
      expect(row).toEqual({ good: true });
    });

    it('with a password that others know opens nothing but the change of it', async () => {
      const holder = await Holder.signIn(app);
      await app.query(sql`update users set password_compromised_at = now() where email = ${holder.email}`);
      const reply = await reauthenticate(app, holder);
      expect(reply.body).toMatchObject({ code: 'reauthentication_failed', detail: /POST \/password/ });
      expect((await changePassword(app, holder, PASSWORD, OTHER)).status).toBe(204);
      expect((await reauthenticate(app, holder, { password: OTHER })).status).toBe(204);
    });
  });

  describe('with a second factor', () => {
    let holder: Holder;
    let secret: string;
    /** The code of now, as if none had been used. */
    const freshCode = async () => {
      await forgetSteps(app);
      return codeOfNow(app, secret);
    };
    beforeAll(async () => {
      holder = await Holder.signIn(app);
      secret = await addTotp(app, app.client.with(holder.headers));
    });

    it('incident 25: the password alone is no fresh proof any more', async () => {
      await makeStale(app, holder.sessionId);
      for (const body of [{ password: PASSWORD }, { code: await freshCode() }]) {
        const reply = await reauthenticate(app, holder, body);
        expect({ status: reply.status, ...reply.body }).toMatchObject({
          status: 403,
          code: 'factor_required',
          factors: ['totp'],
        });
      }
      for (const body of [
        { password: PASSWORD, code: await wrongCode(app, secret) },
        { password: 'wrong', code: await freshCode() },
        { password: PASSWORD, recovery_code: '7K2QX-0M4TB-VR9HD-3WN5E-YC8JZ' },
      ]) {
        const reply = await reauthenticate(app, holder, body);
        expect(reply.body['code']).toBe('reauthentication_failed');
      }
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
    });

    it('incident 16: password and code are, once, and the session says how', async () => {
      await makeStale(app, holder.sessionId);
      const code = await freshCode();
      expect((await reauthenticate(app, holder, { password: PASSWORD, code })).status).toBe(204);
      const [session] = await app.query(sql`select methods from sessions where id = ${holder.sessionId}`);
      expect(session).toEqual({ methods: ['pwd', 'otp', 'mfa'] });
      const again = await reauthenticate(app, holder, { password: PASSWORD, code });
      expect(again.body['code']).toBe('reauthentication_failed');
    });

    it('incident 25: nor is it enough to change the password from a session that never showed the factor', async () => {
      const changing = await Holder.signIn(app);
      const other = await Holder.signIn(app, changing.email);
      const seed = await addTotp(app, app.client.with(changing.headers));
      for (const current of [PASSWORD, 'a wrong passphrase of some length']) {
        const reply = await changePassword(app, other, current, OTHER);
        expect({ status: reply.status, ...reply.body }).toMatchObject({
          status: 401,
          code: 'step_up_required',
          action: 'step_up',
        });
      }
      expect((await call(app, changing, 'GET', '/users/me')).status).toBe(200);
      await makeStale(app, changing.sessionId);
      expect((await changePassword(app, changing, PASSWORD, OTHER)).body['code']).toBe('step_up_required');
      const code = await codeOfNow(app, seed);
      expect((await reauthenticate(app, other, { password: PASSWORD, code })).status).toBe(204);
      expect((await changePassword(app, other, PASSWORD, OTHER)).status).toBe(204);
    });

    it('T6: so is a recovery code, once', async () => {
      const { codes } = (await call(app, holder, 'POST', '/recovery-codes')).body;
      const body = { password: PASSWORD, recovery_code: codes[0] };
      expect((await reauthenticate(app, holder, body)).status).toBe(204);
      expect((await reauthenticate(app, holder, body)).body['code']).toBe('reauthentication_failed');
      expect(await countOf(app, 'recovery_codes', holder.email)).toBe(9);
    });
  });

  describe('with a passkey', () => {
    const begin = async (asked: Holder) =>
      (await call(app, asked, 'POST', '/passkeys/authentication/options', { purpose: 'reauthentication' }))
        .body as { challenge: string; rpId: string };
    /** Somebody with a passkey and a session that is stale. */
    const enrol = async () => {
      const holder = await Holder.signIn(app);
      const options = (await call(app, holder, 'POST', '/passkeys/registration/options')).body as never;
      const made = SoftwareAuthenticator.create(app.config.app.PUBLIC_URL, options);
      await call(app, holder, 'POST', '/passkeys/registration/verify', { credential: made.credential });
      await makeStale(app, holder.sessionId);
      return { holder, authenticator: made.authenticator };
    };

    it('that verified its user nothing else is needed, once, and for this session alone', async () => {
      const { holder, authenticator } = await enrol();
      const elsewhere = await begin(await signInByPasskey(holder.email, authenticator));
      const foreign = await reauthenticate(app, holder, { credential: authenticator.get(elsewhere) });
      expect(foreign.body['code']).toBe('reauthentication_failed');
      const credential = authenticator.get(await begin(holder));
      expect((await reauthenticate(app, holder, { credential })).status).toBe(204);
      const [session] = await app.query(sql`select methods from sessions where id = ${holder.sessionId}`);
      expect(session).toEqual({ methods: ['pop', 'user', 'mfa'] });
      const again = await reauthenticate(app, holder, { credential });
      expect(again.body['code']).toBe('reauthentication_failed');
    });

    it('incident 25: that only saw somebody there the password is needed too', async () => {
      const { holder, authenticator } = await enrol();
      const present = async () => authenticator.get(await begin(holder), { flags: { uv: false } });
      const alone = await reauthenticate(app, holder, { credential: await present() });
      expect(alone.body).toMatchObject({ code: 'factor_required', factors: ['passkey'] });
      expect((await reauthenticate(app, holder)).body['code']).toBe('factor_required');
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
      const both = { password: PASSWORD, credential: await present() };
      expect((await reauthenticate(app, holder, both)).status).toBe(204);
    });

    it('incident 25, T8: nor are two of its kind without the password', async () => {
      const { holder, authenticator } = await enrol();
      await reauthenticate(app, holder, { credential: authenticator.get(await begin(holder)) });
      const secret = await addTotp(app, app.client.with(holder.headers));
      await makeStale(app, holder.sessionId);
      const credential = authenticator.get(await begin(holder), { flags: { uv: false } });
      const both = { code: await codeOfNow(app, secret), credential };
      expect((await reauthenticate(app, holder, both)).body['code']).toBe('factor_required');
      expect((await call(app, holder, 'GET', '/users/me/export')).body['code']).toBe('step_up_required');
    });

    it('incident 21: of somebody else nobody becomes them', async () => {
      const mine = await enrol();
      const theirs = await enrol();
      const credential = theirs.authenticator.get(await begin(mine.holder));
      const reply = await reauthenticate(app, mine.holder, { credential });
      expect(reply.body['code']).toBe('reauthentication_failed');
      expect((await mine.holder.open(app)).body['email']).toBe(mine.holder.email);
    });

    async function signInByPasskey(email: string, authenticator: SoftwareAuthenticator): Promise<Holder> {
      const options = (await app.client.post('/passkeys/authentication/options')).body as never;
      const signedIn = new Holder(email);
      signedIn.take(
        await app.client.post('/passkeys/authentication/verify', { credential: authenticator.get(options) }),
      );
      return signedIn;
    }
  });
});

describe('my data, and none of others', () => {
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

  it('an export knows every column of every table that names people or sessions', async () => {
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

  it('an export has all that is stored, as a file, without secrets and without anybody else', async () => {
    const holder = await Holder.signIn(app);
    const stranger = await Holder.signIn(app);
    const { id } = (await holder.open(app)).body;
    const strangerId = (await stranger.open(app)).body['id'];
    for (const owner of [id, strangerId]) await fill(owner);
    // Asked for by whoever it was, without a credential; composed, it is known whose it is.
    await app.client.post('/password/forgot', { email: holder.email });
    await settleMails(app);
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

  it('an account is deleted with all that belongs to it; the trail and the last mail stay under its id', async () => {
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

  it('the last administrator cannot go, also of two who go at once', async () => {
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

  it('pain 6, H1: the profile has a name and nothing else; what opens the account is refused by name', async () => {
    const holder = await Holder.signIn(app);
    const before = (await holder.open(app)).body;
    expect(before).toEqual({
      id: expect.any(String),
      email: holder.email,
      email_verified: false,
      name: null,
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

describe('an exchange under way', () => {
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

  it('S2-3: ends where the new credential proves who it is; the old kind cannot bring back the old value', async () => {
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

  it('S2-3: goes on where the old credential does, and that one is another', async () => {
    const holder = await Holder.signIn(issuing);
    const before = holder.copy();
    const tokens = before.copy();
    tokens.take(await before.exchange(app));
    expect((await reauthenticate(app, holder)).status).toBe(204);
    expect((await before.open(app)).status).toBe(401);
    expect((await holder.open(app)).status).toBe(200);
    expect((await tokens.open(app)).status).toBe(200);
  });

  it.each(['session', 'jwt'] as const)(
    'S5: ends with a change of the password: the %s that somebody else asked for opens nothing, and throws nobody out',
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
