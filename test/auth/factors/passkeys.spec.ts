import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { type TestApp } from '../../support/app.js';
import { cookieValue } from '../../support/client.js';
import {
  freshEmail,
  PASSWORD,
  signIn,
  type SignedIn,
  STRATEGIES,
  strategyOf,
} from '../../support/strategies.js';
import { type Lies, SoftwareAuthenticator } from '../../support/webauthn.js';
import {
  ORIGIN,
  audited,
  bootTwoNodes,
  codeOf,
  comparable,
  enrol,
  here,
  passkeySignIn,
  register,
  requestOptions,
  start,
  there,
  userIdOf,
} from '../../support/passkeys.js';
import { given } from '../../support/given.js';

bootTwoNodes();

const REFUSED = { status: 401, code: 'passkey_refused' };

async function makeStale(app: TestApp, { sessionId }: SignedIn): Promise<void> {
  await given.staleSession(app, sessionId);
}

describe.each(STRATEGIES)('passkeys with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  let person: SignedIn;
  beforeAll(async () => {
    app = await start({ env: { AUTH_STRATEGY: strategy } });
    person = await signIn(app);
  });

  it('sign in without an identifier, answer like /login, and end the presented session [S2, S3]', async () => {
    const { authenticator } = await enrol(person);
    const before = await passkeySignIn(app, authenticator);
    expect(before.status).toBe(200);
    const headers = strategyOf(app).credentialOf(before);
    const reply = await passkeySignIn(app, authenticator, {}, {}, headers);
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ success: true, email: person.email, session: { strategy: issues } });
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.body['session'].id).not.toBe(before.body['session'].id);
    expect((await app.client.get('/users/me', headers)).status).toBe(401);
    const fresh = strategyOf(app).credentialOf(reply);
    expect((await app.client.get('/users/me', fresh)).body['email']).toBe(person.email);
    // What was not issued is never adopted.
    const planted = { cookie: `session=trf_st_${'A'.repeat(43)}` };
    const other = await passkeySignIn(app, authenticator, {}, {}, planted);
    expect(cookieValue(other, 'session')).not.toBe('trf_st_' + 'A'.repeat(43));
    expect((await app.client.get('/users/me', planted)).status).toBe(401);
  });

  it('send tokens in cookies with transport cookie', async () => {
    const { authenticator } = await enrol(person);
    const reply = await passkeySignIn(app, authenticator, {}, { transport: 'cookie' });
    expect(reply.status).toBe(200);
    expect(reply.body).not.toHaveProperty('access_token');
    expect(cookieValue(reply, issues === 'jwt' ? 'access_token' : 'session')).toBeDefined();
  });

  it('set amr to pop, user and mfa', async () => {
    const { authenticator } = await enrol(person);
    const { body } = await passkeySignIn(app, authenticator);
    const [session] = await app.query(
      sql<{ methods: string[] }>`select methods from sessions where id = ${body['session'].id}`,
    );
    expect(session?.methods).toEqual(['pop', 'user', 'mfa']);
  });

  it('are required once registered: the password alone does not sign in [incident 25]', async () => {
    const someone = await signIn(app);
    const { authenticator } = await enrol(someone);
    const reply = await app.client.post('/login', { email: someone.email, password: PASSWORD });
    expect(codeOf(reply)).toEqual({ status: 401, code: 'mfa_required' });
    expect(reply.body['factors']).toEqual(['passkey']);
    expect(reply.setCookies).toEqual([]);
    const token: string = reply.body['mfa_token'];
    for (const headers of [{ authorization: `Bearer ${token}` }, { cookie: `session=${token}` }])
      expect((await app.client.get('/users/me', headers)).status).toBe(401);
    const options = await requestOptions(app, { mfa_token: token });
    expect(options.allowCredentials.map(({ id }) => id)).toEqual([
      authenticator.credentialId.toString('base64url'),
    ]);
    const done = await app.client.post('/mfa', { mfa_token: token, credential: authenticator.get(options) });
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({ success: true, email: someone.email });
    const headers = strategyOf(app).credentialOf(done);
    expect((await app.client.get('/users/me', headers)).status).toBe(200);
  });

  it('are listed, renamed and removed by their owner only [W13]', async () => {
    const owner = await signIn(app);
    const none = { passkeys: [], rp_id: 'localhost', user_handle: null };
    expect((await owner.client.get('/passkeys')).body).toEqual(none);
    const { authenticator, id, reply } = await register(owner, {}, { name: 'My phone' });
    const passkey = {
      id,
      credential_id: authenticator.credentialId.toString('base64url'),
      name: 'My phone',
      created_at: expect.stringMatching(/Z$/),
      last_used_at: null,
      is_backed_up: true,
      transports: ['internal', 'hybrid'],
      aaguid: '00000000-0000-0000-0000-000000000000',
      is_disabled: false,
    };
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual(passkey);
    const handle = (await owner.client.post('/passkeys/registration/options')).body['user'].id;
    const signals = { rp_id: 'localhost', user_handle: handle };
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [passkey], ...signals });
    expect((await person.client.get('/passkeys')).body['passkeys']).not.toContainEqual(passkey);
    for (const target of [id, crypto.randomUUID(), 'x']) {
      const rename = await person.client.send('PATCH', `/passkeys/${target}`, { name: 'Mine' });
      const removal = await person.client.send('DELETE', `/passkeys/${target}`);
      expect(codeOf(rename)).toEqual({ status: 404, code: 'not_found' });
      expect(codeOf(removal)).toEqual({ status: 404, code: 'not_found' });
    }
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [passkey], ...signals });
    const renamed = await owner.client.send('PATCH', `/passkeys/${id}`, { name: 'Another' });
    expect(renamed.status).toBe(200);
    expect(renamed.body).toEqual({ ...passkey, name: 'Another' });
    const removed = await owner.client.send('DELETE', `/passkeys/${id}`);
    expect({ status: removed.status, text: removed.text }).toEqual({ status: 204, text: '' });
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [], ...signals });
    const kinds = (await audited(app, await userIdOf(owner))).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['passkey_added', 'passkey_renamed', 'passkey_removed']));
  });

  it('made without a prompt lack user presence, only after a password sign-in and only if requested so [W4, W14]', async () => {
    const owner = await signIn(app);
    const absent = { flags: { up: false, uv: false } };
    const create = async (body: object | undefined) => {
      const options = await owner.client.post('/passkeys/registration/options', body);
      expect(options.status).toBe(200);
      const made = SoftwareAuthenticator.create(ORIGIN, options.body as never, absent);
      const { credential } = made;
      return { ...made, reply: await owner.client.post('/passkeys/registration/verify', { credential }) };
    };
    for (const body of [undefined, {}, { conditional: false }])
      expect(codeOf((await create(body)).reply)).toEqual({ status: 400, code: 'passkey_not_accepted' });
    const { authenticator, reply } = await create({ conditional: true });
    expect(reply.status).toBe(201);
    // Its owner may not know of it: the password suffices until the passkey was used.
    expect((await app.client.post('/login', { email: owner.email, password: PASSWORD })).status).toBe(200);
    // The exception is for the registration only.
    expect(codeOf(await passkeySignIn(app, authenticator, absent))).toEqual(REFUSED);
    const signedIn = await passkeySignIn(app, authenticator, { flags: { up: true, uv: true } });
    expect(signedIn.status).toBe(200);
    expect(codeOf(await app.client.post('/login', { email: owner.email, password: PASSWORD }))).toEqual({
      status: 401,
      code: 'mfa_required',
    });
    const client = app.client.with(strategyOf(app).credentialOf(signedIn));
    const refused = await client.post('/passkeys/registration/options', { conditional: true });
    expect(codeOf(refused)).toEqual({ status: 400, code: 'validation_failed' });
    expect(refused.body['errors']).toEqual([
      { path: 'conditional', message: 'can only be true in a session that signed in with a password' },
    ]);
    expect((await client.post('/passkeys/registration/options', { conditional: false })).status).toBe(200);
    const wrong = await client.post('/passkeys/registration/options', { conditional: 'yes' });
    expect(wrong.body['errors']).toEqual([{ path: 'conditional', message: 'must be true or false' }]);
  });

  it('need step-up to be added, renamed and removed, but not to be listed [S8, T5]', async () => {
    const owner = await signIn(app);
    const { id } = await enrol(owner);
    await makeStale(app, owner);
    const credential = { id: 'AA', rawId: 'AA', type: 'public-key', response: {} };
    const calls = [
      owner.client.post('/passkeys/registration/options'),
      owner.client.post('/passkeys/registration/verify', { credential }),
      owner.client.send('PATCH', `/passkeys/${id}`, { name: 'x' }),
      owner.client.send('DELETE', `/passkeys/${id}`),
    ];
    for (const reply of await Promise.all(calls)) {
      expect(codeOf(reply)).toEqual({ status: 401, code: 'step_up_required' });
      expect(reply.body['action']).toBe('step_up');
    }
    expect((await owner.client.get('/passkeys')).body['passkeys']).toHaveLength(1);
  });
});

