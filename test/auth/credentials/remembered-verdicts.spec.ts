import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { RevocationFeed } from '../../../src/auth/revocation/revocation-feed.service.js';
import { startApp, type TestApp } from '../../support/app.js';
import { type Client } from '../../support/client.js';
import { given } from '../../support/given.js';
import { routesOf } from '../../support/routes.js';
import { addPasskeyRow, idOf } from '../../support/second-factors.js';
import { freshEmail, PASSWORD, type SignedIn, signIn } from '../../support/strategies.js';
import { addTotp, codeOfNow } from '../../support/totp.js';
import { SoftwareAuthenticator } from '../../support/webauthn.js';

const OTHER = 'another long passphrase';

/** Routes that no remembered verdict decides: what they take is their own proof, checked on the rows. */
const OWN_PROOF = [
  'POST /login',
  'POST /mfa',
  'POST /passkeys/authentication/verify',
  // Its token; every use reads the row.
  'POST /refresh',
];

/** Someone who acts on both nodes. */
interface Person extends SignedIn {
  readonly id: string;
  /** Another session of the same account, which has proved a second factor. */
  readonly elsewhere: SignedIn;
}

interface Attempt {
  readonly path?: string;
  readonly body?: unknown;
}

/** Prepares a call on the node that knows, and gives what to send; `password` is the valid one when it is sent. */
type Recipe = (person: Person, here: TestApp) => Promise<(password: string) => Attempt>;

const fixed = async (attempt: Attempt) => () => attempt;

const passkeyOptions = async (client: Client) => (await client.post('/passkeys/registration/options')).body;

async function victimOf(here: TestApp): Promise<{ id: string; sessionId: string }> {
  const victim = await signIn(here);
  return { id: await idOf(here, victim.email), sessionId: victim.sessionId };
}

/** One that would succeed, for each route, by its place in the route table. Several for one route: `name route`. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  'PATCH /users/me': () => fixed({ body: { name: 'Eve' } }),
  'DELETE /users/me': () => fixed({}),
  'POST /password': () => fixed({ body: { new_password: 'the passphrase of the thief' } }),
  'by password POST /password': async () => (password) => ({
    body: { current_password: password, new_password: 'the passphrase of the thief' },
  }),
  'POST /email': () => fixed({ body: { email: freshEmail() } }),
  'POST /email/verify/resend': () => fixed({}),
  'POST /reauthenticate': async () => (password) => ({ body: { password } }),
  'DELETE /sessions/:id': ({ elsewhere }) => fixed({ path: `/sessions/${elsewhere.sessionId}` }),
  'POST /logout': () => fixed({ path: '/logout?scope=others' }),
  'everywhere POST /logout': () => fixed({ path: '/logout?scope=global' }),
  'POST /session/exchange': () => fixed({}),
  'POST /totp': () => fixed({}),
  'POST /totp/confirm': async ({ client }, here) => {
    const { secret } = (await client.post('/totp')).body;
    return fixed({ body: { code: await codeOfNow(here, secret) } });
  },
  'DELETE /totp': async ({ client }, here) => {
    await addTotp(here, client);
    return fixed({});
  },
  'POST /recovery-codes': async ({ client }, here) => {
    await addTotp(here, client);
    return fixed({});
  },
  'POST /passkeys/registration/options': () => fixed({}),
  'POST /passkeys/registration/verify': async ({ client }, here) => {
    const options = await passkeyOptions(client);
    const made = SoftwareAuthenticator.create(here.config.app.PUBLIC_URL, options as never);
    return fixed({ body: { credential: made.credential } });
  },
  'PATCH /passkeys/:id': async ({ email, sessionId }, here) => {
    const id = await addPasskeyRow(here, email);
    await given.sessionWithMethods(here, sessionId, ['pwd', 'mfa']);
    return fixed({ path: `/passkeys/${id}`, body: { name: 'of the thief' } });
  },
  'DELETE /passkeys/:id': async ({ email, sessionId }, here) => {
    const id = await addPasskeyRow(here, email);
    await given.sessionWithMethods(here, sessionId, ['pwd', 'mfa']);
    return fixed({ path: `/passkeys/${id}` });
  },
  'POST /passkeys/authentication/options': () => fixed({ body: { purpose: 'reauthentication' } }),
  'PATCH /admin/users/:id': async (_person, here) => {
    const { id } = await victimOf(here);
    return fixed({ path: `/admin/users/${id}`, body: { role: 'admin' } });
  },
  'DELETE /admin/users/:id/sessions': async (_person, here) => {
    const { id } = await victimOf(here);
    return fixed({ path: `/admin/users/${id}/sessions` });
  },
  'DELETE /admin/users/:id/sessions/:session_id': async (_person, here) => {
    const { id, sessionId } = await victimOf(here);
    return fixed({ path: `/admin/users/${id}/sessions/${sessionId}` });
  },
};

const routeOf = (name: string) => /(?:GET|POST|PUT|PATCH|DELETE) .*$/.exec(name)?.[0] ?? '';

/** What happens on the node that knows; it gives the password that is valid from then on. */
type Event = (person: Person, here: TestApp, admin: SignedIn) => Promise<string>;

