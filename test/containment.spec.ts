import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { UserAdministrationService } from '../src/admin/user-administration.service.js';
import { type ContainmentRow } from '../src/auth/containment/cells.js';
import { CONTAINMENT } from '../src/auth/containment/containment.table.js';
import { ServiceClients } from '../src/services/service-clients.service.js';
import { startApp, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { containmentDocument, EVERYTHING, type Ended, NOTHING, type Scope } from './support/containment.js';
import { generatedDocument } from './support/documents.js';
import { Holder } from './support/holder.js';
import { endMadeBefore } from './support/sign-out.js';
import { freshEmail, PASSWORD, type SignedIn, signIn, signUp } from './support/strategies.js';
import { addRecoveryCodes, codeOfNow } from './support/totp.js';
import { given } from './support/given.js';

const OTHER = 'another long passphrase';
const ATTACKER = '203.0.113.7';
const OUTSIDE = { strict: false } as const;

/** An account with all that can end. */
interface Subject {
  readonly id: string;
  readonly email: string;
  /** The session that acts. Its exchange is under way: `pending` has the new credential. */
  readonly acting: Holder;
  readonly pending: Holder;
  /** Another session of the same kind, and two of the other kind. */
  readonly named: Holder;
  readonly others: readonly Holder[];
  readonly mfaToken: string;
  /** Mailed tokens; the spares are for causes that use one up. */
  readonly tokens: Readonly<Record<'reset' | 'spareReset' | 'verify' | 'spareVerify', string>>;
  /** Links to an address that is taken, by the session that requested them. */
  readonly changes: Readonly<Record<'acting' | 'named', string>>;
}

/** What changed of the account, for what is tried afterwards. */
interface After {
  readonly password?: string;
  readonly state?: 'gone' | 'moved';
}

interface Way {
  readonly cause: keyof typeof CONTAINMENT;
  readonly way: string;
  readonly ends: Ended;
  /** Whose session is `own`: the one that acts, or the one that is named. */
  readonly own?: 'acting' | 'named';
  readonly isVerified?: false;
  /** Only for subjects whose named session has tokens. */
  readonly kind?: 'jwt';
  run(subject: Subject): Promise<After | void>;
}

let apps: Record<'session' | 'jwt', TestApp>;
/** The application that the cause happens at, which issues the kind of the acting session. */
let app: TestApp;
let sibling: TestApp;
let admin: SignedIn;
/** The address of another account, whose password is OTHER. */
let bystander: string;

beforeAll(async () => {
  const session = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
  const jwt = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' }, sibling: session });
  apps = { session, jwt };
  bystander = await signUp(session, undefined, OTHER);
});
afterAll(async () => {
  await apps.jwt.close();
  await apps.session.close();
});

const sha256 = (text: string) => createHash('sha256').update(text).digest();
const random = (bytes: number) => randomBytes(bytes);
const at = (holder: Holder) => app.client.with(holder.headers);

async function mailedToken(
  { id, email }: { id: string; email: string },
  purpose: 'reset_password' | 'verify_email' | 'change_email',
  {
    address = email,
    sessionId = null,
    passwordHash = null,
  }: { address?: string; sessionId?: string | null; passwordHash?: string | null } = {},
): Promise<string> {
  const token = `trf_ot_${random(32).toString('base64url')}`;
  await app.query(
    sql`insert into one_time_tokens (token_hash, purpose, user_id, email, password_hash, session_id, expires_at)
        values (${sha256(token)}, ${purpose}, ${id}, ${address}, ${passwordHash}, ${sessionId}, now() + interval '1 hour')`,
  );
  return token;
}

/** A link to an address that is taken, and a mail with one that is not composed yet. */
async function addressChange(account: { id: string; email: string }, sessionId: string): Promise<string> {
  await app.query(
    sql`insert into outbox_mails (id, kind, user_id, recipient, params, nonce, expires_at, next_attempt_at)
        values (gen_random_uuid(), 'change_email', ${account.id}, ${freshEmail()}, ${JSON.stringify({ session: sessionId })}::jsonb,
          ${random(32)}, now() + interval '1 day', now() + interval '1 hour')`,
  );
  return mailedToken(account, 'change_email', { address: bystander, sessionId });
}

async function setUp({ isVerified = true }: { isVerified?: boolean }): Promise<Subject> {
  const email = freshEmail();
  // With the hash of an account that has the same password: one more would be a large part of a test.
  const [row] = await app.query(
    sql<{ id: string }>`insert into users (id, email, email_canonical, password_hash, email_verified_at)
        select gen_random_uuid(), ${email}, ${email}, password_hash, ${isVerified ? new Date() : null}
        from users where email = ${admin.email} returning id`,
  );
  const account = { id: row?.id ?? '', email };
  const acting = await Holder.signIn(app, email);
  const named = await Holder.signIn(app, email);
  const others = [await Holder.signIn(sibling, email), await Holder.signIn(sibling, email)];
  // A passkey, so that a sign-in needs a second factor, which the acting session has shown.
  await app.query(
    sql`insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, is_backup_eligible, is_backed_up, aaguid)
        values (gen_random_uuid(), ${account.id}, 'passkey', ${random(32)}, ${random(32)}, 0, '{}', false, false, '00000000-0000-0000-0000-000000000000')`,
  );
  await given.sessionWithMethods(app, acting.sessionId, ['pwd', 'mfa']);
  const pending = acting.copy();
  pending.take(await acting.exchange(sibling));
  const half = await app.client.post('/login', { email, password: PASSWORD });
  for (const authenticator of ['password', 'totp'])
    await app.query(
      sql`insert into guess_counters (authenticator, subject, network, is_account, failures, locked_until)
          values (${authenticator}, ${sha256(email)}, ${ATTACKER}, true, 15, now() + interval '10 minutes')`,
    );
  const tokens = {
    reset: await mailedToken(account, 'reset_password'),
    spareReset: await mailedToken(account, 'reset_password'),
    verify: await mailedToken(account, 'verify_email'),
    spareVerify: await mailedToken(account, 'verify_email'),
  };
  const changes = {
    acting: await addressChange(account, acting.sessionId),
    named: await addressChange(account, named.sessionId),
  };
  const subject = {
    ...account,
    acting,
    pending,
    named,
    others,
    mfaToken: half.body['mfa_token'],
    tokens,
    changes,
  };
  // From here on this node remembers every session.
  for (const holder of [acting, named, ...others]) expect((await holder.open(app)).status).toBe(200);
  return subject;
}

const scopeOf = (own: boolean, others: readonly boolean[]): Scope | 'some' => {
  const [first = false] = others;
  if (others.some((other) => other !== first)) return 'some';
  if (own) return first ? 'all' : 'own';
  return first ? 'others' : 'none';
};

async function sessionsEnded({ acting, named, others }: Subject, own: Holder): Promise<Scope | 'some'> {
  const isDead = async (holder: Holder) => (await holder.open(app)).status === 401;
  const rest = [acting, named, ...others].filter((holder) => holder !== own);
  return scopeOf(await isDead(own), await Promise.all(rest.map(isDead)));
}

async function pendingEnded({ acting, pending }: Subject): Promise<'own' | 'none'> {
  const isDead = (await pending.open(app)).status === 401;
  if ((await acting.open(app)).status === 200) return isDead ? 'own' : 'none';
  // It goes with its session, in every row.
  expect(isDead).toBe(true);
  return 'none';
}

async function halfSignInsEnded({ mfaToken }: Subject): Promise<'all' | 'none' | string> {
  const { body } = await app.client.post('/mfa', { mfa_token: mfaToken, code: '000000' });
  if (body['code'] === 'mfa_token_invalid') return 'all';
  return body['code'] === 'mfa_failed' ? 'none' : String(body['code']);
}

async function addressChangesEnded(
  { id, changes, acting, named }: Subject,
  own: 'acting' | 'named',
): Promise<Scope | 'some'> {
  // An address that is taken is refused behind the check of the token, and the token stays as it is.
  const isDead = async (token: string) => {
    const { body } = await app.client.post('/email/verify', { token });
    expect(['token_invalid', 'email_taken']).toContain(body['code']);
    return body['code'] === 'token_invalid';
  };
  const rest = own === 'acting' ? 'named' : 'acting';
  const scope = scopeOf(await isDead(changes[own]), [await isDead(changes[rest])]);
  const isDropped = async (holder: Holder) => {
    const [mail] = await app.query(
      sql<{ state: string }>`select state from outbox_mails
        where user_id = ${id} and kind = 'change_email' and params->>'session' = ${holder.sessionId}`,
    );
    // The row of a mail that was dropped goes with its account.
    return mail === undefined || mail.state === 'dropped';
  };
  const holders = { acting, named };
  expect(scopeOf(await isDropped(holders[own]), [await isDropped(holders[rest])])).toBe(scope);
  return scope;
}

async function mailedTokensEnded({ tokens }: Subject): Promise<Ended['mailed_tokens']> {
  // A password that is refused leaves the token as it is.
  const reset = await app.client.post('/password/reset', { token: tokens.reset, new_password: 'short' });
  expect(['token_invalid', 'weak_password', 'validation_failed']).toContain(reset.body['code']);
  const verify = await app.client.post('/email/verify', { token: tokens.verify });
  expect([204, 400]).toContain(verify.status);
  const isResetDead = reset.body['code'] === 'token_invalid';
  if (verify.status === 400) return isResetDead ? 'all' : 'verification_links';
  return isResetDead ? 'reset_links' : 'none';
}

async function guessesCleared(
  { email }: Subject,
  { password = PASSWORD, state }: After,
): Promise<Ended['guess_counters'] | string> {
  const counted = await app.query(
    sql<{ authenticator: string }>`select authenticator from guess_counters
      where subject = ${sha256(email)} and network = ${ATTACKER}`,
  );
  const left = counted.map(({ authenticator }) => authenticator).toSorted();
  if (state === undefined) {
    const guess = await app.client.send('POST', '/login', { email, password }, {}, ATTACKER);
    expect(guess.body['code'] === 'invalid_credentials').toBe(left.includes('password'));
  }
  const text = left.join(' and ');
  return { 'password and totp': 'none', totp: 'password', '': 'all' }[text] ?? text;
}

async function observe(subject: Subject, own: 'acting' | 'named', after: After): Promise<object> {
  return {
    sessions: await sessionsEnded(subject, subject[own]),
    half_sign_ins: await halfSignInsEnded(subject),
    address_changes: await addressChangesEnded(subject, own),
    mailed_tokens: await mailedTokensEnded(subject),
    pending_exchanges: await pendingEnded(subject),
    guess_counters: await guessesCleared(subject, after),
  };
}

const done = (reply: Reply, status = 204) =>
  expect({ status: reply.status, text: reply.text }).toMatchObject({ status });

async function administrate({ id }: Subject, change: object): Promise<void> {
  done(await admin.client.send('PATCH', `/admin/users/${id}`, change), 200);
}

/** Adds an authenticator app to the acting session's account. */
async function enrol({ acting }: Subject, more: object = {}): Promise<void> {
  const { secret } = (await at(acting).post('/totp')).body;
  const code = await codeOfNow(app, String(secret));
  done(await at(acting).post('/totp/confirm', { code, ...more }));
}

const WAYS: readonly Way[] = [
  {
    cause: 'password_changed',
    way: 'POST /password',
    ends: {
      ...NOTHING,
      sessions: 'others',
      half_sign_ins: 'all',
      mailed_tokens: 'reset_links',
      address_changes: 'others',
      pending_exchanges: 'own',
    },
    run: async ({ acting }) => {
      const reply = await at(acting).post('/password', { new_password: OTHER });
      done(reply);
      acting.take(reply);
      return { password: OTHER };
    },
  },
  {
    cause: 'password_reset',
    way: 'POST /password/reset',
    ends: { ...EVERYTHING, guess_counters: 'password' },
    run: async ({ tokens }) => {
      const body = { token: tokens.spareReset, new_password: OTHER };
      done(await app.client.post('/password/reset', body));
      return { password: OTHER };
    },
  },
  {
    cause: 'address_changed',
    way: 'POST /email/verify',
    ends: { ...EVERYTHING, sessions: 'others' },
    run: async (subject) => {
      const [address, sessionId] = [freshEmail(), subject.acting.sessionId];
      const token = await mailedToken(subject, 'change_email', { address, sessionId });
      done(await app.client.post('/email/verify', { token }));
      // What this node remembers of the session has the new address in it.
      expect((await at(subject.acting).get('/me')).body['email']).toBe(address);
      return { state: 'moved' };
    },
  },
  {
    cause: 'address_proved',
    way: 'POST /email/verify',
    ends: { ...NOTHING, mailed_tokens: 'verification_links' },
    isVerified: false,
    run: async ({ tokens }) => done(await app.client.post('/email/verify', { token: tokens.spareVerify })),
  },
  {
    cause: 'account_claimed',
    way: 'POST /email/verify with a password that waits',
    ends: EVERYTHING,
    isVerified: false,
    run: async (subject) => {
      const [row] = await app.query(
        sql<{ hash: string }>`select password_hash as hash from users where email = ${bystander}`,
      );
      const token = await mailedToken(subject, 'verify_email', { passwordHash: row?.hash ?? null });
      done(await app.client.post('/email/verify', { token }));
      return { password: OTHER };
    },
  },
  {
    cause: 'account_claimed',
    way: 'POST /password/reset',
    ends: EVERYTHING,
    isVerified: false,
    run: async ({ tokens }) => {
      const body = { token: tokens.spareReset, new_password: OTHER };
      done(await app.client.post('/password/reset', body));
      return { password: OTHER };
    },
  },
  {
    cause: 'factor_changed',
    way: 'POST /totp/confirm',
    ends: NOTHING,
    run: async (subject) => {
      await enrol(subject);
      const [row] = await app.query(
        sql<{ methods: string[] }>`select methods from sessions where id = ${subject.acting.sessionId}`,
      );
      expect(row?.methods).toContain('otp');
    },
  },
  {
    cause: 'factors_reset',
    way: 'traffy users reset --factors',
    ends: { ...EVERYTHING, mailed_tokens: 'none' },
    run: async ({ id }) => {
      const users = app.running.app.get(UserAdministrationService, OUTSIDE);
      expect(await users.removeFactors(id, { actor: 'operator' })).toBe(true);
    },
  },
  {
    cause: 'step_up',
    way: 'POST /reauthenticate',
    ends: { ...NOTHING, pending_exchanges: 'own' },
    run: async ({ acting }) => {
      const [recovery_code] = await addRecoveryCodes(at(acting));
      await given.staleSession(app, acting.sessionId);
      expect((await at(acting).post('/recovery-codes')).status).toBe(401);
      const reply = await at(acting).post('/reauthenticate', { password: PASSWORD, recovery_code });
      done(reply);
      acting.take(reply);
      // What this node remembers of the session has the new time in it.
      done(await at(acting).post('/recovery-codes'), 200);
    },
  },
  {
    cause: 'role_changed',
    way: 'PATCH /admin/users/:id',
    ends: NOTHING,
    run: async (subject) => {
      expect((await at(subject.acting).get('/admin/users')).status).toBe(403);
      await administrate(subject, { role: 'admin' });
      // What this node remembers of the session has the new role in it.
      done(await at(subject.acting).get('/admin/users'), 200);
      await administrate(subject, { role: 'user' });
      expect((await at(subject.acting).get('/admin/users')).status).toBe(403);
    },
  },
  {
    cause: 'account_disabled',
    way: 'PATCH /admin/users/:id',
    ends: { ...EVERYTHING, guess_counters: 'none' },
    run: async (subject) => {
      await administrate(subject, { disabled: true });
      // What is dead now stays dead.
      await administrate(subject, { disabled: false });
    },
  },
  {
    cause: 'account_compromised',
    way: 'PATCH /admin/users/:id',
    ends: { ...EVERYTHING, mailed_tokens: 'reset_links' },
    run: (subject) => administrate(subject, { password_compromised: true }),
  },
  {
    cause: 'account_deleted',
    way: 'DELETE /users/me',
    ends: EVERYTHING,
    run: async ({ acting }) => {
      done(await at(acting).send('DELETE', '/users/me'));
      return { state: 'gone' };
    },
  },
  {
    cause: 'client_removed',
    way: 'traffy clients remove',
    ends: NOTHING,
    run: async () => {
      const clients = app.running.app.get(ServiceClients, OUTSIDE);
      const client = await clients.add(`client-${random(6).toString('hex')}`, ['introspect']);
      const ask = () => asService('/introspect', client, 'anything');
      done(await ask(), 200);
      await clients.remove(client?.id ?? '');
      expect((await ask()).body['error']).toBe('invalid_client');
    },
  },
  {
    cause: 'other_sessions_ended',
    way: 'POST /logout?scope=others',
    ends: { ...NOTHING, sessions: 'others', half_sign_ins: 'all', address_changes: 'others' },
    run: async ({ acting }) => done(await at(acting).post('/logout?scope=others'), 200),
  },
  {
    cause: 'other_sessions_ended',
    way: 'POST /totp/confirm with end_other_sessions',
    ends: { ...NOTHING, sessions: 'others', half_sign_ins: 'all', address_changes: 'others' },
    run: (subject) => enrol(subject, { end_other_sessions: true }),
  },
  {
    cause: 'all_sessions_ended',
    way: 'POST /logout?scope=global',
    ends: { ...NOTHING, sessions: 'all', half_sign_ins: 'all', address_changes: 'all' },
    run: async ({ acting }) => done(await at(acting).post('/logout?scope=global'), 200),
  },
  {
    cause: 'all_sessions_ended',
    way: 'DELETE /admin/users/:id/sessions',
    ends: { ...NOTHING, sessions: 'all', half_sign_ins: 'all', address_changes: 'all' },
    run: async ({ id }) => done(await admin.client.send('DELETE', `/admin/users/${id}/sessions`), 200),
  },
  {
    cause: 'signed_out',
    way: 'POST /logout',
    ends: { ...NOTHING, sessions: 'own' },
    run: async ({ acting }) => done(await at(acting).post('/logout'), 200),
  },
  {
    cause: 'signed_out',
    way: 'POST /login of another user in its place',
    ends: { ...NOTHING, sessions: 'own' },
    run: async ({ acting }) =>
      done(await at(acting).post('/login', { email: bystander, password: OTHER }), 200),
  },
  {
    cause: 'one_session_ended',
    way: 'DELETE /sessions/:id',
    ends: { ...NOTHING, sessions: 'own', address_changes: 'own' },
    own: 'named',
    run: async ({ acting, named }) => done(await at(acting).send('DELETE', `/sessions/${named.sessionId}`)),
  },
  {
    cause: 'one_session_ended',
    way: 'DELETE /admin/users/:id/sessions/:id',
    ends: { ...NOTHING, sessions: 'own', address_changes: 'own' },
    own: 'named',
    run: async ({ id, named }) =>
      done(await admin.client.send('DELETE', `/admin/users/${id}/sessions/${named.sessionId}`)),
  },
  {
    cause: 'one_session_ended',
    way: 'POST /revoke',
    ends: { ...NOTHING, sessions: 'own', address_changes: 'own' },
    own: 'named',
    run: async ({ named }) => {
      const clients = app.running.app.get(ServiceClients, OUTSIDE);
      const client = await clients.add(`client-${random(6).toString('hex')}`, ['revoke']);
      const cookie = named.headers['cookie']?.replace('session=', '');
      done(await asService('/revoke', client, cookie ?? named.bearer), 200);
    },
  },
  {
    cause: 'refresh_reused',
    way: 'POST /refresh',
    ends: { ...NOTHING, sessions: 'own', address_changes: 'own' },
    own: 'named',
    kind: 'jwt',
    run: async ({ named }) => {
      const copied = named.copy();
      for (let round = 0; round < 2; round += 1) named.take(await named.refresh(app));
      await given.redeemedEarlier(app, named.sessionId, '1 hour');
      expect((await copied.refresh(app)).body['code']).toBe('refresh_reused');
    },
  },
];

function asService(
  path: string,
  client: { readonly id: string; readonly secret: string } | null,
  token: string,
): Promise<Reply> {
  return app.client.post(path, `token=${encodeURIComponent(token)}`, {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${Buffer.from(`${client?.id}:${client?.secret}`).toString('base64')}`,
  });
}

describe.each(['session', 'jwt'] as const)('acting credential: %s', (kind) => {
  beforeAll(async () => {
    app = apps[kind];
    sibling = kind === 'session' ? apps.jwt : apps.session;
    admin = await signIn(app);
    await given.role(app, admin.email, 'admin');
  });

  // Every row for either kind; further ways to the same row once.
  const isFirst = (way: Way) => WAYS.find(({ cause }) => cause === way.cause) === way;
  const ways = WAYS.filter((way) => (way.kind ?? kind) === kind && (kind === 'session' || isFirst(way)));
  it.each(ways)('$cause by $way ends what its row says, and nothing else', async (way) => {
    const { own = 'acting', isVerified = true, ends } = way;
    const subject = await setUp({ isVerified });
    const after = (await way.run(subject)) ?? {};
    expect(await observe(subject, own, after)).toEqual(ends);
  });

  it('an operator who revokes sessions before a time also ends half sign-ins', async () => {
    const subject = await setUp({});
    await endMadeBefore(app, subject.id, new Date(Date.now() - 3_600_000));
    expect(await halfSignInsEnded(subject)).toBe('none');
    await endMadeBefore(app, subject.id);
    expect(await sessionsEnded(subject, subject.acting)).toBe('all');
    expect(await halfSignInsEnded(subject)).toBe('all');
    for (const token of Object.values(subject.changes))
      expect((await app.client.post('/email/verify', { token })).body['code']).toBe('token_invalid');
    const everybody = await setUp({});
    admin = await signIn(app);
    await endMadeBefore(app, null);
    expect(await sessionsEnded(everybody, everybody.acting)).toBe('all');
    expect(await halfSignInsEnded(everybody)).toBe('all');
  });
});

describe('containment table', () => {
  const rows = Object.entries<ContainmentRow>(CONTAINMENT);

  it('has no cause without a test', () => {
    const walked = WAYS.map(({ cause }) => cause);
    expect(rows.map(([cause]) => cause).filter((cause) => !walked.includes(cause as never))).toEqual([]);
  });

  it('matches the tested cells', () => {
    for (const { cause, ends } of WAYS) {
      const { remembered_credentials: _remembered, ...cells } = (CONTAINMENT[cause] as ContainmentRow).ends;
      const said = Object.entries(cells).map(([thing, [value]]) => [thing, value]);
      expect({ cause, ...Object.fromEntries(said) }).toEqual({ cause, ...ends });
    }
  });

  it('no verdict of an ended session stays cached', () => {
    const forgotten = rows.filter(
      ([, { ends }]) => ends.sessions[0] !== 'none' && ends.remembered_credentials[0] === 'none',
    );
    expect(forgotten).toEqual([]);
  });

  it('matches docs/containment.md (UPDATE_DOCS=1 writes it)', () => {
    const expected = containmentDocument(rows);
    expect(generatedDocument('docs/containment.md', expected)).toBe(expected);
  });
});