describe('passkeys, passwords and lockout', () => {
  beforeEach(() => given.noGuesses(here));

  it('a locked password does not lock the passkey [L4]', async () => {
    const owner = await signIn(here);
    const { authenticator } = await enrol(owner);
    for (let guess = 0; guess < 12; guess += 1)
      await here.client.post('/login', { email: owner.email, password: `wrong ${guess}` });
    const [locked] = await here.query(
      sql`select 1 from guess_counters where authenticator = 'password' and locked_until > now()`,
    );
    expect(locked).toBeDefined();
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
  });

  it('wrong answers of an existing passkey are counted until the right one is refused too [L3]', async () => {
    const owner = await signIn(here);
    const { authenticator } = await enrol(owner);
    const signature = (good: Buffer) => Buffer.from(good.toReversed());
    let isLocked = false;
    for (let guess = 0; guess < 100 && !isLocked; guess += 1) {
      await passkeySignIn(here, authenticator, { signature });
      const [locked] = await here.query(
        sql`select 1 from guess_counters where authenticator = 'passkey' and locked_until > now()`,
      );
      isLocked = locked !== undefined;
    }
    expect(isLocked).toBe(true);
    expect(codeOf(await passkeySignIn(here, authenticator))).toEqual(REFUSED);
    // The sessions that there are go on.
    expect((await owner.client.get('/users/me')).status).toBe(200);
    await here.query(sql`update guess_counters set locked_until = null where authenticator = 'passkey'`);
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
    const left = await here.query(sql`select 1 from guess_counters where authenticator = 'passkey'`);
    expect(left).toEqual([]);
  });

  it('an account without password gets the answer of a wrong password, and keeps its last passkey [L5, W13]', async () => {
    const owner = await signIn(here);
    const first = await enrol(owner);
    const second = await enrol(owner);
    await given.passwordHash(here, owner.email, null);
    const [passwordless, unknown] = [
      await here.client.post('/login', { email: owner.email, password: PASSWORD }),
      await here.client.post('/login', { email: freshEmail(), password: PASSWORD }),
    ];
    expect(comparable(passwordless)).toEqual(comparable(unknown));
    expect((await passkeySignIn(here, first.authenticator)).status).toBe(200);
    const removals = await Promise.all(
      [first, second].map(({ id }) => owner.client.send('DELETE', `/passkeys/${id}`)),
    );
    expect(removals.map(({ status }) => status).toSorted()).toEqual([204, 409]);
    expect(removals.find(({ status }) => status === 409)?.body['code']).toBe('last_login_method');
    expect((await owner.client.get('/passkeys')).body['passkeys']).toHaveLength(1);
  });

  it('an account with a password can remove its last passkey and sign in with the password [W13]', async () => {
    const owner = await signIn(here);
    const { id } = await enrol(owner);
    expect((await owner.client.send('DELETE', `/passkeys/${id}`)).status).toBe(204);
    expect((await here.client.post('/login', { email: owner.email, password: PASSWORD })).status).toBe(200);
  });

  it('removing a passkey ends the other sessions on request [S5, T5]', async () => {
    const owner = await signIn(here);
    const other = await signIn(here, owner.email);
    const { id } = await enrol(owner);
    expect((await owner.client.send('DELETE', `/passkeys/${id}?end_other_sessions=yes`)).status).toBe(400);
    const reply = await owner.client.send('DELETE', `/passkeys/${id}?end_other_sessions=true`);
    expect(reply.status).toBe(204);
    expect((await other.client.get('/users/me')).status).toBe(401);
    expect((await owner.client.get('/users/me')).status).toBe(200);
  });
});