const EVENTS: Readonly<Record<string, Event>> = {
  'the session ended': async ({ client }) => {
    expect((await client.post('/logout')).status).toBe(200);
    return PASSWORD;
  },
  'the user was disabled': async ({ id }, _here, admin) => {
    expect((await admin.client.send('PATCH', `/admin/users/${id}`, { disabled: true })).status).toBe(200);
    return PASSWORD;
  },
  'the role was taken': async ({ id }, _here, admin) => {
    expect((await admin.client.send('PATCH', `/admin/users/${id}`, { role: 'user' })).status).toBe(200);
    return PASSWORD;
  },
  'the proof of identity is too old': async ({ sessionId }, here) => {
    await given.staleSession(here, sessionId);
    return PASSWORD;
  },
  'the password was changed elsewhere': async ({ elsewhere }) => {
    const changed = await elsewhere.client.post('/password', { new_password: OTHER });
    expect(changed.status).toBe(204);
    return OTHER;
  },
};

/** What nodes write between requests, and counts of attempts, refused ones too. */
const NOT_EFFECTS = [
  'nodes',
  'migrations',
  'traffy_migrations',
  'signing_keys',
  'audit_chain',
  'one_time_tokens',
  'guess_counters',
  'audit_counters',
];

/** What a refused call uses up by design: a challenge is deleted before anything of its answer is checked. */
const USED_UP: Readonly<Record<string, readonly string[]>> = {
  'POST /passkeys/registration/verify': ['webauthn_challenges'],
};

/** A row as text. Nodes change mails as they send them and events as they chain them; the last use is no effect. */
function lineOf(table: string) {
  return ['outbox_mails', 'audit_events'].includes(table)
    ? sql`t.id::text`
    : sql`(to_jsonb(t) - 'last_used_at')::text`;
}

/** Everything that lasts, as one text a table. */
async function everythingIn(app: TestApp): Promise<Record<string, string>> {
  const database = app.running.database.database;
  const tables = await database.query(
    sql<{ name: string }>`select table_name as name from information_schema.tables
      where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
  );
  const parts = tables
    .filter(({ name }) => !NOT_EFFECTS.includes(name))
    .map(
      ({
        name,
      }) => sql`select ${sql.lit(name)} as name, coalesce(string_agg(line, '|' order by line), '') as rows
        from (select ${lineOf(name)} as line from ${sql.table(name)} t) as lines`,
    );
  const rows = await database.query(
    sql<{ name: string; rows: string }>`${sql.join(parts, sql` union all `)}`,
  );
  return Object.fromEntries(rows.map(({ name, rows: text }) => [name, text]));
}

describe.each([
  { kind: 'session', known: 'session,jwt', cut: 'jwt,session' },
  { kind: 'jwt', known: 'jwt,session', cut: 'session,jwt' },
])('a node whose feed is cut, for a credential of the kind $kind', (strategies) => {
  let here: TestApp;
  let there: TestApp;
  let admin: SignedIn;
  beforeAll(async () => {
    here = await startApp({ env: { AUTH_STRATEGY: strategies.known } });
    there = await startApp({ env: { AUTH_STRATEGY: strategies.cut }, sibling: here });
    admin = await signIn(here);
    await given.role(here, admin.email, 'admin');
    // It hears nothing, and its last poll counts as fresh: as in the two seconds after the cut.
    const feed = there.running.app.get(RevocationFeed, { strict: false });
    feed.catchUp = async () => undefined;
    Object.defineProperty(feed, 'isFresh', { get: () => true });
  });
  afterAll(async () => {
    await there.close();
    await here.close();
  });

  async function newPerson(isAdmin: boolean): Promise<Person> {
    const signedIn = await signIn(here);
    const elsewhere = await signIn(here, signedIn.email);
    await given.sessionWithMethods(here, elsewhere.sessionId, ['pwd', 'mfa']);
    const id = await idOf(here, signedIn.email);
    // Without a second factor, the guard of step-up reads the row: here the lock must decide.
    await given.sessionWithMethods(here, signedIn.sessionId, ['pwd', 'mfa']);
    if (isAdmin) await given.role(here, signedIn.email, 'admin');
    return { ...signedIn, elsewhere, id };
  }

  /** Sends a call on the cut node, which remembers the credential from before the event. */
  async function attempt(name: string, event: Event | null) {
    const facts = routesOf(there).find(({ route }) => route === routeOf(name));
    if (!facts) throw new Error(`no route ${name}`);
    const person = await newPerson(facts.role === 'admin');
    const prepared = await RECIPES[name]?.(person, here);
    const remembered = there.client.with(person.headers);
    expect((await remembered.get('/users/me')).status).toBe(200);
    const password = event ? await event(person, here, admin) : PASSWORD;
    expect((await remembered.get('/users/me')).status).toBe(200);
    const { path = facts.path, body } = prepared?.(password) ?? {};
    const before = await everythingIn(here);
    const reply = await remembered.send(facts.method as 'POST', path, body);
    const after = await everythingIn(here);
    const changed = Object.keys(after).filter((table) => after[table] !== before[table]);
    return { name, status: reply.status, changed };
  }

  it('has a call for every route that changes something for a signed-in user', () => {
    const unsafe = routesOf(there).filter(({ method, access }) => method !== 'GET' && access !== 'none');
    const covered = new Set([...Object.keys(RECIPES).map(routeOf), ...OWN_PROOF]);
    expect(unsafe.map(({ route }) => route).filter((route) => !covered.has(route))).toEqual([]);
  });

  it('does what a live credential asks for', async () => {
    for (const name of Object.keys(RECIPES)) {
      const { status, changed } = await attempt(name, null);
      expect({ name, isDone: status < 300, hasEffect: changed.length > 0 }).toEqual({
        name,
        isDone: true,
        hasEffect: true,
      });
    }
  });

  it.each(Object.keys(EVENTS))('changes nothing once %s [S14]', async (what) => {
    const facts = new Map(routesOf(there).map((route) => [route.route, route]));
    // A role or a recent proof is nothing to the routes that do not ask for one.
    const names = Object.keys(RECIPES).filter((name) => {
      const { role, needsStepUp } = facts.get(routeOf(name)) ?? {};
      if (what === 'the role was taken') return role === 'admin';
      return what !== 'the proof of identity is too old' || needsStepUp;
    });
    expect(names.length).toBeGreaterThan(0);
    const status = what === 'the role was taken' ? 403 : 401;
    for (const name of names)
      expect(await attempt(name, EVENTS[what] ?? null)).toEqual({
        name,
        status,
        changed: USED_UP[name] ?? [],
      });
  });
});