describe('second factor', () => {
  const owners: { email: string; authenticator: SoftwareAuthenticator }[] = [];
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) {
      const person = await signIn(here);
      owners.push({ email: person.email, ...(await enrol(person)) });
    }
  });
  beforeEach(() => given.noGuesses(here));

  /** The password of one of them is right, and the passkey is missing. */
  async function halfSignIn(index = 0): Promise<{ token: string; authenticator: SoftwareAuthenticator }> {
    const owner = owners[index];
    if (!owner) throw new Error('nobody');
    const reply = await here.client.post('/login', { email: owner.email, password: PASSWORD });
    return { token: reply.body['mfa_token'], authenticator: owner.authenticator };
  }
  const complete = (token: string, credential: unknown) =>
    here.client.post('/mfa', { mfa_token: token, credential });

  it('needs user presence only, and no user handle, after a password [W12]', async () => {
    const { token, authenticator } = await halfSignIn();
    const options = await requestOptions(here, { mfa_token: token });
    const credential = authenticator.get(options, { flags: { uv: false }, userHandle: null });
    const reply = await complete(token, credential);
    expect(reply.status).toBe(200);
    const [session] = await here.query(
      sql<{ methods: string[] }>`select methods from sessions where id = ${reply.body['session'].id}`,
    );
    expect(session?.methods).toEqual(['pwd', 'pop', 'user', 'mfa']);
  });

  it.each<[string, Lies]>([
    ['nobody was there', { flags: { up: false } }],
    ['the user handle of somebody else', { userHandle: randomBytes(64).toString('base64url') }],
    ['an origin of somebody else', { origin: 'https://evil.example' }],
  ])('is refused with %s [W2, W3, W4, W8]', async (_what, lies) => {
    const { token, authenticator } = await halfSignIn();
    const reply = await complete(
      token,
      authenticator.get(await requestOptions(here, { mfa_token: token }), lies),
    );
    expect(codeOf(reply)).toEqual({ status: 401, code: 'mfa_failed' });
  });

  it('refuses passkeys of other users and challenges of other sign-ins [T8, E12]', async () => {
    const mine = await halfSignIn();
    const theirs = await halfSignIn(1);
    const failed = { status: 401, code: 'mfa_failed' };
    const options = () => requestOptions(here, { mfa_token: mine.token });
    expect(codeOf(await complete(mine.token, theirs.authenticator.get(await options())))).toEqual(failed);
    const others = await requestOptions(here, { mfa_token: theirs.token });
    expect(codeOf(await complete(mine.token, mine.authenticator.get(others)))).toEqual(failed);
    expect(codeOf(await complete(mine.token, mine.authenticator.get(await requestOptions(here))))).toEqual(
      failed,
    );
    // And one of a second factor signs nobody in by itself.
    const alone = mine.authenticator.get(await options());
    const reply = await here.client.post('/passkeys/authentication/verify', { credential: alone });
    expect(codeOf(reply)).toEqual(REFUSED);
    expect((await complete(mine.token, mine.authenticator.get(await options()))).status).toBe(200);
  });

  it('counts as two factors with user verification, whatever other factors exist [T8]', async () => {
    const person = await signIn(here);
    const { authenticator } = await enrol(person);
    await here.query(
      sql`insert into totp_authenticators (user_id, seed, confirmed_at) select id, 'x', now() from users where email = ${person.email}`,
    );
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
    expect(codeOf(await passkeySignIn(here, authenticator, { flags: { uv: false } }))).toEqual(REFUSED);
  });

  it('has no options for an unknown or used token', async () => {
    const { token, authenticator } = await halfSignIn();
    await complete(token, authenticator.get(await requestOptions(here, { mfa_token: token })));
    for (const mfa_token of [token, 'trf_mt_unknown', 'trf_mt_']) {
      const reply = await here.client.post('/passkeys/authentication/options', { mfa_token });
      expect(codeOf(reply)).toEqual({ status: 401, code: 'mfa_token_invalid' });
    }
  });

  it('is bound to the session and user at re-authentication', async () => {
    const person = await signIn(here);
    const stranger = await signIn(here);
    const elsewhere = await signIn(here, person.email);
    const { authenticator } = await enrol(person);
    const { authenticator: theirs } = await enrol(stranger);
    const ask = () => requestOptions(here, { purpose: 'reauthentication' }, person.headers);
    const prove = async (credential: unknown, by: SignedIn = person) =>
      codeOf(await by.client.post('/reauthenticate', { credential }));
    const failed = { status: 403, code: 'reauthentication_failed' };
    const options = await ask();
    expect(options.allowCredentials).toHaveLength(1);
    const credential = authenticator.get(options);
    expect(await prove(credential, stranger)).toEqual(failed);
    expect(await prove(credential, elsewhere)).toEqual(failed);
    expect(await prove(theirs.get(await ask()))).toEqual(failed);
    expect(await prove(authenticator.get(await requestOptions(here)))).toEqual(failed);
    const alone = await here.client.post('/passkeys/authentication/verify', {
      credential: authenticator.get(await ask()),
    });
    expect(codeOf(alone)).toEqual(REFUSED);
    await makeStale(here, person);
    expect((await person.client.post('/passkeys/registration/options')).status).toBe(401);
    const proven = await person.client.post('/reauthenticate', { credential });
    expect(proven.status).toBe(204);
    const fresh = { cookie: `session=${cookieValue(proven, 'session')}` };
    expect((await here.client.post('/passkeys/registration/options', undefined, fresh)).status).toBe(200);
    const again = await here.client.post('/reauthenticate', { credential }, fresh);
    expect(codeOf(again)).toEqual(failed);
  });

  it('options for re-authentication need a session and work for nothing else', async () => {
    const purpose = 'reauthentication';
    const anonymous = await here.client.post('/passkeys/authentication/options', { purpose });
    expect(codeOf(anonymous)).toEqual({ status: 401, code: 'authentication_required' });
    const both = await here.client.post('/passkeys/authentication/options', { purpose, mfa_token: 'x' });
    expect(codeOf(both)).toEqual({ status: 400, code: 'validation_failed' });
  });
});

describe('two nodes', () => {
  let person: SignedIn;
  beforeAll(async () => {
    person = await signIn(here);
  });
  const node = (index: number) => (index % 2 ? there : here);

  it('of 20 concurrent answers to one challenge, one signs in [W1, incident 16]', async () => {
    const { authenticator } = await enrol(person);
    const credential = authenticator.get(await requestOptions(here));
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        node(index).client.post('/passkeys/authentication/verify', { credential }),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const reply of replies.filter(({ status }) => status !== 200))
      expect(codeOf(reply)).toEqual(REFUSED);
  });

  it('of 20 concurrent answers with the same counter, one signs in [W9]', async () => {
    const { authenticator, id } = await enrol(person, { signCount: 1 });
    const credentials = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        authenticator.get(await requestOptions(node(index)), { signCount: 2 }),
      ),
    );
    const replies = await Promise.all(
      credentials.map((credential, index) =>
        node(index).client.post('/passkeys/authentication/verify', { credential }),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    const [row] = await here.query(
      sql<{ sign_count: number }>`select sign_count::float8 as sign_count from passkeys where id = ${id}`,
    );
    expect(row?.sign_count).toBe(2);
  });

  it('concurrent requests get one user handle [W10]', async () => {
    const someone = await signIn(here);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        node(index).client.post('/passkeys/registration/options', undefined, someone.headers),
      ),
    );
    expect(new Set(replies.map(({ body }) => body['user'].id)).size).toBe(1);
  });

  it('of two users who register one id concurrently, one succeeds [W7]', async () => {
    const people = [await signIn(here), await signIn(here)];
    const credentialId = randomBytes(32);
    const replies = await Promise.all(people.map((caller) => register(caller, { credentialId })));
    expect(replies.map(({ reply }) => reply.status).toSorted()).toEqual([201, 409]);
  });
});

describe('with AUTH_REQUIRE_VERIFIED_EMAIL', () => {
  it('an unverified address is refused like any other failure [L5]', async () => {
    const app = await start({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' }, sibling: here });
    const owner = await signIn(here);
    const { authenticator } = await enrol(owner);
    expect(codeOf(await passkeySignIn(app, authenticator))).toEqual(REFUSED);
    await given.verifiedEmail(app, owner.email);
    expect((await passkeySignIn(app, authenticator)).status).toBe(200);
  });
});
