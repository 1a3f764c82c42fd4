import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { PasskeyRegistrations } from '../src/auth/passkeys/passkey-registrations.service.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import { startApp, type TestApp } from './support/app.js';
import { chromiumPath, openPage, type WatchedPage } from './support/browser.js';
import { cookieValue, type Reply } from './support/client.js';
import { freePort } from './support/process.js';
import { freshEmail, PASSWORD, signIn, type SignedIn, STRATEGIES, strategyOf } from './support/strategies.js';
import { addRecoveryCodes, codeOfNow, enrolled } from './support/totp.js';
import {
  type Algorithm,
  type Cbor,
  encodeCbor,
  type Lies,
  type RegistrationLies,
  SoftwareAuthenticator,
} from './support/webauthn.js';

const ORIGIN = 'http://localhost:8000';

const apps: TestApp[] = [];
async function start(options: Parameters<typeof startApp>[0]): Promise<TestApp> {
  const app = await startApp(options);
  apps.push(app);
  return app;
}
// Siblings first: the database goes with the one that made it.
afterAll(async () => {
  for (const app of apps.toReversed()) await app.close();
});

/** Two nodes of one service, for all that does not depend on the strategy. */
let here: TestApp;
let there: TestApp;
beforeAll(async () => {
  const env = { TRUSTED_ORIGINS: `${ORIGIN},http://app.localhost:8000,https://elsewhere.example` };
  here = await start({ env });
  there = await start({ env, sibling: here });
});

/** Asks for a new passkey and answers. */
async function register(
  { client }: Pick<SignedIn, 'client'>,
  lies: RegistrationLies = {},
  more: object = {},
): Promise<{ authenticator: SoftwareAuthenticator; reply: Reply; id: string }> {
  const options = await client.post('/passkeys/registration/options');
  if (options.status !== 200) throw new Error(`no options: ${options.text}`);
  const { authenticator, credential } = SoftwareAuthenticator.create(ORIGIN, options.body as never, lies);
  const reply = await client.post('/passkeys/registration/verify', { credential, ...more });
  return { authenticator, reply, id: reply.body['id'] };
}

/** The same, for those that are to be taken. */
async function enrol(
  person: Pick<SignedIn, 'client'>,
  lies?: RegistrationLies,
): Promise<{ authenticator: SoftwareAuthenticator; id: string }> {
  const registered = await register(person, lies);
  if (registered.reply.status !== 201) throw new Error(`not registered: ${registered.reply.text}`);
  return registered;
}

async function requestOptions(app: TestApp, body?: object, headers?: Record<string, string>) {
  const reply = await app.client.post('/passkeys/authentication/options', body, headers);
  if (reply.status !== 200) throw new Error(`no options: ${reply.text}`);
  return reply.body as { challenge: string; rpId: string; allowCredentials: { id: string }[] };
}

/** Signs in with a passkey alone. */
async function passkeySignIn(
  app: TestApp,
  authenticator: SoftwareAuthenticator,
  lies: Lies = {},
  more: object = {},
  headers: Record<string, string> = {},
): Promise<Reply> {
  const credential = authenticator.get(await requestOptions(app), lies);
  return app.client.post('/passkeys/authentication/verify', { credential, ...more }, headers);
}

/** All of an answer that a caller can compare, but for what is different in each. */
function comparable({ status, headers, body }: Reply): unknown {
  const { 'x-request-id': _id, date: _date, 'content-length': _length, ...rest } = headers;
  return { status, headers: rest, body: { ...body, request_id: null } };
}

const codeOf = ({ status, body }: Reply) => ({ status, code: body['code'] as string });
const REFUSED = { status: 401, code: 'passkey_refused' };

async function audited(
  app: TestApp,
  userId: string,
): Promise<{ kind: string; details: Record<string, unknown> }[]> {
  return app.query(
    sql<{
      kind: string;
      details: Record<string, unknown>;
    }>`select kind, details from audit_events where user_id = ${userId} order by at, id`,
  );
}

async function userIdOf({ client }: SignedIn): Promise<string> {
  return (await client.get('/users/me')).body['id'];
}

async function makeStale(app: TestApp, { sessionId }: SignedIn): Promise<void> {
  await app.query(
    sql`update sessions set authenticated_at = now() - interval '1 hour' where id = ${sessionId}`,
  );
}

describe.each(STRATEGIES)('passkeys with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  let app: TestApp;
  let person: SignedIn;
  beforeAll(async () => {
    app = await start({ env: { AUTH_STRATEGY: strategy } });
    person = await signIn(app);
  });

  it('S2-3: signs in without a name, as /login does, and ends the session that was sent along', async () => {
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

  it('sends tokens in cookies with transport cookie', async () => {
    const { authenticator } = await enrol(person);
    const reply = await passkeySignIn(app, authenticator, {}, { transport: 'cookie' });
    expect(reply.status).toBe(200);
    expect(reply.body).not.toHaveProperty('access_token');
    expect(cookieValue(reply, issues === 'jwt' ? 'access_token' : 'session')).toBeDefined();
  });

  it('says how it was: amr is pop, user and mfa', async () => {
    const { authenticator } = await enrol(person);
    const { body } = await passkeySignIn(app, authenticator);
    const [session] = await app.query(
      sql<{ methods: string[] }>`select methods from sessions where id = ${body['session'].id}`,
    );
    expect(session?.methods).toEqual(['pop', 'user', 'mfa']);
  });

  it('incident 25: once there is a passkey, the password alone opens nothing', async () => {
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

  it('lists them, renames and removes them; the owner alone may (W13)', async () => {
    const owner = await signIn(app);
    const { id, reply } = await register(owner, {}, { name: 'My phone' });
    const passkey = {
      id,
      name: 'My phone',
      created_at: expect.stringMatching(/Z$/),
      last_used_at: null,
      is_backed_up: true,
      transports: ['internal', 'hybrid'],
      aaguid: '00000000-0000-0000-0000-000000000000',
    };
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual(passkey);
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [passkey] });
    expect((await person.client.get('/passkeys')).body['passkeys']).not.toContainEqual(passkey);
    for (const target of [id, crypto.randomUUID(), 'x']) {
      const rename = await person.client.send('PATCH', `/passkeys/${target}`, { name: 'Mine' });
      const removal = await person.client.send('DELETE', `/passkeys/${target}`);
      expect(codeOf(rename)).toEqual({ status: 404, code: 'not_found' });
      expect(codeOf(removal)).toEqual({ status: 404, code: 'not_found' });
    }
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [passkey] });
    const renamed = await owner.client.send('PATCH', `/passkeys/${id}`, { name: 'Another' });
    expect(renamed.status).toBe(200);
    expect(renamed.body).toEqual({ ...passkey, name: 'Another' });
    const removed = await owner.client.send('DELETE', `/passkeys/${id}`);
    expect({ status: removed.status, text: removed.text }).toEqual({ status: 204, text: '' });
    expect((await owner.client.get('/passkeys')).body).toEqual({ passkeys: [] });
    const kinds = (await audited(app, await userIdOf(owner))).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['passkey_added', 'passkey_renamed', 'passkey_removed']));
  });

  it('S8, T5: adding, renaming and removing need a fresh proof; listing does not', async () => {
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

describe('a registration', () => {
  let person: SignedIn;
  const NOT_ACCEPTED = { status: 400, code: 'passkey_not_accepted' };
  beforeAll(async () => {
    person = await signIn(here);
  });

  const optionsOf = async ({ client }: SignedIn) =>
    (await client.post('/passkeys/registration/options')).body as Record<string, any> & { challenge: string }; // oxlint-disable-line typescript/no-explicit-any -- tests look into any reply

  it('W1, W6, W10: options have a fresh challenge, a random handle that stays, and the algorithms that are taken', async () => {
    const someone = await signIn(here);
    const [first, second] = await Promise.all([optionsOf(someone), optionsOf(someone)]);
    expect(first).toEqual({
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      rp: { id: 'localhost', name: 'Traffy' },
      user: { id: expect.any(String), name: someone.email, displayName: someone.email },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ alg, type: 'public-key' })),
      timeout: 300_000,
      attestation: 'none',
      excludeCredentials: [],
      authenticatorSelection: {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'preferred',
      },
      extensions: { credProps: true },
      hints: [],
    });
    expect(second?.challenge).not.toBe(first.challenge);
    expect(second?.['user'].id).toBe(first['user'].id);
    expect(Buffer.from(first['user'].id, 'base64url')).toHaveLength(64);
    expect((await optionsOf(person))['user'].id).not.toBe(first['user'].id);
  });

  it('names the passkeys there are, so that a device makes no second one', async () => {
    const someone = await signIn(here);
    const { authenticator } = await enrol(someone);
    const { excludeCredentials } = await optionsOf(someone);
    expect(excludeCredentials).toEqual([
      {
        id: authenticator.credentialId.toString('base64url'),
        type: 'public-key',
        transports: ['internal', 'hybrid'],
      },
    ]);
  });

  it.each<Algorithm>(['ES256', 'EdDSA', 'RS256'])('W6: takes %s, and its signatures', async (algorithm) => {
    const { authenticator } = await enrol(person, { algorithm });
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
  });

  it('W2: takes a trusted origin below the host', async () => {
    const { authenticator } = await enrol(person, { origin: 'http://app.localhost:8000' });
    const reply = await passkeySignIn(here, authenticator, { origin: 'http://app.localhost:8000' });
    expect(reply.status).toBe(200);
  });

  it.each<[string, RegExp, RegistrationLies]>([
    ['W2: the type of an assertion', /new credential/, { type: 'webauthn.get' }],
    ['W2: an origin of somebody else', /not trusted/, { origin: 'https://evil.example' }],
    ['W2: an origin that ends like ours', /not trusted/, { origin: 'http://evillocalhost:8000' }],
    ['W2: an origin that begins like ours', /not trusted/, { origin: 'http://localhost:8000.evil.example' }],
    ['W2: our host on another port', /not trusted/, { origin: 'http://localhost:8001' }],
    ['W2: our host by https', /not trusted/, { origin: 'https://localhost:8000' }],
    ['W2: an origin below ours that is not trusted', /not trusted/, { origin: 'http://evil.localhost:8000' }],
    [
      'W2: a trusted origin that passkeys of our host do not reach',
      /not trusted/,
      { origin: 'https://elsewhere.example' },
    ],
    ['W3: a frame of another origin', /frame/, { clientData: { crossOrigin: true } }],
    ['W3: a top origin', /frame/, { clientData: { topOrigin: ORIGIN } }],
    ['W4: another relying party', /rules/, { rpId: 'evil.example' }],
    ['W4: nobody was there', /rules/, { flags: { up: false, uv: false } }],
    ['W5: backed up without being eligible', /rules/, { flags: { be: false, bs: true } }],
    ['W6: an algorithm that was not offered', /rules/, { algorithm: 'ES384' }],
    ['W6: an unknown format', /attestation/, { fmt: 'nonsense' }],
    ['W6: a format that nobody asked for', /attestation/, { fmt: 'tpm', attStmt: new Map([['ver', '2.0']]) }],
    ['W6: a statement where there is none', /rules/, { attStmt: new Map([['sig', Buffer.from('x')]]) }],
    [
      'W6: certificates that say whom to ask about them',
      /attestation/,
      {
        fmt: 'packed',
        attStmt: new Map<string, Cbor>([
          ['alg', -7],
          ['sig', Buffer.from('x')],
          ['x5c', [Buffer.from('x')]],
        ]),
      },
    ],
    ['W7: another id outside than inside', /rules/, { id: randomBytes(32).toString('base64url') }],
    [
      'W1: a challenge of ours that nobody was given',
      /challenge/,
      { challenge: randomBytes(32).toString('base64url') },
    ],
    ['W1: a short challenge', /no answer/, { challenge: 'AAAA' }],
  ])('is refused with %s', async (_what, message, lies) => {
    const { reply } = await register(person, lies);
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    expect(reply.body['errors']).toEqual([{ path: 'credential', message: expect.stringMatching(message) }]);
  });

  it('is refused where the answer is no CBOR, or ends early, and never breaks', async () => {
    const options = await optionsOf(person);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, options as never);
    for (const attestationObject of [
      Buffer.from('nonsense'),
      encodeCbor(new Map([['fmt', 'none']])),
      Buffer.from(String(credential.response['attestationObject']), 'base64url').subarray(0, -10),
    ]) {
      const { challenge } = await optionsOf(person);
      const forged = SoftwareAuthenticator.create(ORIGIN, {
        ...(options as object),
        challenge,
      } as never).credential;
      const response = { ...forged.response, attestationObject: attestationObject.toString('base64url') };
      const reply = await person.client.post('/passkeys/registration/verify', {
        credential: { ...forged, response },
      });
      expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    }
  });

  it('W1: a challenge is good once, whatever came of it, and for its own session alone', async () => {
    const options = await optionsOf(person);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, options as never);
    const verify = (caller: SignedIn, sent: unknown = credential) =>
      caller.client.post('/passkeys/registration/verify', { credential: sent });
    const stranger = await signIn(here);
    expect(codeOf(await verify(stranger))).toEqual(NOT_ACCEPTED);
    expect((await verify(person)).status).toBe(201);
    expect(codeOf(await verify(person))).toEqual(NOT_ACCEPTED);

    const failed = await optionsOf(person);
    const bad = SoftwareAuthenticator.create(ORIGIN, failed as never, { rpId: 'evil.example' }).credential;
    const good = SoftwareAuthenticator.create(ORIGIN, failed as never).credential;
    expect(codeOf(await verify(person, bad))).toEqual(NOT_ACCEPTED);
    expect(codeOf(await verify(person, good))).toEqual(NOT_ACCEPTED);
  });

  it('W1: another session of the same person cannot complete it', async () => {
    const one = await signIn(here);
    const other = await signIn(here, one.email);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, (await optionsOf(one)) as never);
    const reply = await other.client.post('/passkeys/registration/verify', { credential });
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
  });

  it('W1: a challenge lives five minutes, by the clock of the database', async () => {
    const { challenge } = await optionsOf(person);
    const [row] = await here.query(
      sql<{
        ttl: number;
        bytes: number;
      }>`select extract(epoch from expires_at - created_at)::float8 as ttl, length(challenge) as bytes
        from webauthn_challenges where challenge = ${Buffer.from(challenge, 'base64url')}`,
    );
    expect(row).toEqual({ ttl: 300, bytes: 32 });
    await here.query(sql`update webauthn_challenges set expires_at = now()`);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, (await optionsOf(person)) as never, {
      challenge,
    });
    const reply = await person.client.post('/passkeys/registration/verify', { credential });
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    await here.running.app.get(Sweeper, { strict: false }).sweep();
    const late = await here.query(sql`select 1 from webauthn_challenges where expires_at <= now()`);
    expect(late).toEqual([]);
  });

  it('W1: the challenge of a sign-in makes no passkey, and that of a registration signs nobody in', async () => {
    const { authenticator } = await enrol(person);
    const { challenge } = await requestOptions(here);
    const { reply } = await register(person, { challenge });
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    const options = await optionsOf(person);
    expect(codeOf(await passkeySignIn(here, authenticator, { challenge: options.challenge }))).toEqual(
      REFUSED,
    );
  });

  it('W7: an id of 1023 bytes is taken, one of more is not', async () => {
    const { reply } = await register(person, { credentialId: randomBytes(1023) });
    expect(reply.status).toBe(201);
    const tooLong = await register(person, { credentialId: randomBytes(1024) });
    expect(codeOf(tooLong.reply)).toEqual({ status: 400, code: 'validation_failed' });
    const hidden = await register(person, {
      credentialId: randomBytes(1024),
      id: randomBytes(16).toString('base64url'),
    });
    expect(codeOf(hidden.reply)).toEqual(NOT_ACCEPTED);
  });

  it('W7: a passkey that anybody has is refused, and stays theirs', async () => {
    const { authenticator } = await enrol(person);
    const thief = await signIn(here);
    for (const caller of [thief, person]) {
      const { reply } = await register(caller, { credentialId: authenticator.credentialId });
      expect(codeOf(reply)).toEqual({ status: 409, code: 'passkey_exists' });
    }
    expect((await passkeySignIn(here, authenticator)).body['email']).toBe(person.email);
    expect((await thief.client.get('/passkeys')).body['passkeys']).toEqual([]);
  });

  it('stops at twenty a person, also of many at once', async () => {
    const owner = await signIn(here);
    const userId = await userIdOf(owner);
    const parked = await Promise.all([1, 2, 3].map(() => optionsOf(owner)));
    await here.query(
      sql`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
        select gen_random_uuid(), ${userId}, 'x', decode(md5(${userId} || n), 'hex'), 'x', '{}', false, false, 'x' from generate_series(1, 19) n`,
    );
    await here.query(sql`update sessions set methods = '{pwd,mfa}' where user_id = ${userId}`);
    const replies = await Promise.all(
      parked.map((options) => {
        const { credential } = SoftwareAuthenticator.create(ORIGIN, options as never);
        return owner.client.post('/passkeys/registration/verify', { credential });
      }),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
    const more = await owner.client.post('/passkeys/registration/options');
    expect(codeOf(more)).toEqual({ status: 409, code: 'limit_reached' });
  });

  it('does not go by what is remembered of a session that has ended', async () => {
    const owner = await signIn(here);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, (await optionsOf(owner)) as never);
    await owner.client.post('/logout');
    // Behind the guard, which lets pass what it remembers for a moment.
    const registrations = here.running.app.get(PasskeyRegistrations, { strict: false });
    const [user] = await here.query(sql<{ id: string }>`select id from users where email = ${owner.email}`);
    const outcome = await registrations.complete(
      {
        userId: user?.id ?? '',
        sessionId: owner.sessionId,
        otherSessions: 'keep',
        client: { requestId: 'x', ip: '127.0.0.1', userAgent: null },
      },
      { response: credential as never, name: null },
    );
    expect(outcome).toEqual({ status: 'session_ended' });
  });

  it('is named after the browser where its owner gives no name, and never with what breaks a line', async () => {
    const { client } = person;
    const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';
    const { reply } = await register({ client: client.with({ 'user-agent': agent }) });
    expect(reply.body['name']).toBe('Firefox 133 on Linux');
    for (const name of ['', ' ', 'x'.repeat(101), 'a\nb', 'a\0b', '\ud800', 7]) {
      const refused = await register(person, {}, { name });
      expect(codeOf(refused.reply)).toEqual({ status: 400, code: 'validation_failed' });
    }
  });

  it('L8, S5: tells the owner by mail with the change, and ends the other sessions if asked', async () => {
    const owner = await signIn(here);
    const other = await signIn(here, owner.email);
    const userId = await userIdOf(owner);
    const { id } = await register(owner, {}, { end_other_sessions: true });
    expect((await other.client.get('/users/me')).status).toBe(401);
    expect((await owner.client.get('/users/me')).status).toBe(200);
    await owner.client.send('DELETE', `/passkeys/${id}`);
    const mails = await here.query(
      sql`select kind, recipient, params->>'factor' as factor from outbox_mails where user_id = ${userId} and kind like 'factor%' order by created_at, id`,
    );
    expect(mails).toEqual([
      { kind: 'factor_added', recipient: owner.email, factor: 'passkey' },
      { kind: 'factor_removed', recipient: owner.email, factor: 'passkey' },
    ]);
  });

  it('incident 12: takes nobody’s word for who they are', async () => {
    const victim = await signIn(here);
    const victimId = await userIdOf(victim);
    const options = await optionsOf(person);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, options as never);
    for (const more of [{ user_id: victimId }, { userId: victimId }]) {
      const reply = await person.client.post('/passkeys/registration/verify', { credential, ...more });
      expect(codeOf(reply)).toEqual({ status: 400, code: 'validation_failed' });
    }
    expect((await victim.client.get('/passkeys')).body['passkeys']).toEqual([]);
  });
});

describe('a sign-in', () => {
  let person: SignedIn;
  let authenticator: SoftwareAuthenticator;
  beforeAll(async () => {
    person = await signIn(here);
    ({ authenticator } = await enrol(person));
  });
  const other = randomBytes(64).toString('base64url');
  // What one test gets wrong shall not lock out the next.
  beforeEach(() => here.query(sql`delete from guess_counters`));

  it.each<[string, string, Lies]>([
    ['W2: the type of a registration', 'type', { type: 'webauthn.create' }],
    ['W2: an origin of somebody else', 'origin', { origin: 'https://evil.example' }],
    ['W2: an origin that ends like ours', 'origin', { origin: 'http://evillocalhost:8000' }],
    ['W2: our host on another port', 'origin', { origin: 'http://localhost:8001' }],
    [
      'W2: a trusted origin that passkeys of our host do not reach',
      'origin',
      { origin: 'https://elsewhere.example' },
    ],
    ['W3: a frame of another origin', 'embedded', { clientData: { crossOrigin: true } }],
    [
      'W3: a frame of another origin that is named',
      'embedded',
      { clientData: { crossOrigin: true, topOrigin: ORIGIN } },
    ],
    ['W3: a top origin', 'embedded', { clientData: { topOrigin: ORIGIN } }],
    ['W4: another relying party', 'signature', { rpId: 'evil.example' }],
    ['W4: nobody was there', 'signature', { flags: { up: false } }],
    ['W4, W12: nobody was verified', 'signature', { flags: { uv: false } }],
    ['W5: backed up without being eligible', 'signature', { flags: { be: false, bs: true } }],
    ['W5: another eligibility than when it was made', 'backup_state', { flags: { be: false, bs: false } }],
    ['W8: no user handle', 'user_handle', { userHandle: null }],
    ['W8: the user handle of somebody else', 'user_handle', { userHandle: other }],
    [
      'W1: a challenge that nobody was given',
      'challenge',
      { challenge: randomBytes(32).toString('base64url') },
    ],
    ['W11: a bad signature', 'signature', { signature: (good) => Buffer.from(good.toReversed()) }],
    [
      'W11: an empty signature of the right form',
      'signature',
      { signature: () => Buffer.from('3006020100020100', 'hex') },
    ],
  ])('is refused with %s', async (_what, reason, lies) => {
    const reply = await passkeySignIn(here, authenticator, lies);
    expect(codeOf(reply)).toEqual(REFUSED);
    expect(here.logs.findLast(({ event }) => event === 'passkey_refused')).toMatchObject({ reason });
    expect(reply.setCookies).toEqual([]);
  });

  it('W11: whatever was wrong, the answer is the same', async () => {
    const unknown = SoftwareAuthenticator.create(ORIGIN, {
      challenge: 'AAAA',
      rp: { id: 'localhost' },
      user: { id: other },
    }).authenticator;
    const answers = [
      await passkeySignIn(here, authenticator, { signature: (good) => Buffer.from(good.toReversed()) }),
      await passkeySignIn(here, unknown),
      await passkeySignIn(here, authenticator, { flags: { uv: false } }),
      await passkeySignIn(here, authenticator, { challenge: 'AAAA' }),
      await passkeySignIn(here, authenticator, { userHandle: null }),
    ].map(comparable);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it('W11: options say nothing of anybody, and are the same for everybody', async () => {
    const reply = await here.client.post('/passkeys/authentication/options');
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      rpId: 'localhost',
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      allowCredentials: [],
      timeout: 300_000,
      userVerification: 'required',
    });
    const mine = await person.client.post('/passkeys/authentication/options');
    expect(mine.body).toEqual({ ...reply.body, challenge: expect.any(String) });
    const named = await here.client.post('/passkeys/authentication/options', { email: person.email });
    expect(codeOf(named)).toEqual({ status: 400, code: 'validation_failed' });
  });

  it('W12: a passkey that verified nobody when it was made signs in once it does', async () => {
    const made = await enrol(person, { flags: { uv: false } });
    expect(codeOf(await passkeySignIn(here, made.authenticator, { flags: { uv: false } }))).toEqual(REFUSED);
    expect((await passkeySignIn(here, made.authenticator, { flags: { uv: true } })).status).toBe(200);
  });

  it('W5: notes whether it is backed up, and when it was used', async () => {
    const made = await enrol(person, { flags: { be: true, bs: false } });
    const find = async () =>
      (await person.client.get('/passkeys')).body['passkeys'].find(
        ({ id }: { id: string }) => id === made.id,
      );
    expect(await find()).toMatchObject({ is_backed_up: false, last_used_at: null });
    expect((await passkeySignIn(here, made.authenticator, { flags: { bs: true } })).status).toBe(200);
    expect(await find()).toMatchObject({ is_backed_up: true, last_used_at: expect.stringMatching(/Z$/) });
  });

  it('W9: a counter that does not go on is refused and flagged; one that was used stays', async () => {
    const owner = await signIn(here);
    const userId = await userIdOf(owner);
    const { authenticator: counting } = await enrol(owner, { signCount: 5 });
    const shown = async (signCount: number) =>
      codeOf(await passkeySignIn(here, counting, { signCount })).status;
    expect([await shown(5), await shown(0), await shown(4)]).toEqual([401, 401, 401]);
    const flagged = (await audited(here, userId)).filter(({ kind }) => kind === 'passkey_suspicious');
    expect(flagged.map(({ details }) => [details['stored'], details['shown']])).toEqual([
      [5, 5],
      [5, 0],
      [5, 4],
    ]);
    expect([await shown(6), await shown(6), await shown(0xff_ff_ff_ff)]).toEqual([200, 401, 200]);
  });

  it('W9: whoever cannot sign raises no suspicion', async () => {
    const owner = await signIn(here);
    const { authenticator: counting } = await enrol(owner, { signCount: 5 });
    const signature = (good: Buffer) => Buffer.from(good.toReversed());
    expect(codeOf(await passkeySignIn(here, counting, { signCount: 1, signature }))).toEqual(REFUSED);
    const kinds = (await audited(here, await userIdOf(owner))).map(({ kind }) => kind);
    expect(kinds).not.toContain('passkey_suspicious');
  });

  it('a disabled account is refused with the same answer', async () => {
    const owner = await signIn(here);
    const made = await enrol(owner);
    await here.query(sql`update users set disabled_at = now() where email = ${owner.email}`);
    const reply = await passkeySignIn(here, made.authenticator);
    expect(comparable(reply)).toEqual(
      comparable(await passkeySignIn(here, authenticator, { userHandle: null })),
    );
  });

  it('a passkey that was removed opens nothing', async () => {
    const made = await enrol(person);
    const options = await requestOptions(here);
    const credential = made.authenticator.get(options);
    await person.client.send('DELETE', `/passkeys/${made.id}`);
    expect(codeOf(await here.client.post('/passkeys/authentication/verify', { credential }))).toEqual(
      REFUSED,
    );
  });

  it('answers credentials of different people with 400, and malformed ones by their field', async () => {
    const stranger = await signIn(here);
    const conflict = { cookie: `${person.headers['cookie']}; ${stranger.headers['cookie']}` };
    const reply = await passkeySignIn(here, authenticator, {}, {}, conflict);
    expect(codeOf(reply)).toEqual({ status: 400, code: 'conflicting_credentials' });
    const malformed = await here.client.post('/passkeys/authentication/verify', {
      credential: { id: '=', rawId: 'A'.repeat(1365), type: 'password', response: { signature: 1 } },
    });
    expect(codeOf(malformed)).toEqual({ status: 400, code: 'validation_failed' });
    expect(malformed.body['errors'].map(({ path }: { path: string }) => path)).toEqual([
      'credential.id',
      'credential.rawId',
      'credential.type',
      'credential.response.clientDataJSON',
      'credential.response.authenticatorData',
      'credential.response.signature',
    ]);
  });

  it('never breaks on client data that are none', async () => {
    const { challenge } = await requestOptions(here);
    for (const text of [
      '',
      'null',
      '[]',
      '{',
      '7',
      '{"challenge":7}',
      `{"challenge":"${challenge}=="}`,
      `{"challenge":"${challenge}"}`,
    ]) {
      const credential = authenticator.get({ challenge, rpId: 'localhost' });
      const response = {
        ...credential.response,
        clientDataJSON: Buffer.from(text || ' ').toString('base64url'),
      };
      const reply = await here.client.post('/passkeys/authentication/verify', {
        credential: { ...credential, response },
      });
      expect({ text, ...codeOf(reply) }).toEqual({ text, ...REFUSED });
    }
  });

  it('logs and records why, without challenges, keys or addresses', async () => {
    const userId = await userIdOf(person);
    const { challenge } = await requestOptions(here);
    const credential = authenticator.get({ challenge, rpId: 'localhost' }, { userHandle: null });
    await here.client.post('/passkeys/authentication/verify', { credential });
    const line = here.logs.findLast(({ event }) => event === 'passkey_refused');
    expect(line).toMatchObject({ ceremony: 'sign_in', reason: 'user_handle', user: userId });
    const failure = (await audited(here, userId)).findLast(({ kind }) => kind === 'login_failed');
    expect(failure?.details).toMatchObject({ method: 'passkey' });
    for (const secret of [challenge, person.email, String(credential.response['signature'])])
      expect(here.logText()).not.toContain(secret);
  });
});

describe('passkeys, passwords and locks', () => {
  beforeEach(() => here.query(sql`delete from guess_counters`));

  it('L4: a locked password does not lock the passkey', async () => {
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

  it('L3: wrong answers of a passkey that exists are counted, and in the end a right one is refused too', async () => {
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

  it('L5, W13: who has no password gets the answer of a wrong one, and keeps the last passkey', async () => {
    const owner = await signIn(here);
    const first = await enrol(owner);
    const second = await enrol(owner);
    await here.query(sql`update users set password_hash = null where email = ${owner.email}`);
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

  it('W13: who has a password may remove the last one, and signs in with the password again', async () => {
    const owner = await signIn(here);
    const { id } = await enrol(owner);
    expect((await owner.client.send('DELETE', `/passkeys/${id}`)).status).toBe(204);
    expect((await here.client.post('/login', { email: owner.email, password: PASSWORD })).status).toBe(200);
  });

  it('S5, T5: removing one ends the other sessions if asked', async () => {
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

describe('a second factor', () => {
  const owners: { email: string; authenticator: SoftwareAuthenticator }[] = [];
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) {
      const person = await signIn(here);
      owners.push({ email: person.email, ...(await enrol(person)) });
    }
  });
  beforeEach(() => here.query(sql`delete from guess_counters`));

  /** The password of one of them is right, and the passkey is missing. */
  async function halfSignIn(index = 0): Promise<{ token: string; authenticator: SoftwareAuthenticator }> {
    const owner = owners[index];
    if (!owner) throw new Error('nobody');
    const reply = await here.client.post('/login', { email: owner.email, password: PASSWORD });
    return { token: reply.body['mfa_token'], authenticator: owner.authenticator };
  }
  const complete = (token: string, credential: unknown) =>
    here.client.post('/mfa', { mfa_token: token, credential });

  it('W12: behind a password it is enough that somebody was there; the user handle may be missing', async () => {
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
    ['W4: nobody was there', { flags: { up: false } }],
    ['W8: the user handle of somebody else', { userHandle: randomBytes(64).toString('base64url') }],
    ['W2: an origin of somebody else', { origin: 'https://evil.example' }],
  ])('is refused with %s', async (_what, lies) => {
    const { token, authenticator } = await halfSignIn();
    const reply = await complete(
      token,
      authenticator.get(await requestOptions(here, { mfa_token: token }), lies),
    );
    expect(codeOf(reply)).toEqual({ status: 401, code: 'mfa_failed' });
  });

  it('T8, E12: is not the passkey of somebody else, and not the challenge of another sign-in', async () => {
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

  it('T8: a passkey that verified its user is two factors by itself, whatever else there is', async () => {
    const person = await signIn(here);
    const { authenticator } = await enrol(person);
    await here.query(
      sql`insert into totp_authenticators (user_id, seed, confirmed_at) select id, 'x', now() from users where email = ${person.email}`,
    );
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
    expect(codeOf(await passkeySignIn(here, authenticator, { flags: { uv: false } }))).toEqual(REFUSED);
  });

  it('has no options for a token that is unknown or used up', async () => {
    const { token, authenticator } = await halfSignIn();
    await complete(token, authenticator.get(await requestOptions(here, { mfa_token: token })));
    for (const mfa_token of [token, 'trf_mt_unknown', '']) {
      const reply = await here.client.post('/passkeys/authentication/options', { mfa_token });
      expect(codeOf(reply)).toEqual({ status: 401, code: 'mfa_token_invalid' });
    }
  });

  it('a re-authentication is bound to the session that asked, and to its person', async () => {
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

  it('options for a re-authentication need a session, and are for nothing else', async () => {
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

  it('incident 16, W1: of 20 that answer the same challenge at once, one signs in', async () => {
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

  it('W9: of 20 that show the same count at once, each with a challenge of its own, one signs in', async () => {
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

  it('W10: of many that ask at once, all get one handle', async () => {
    const someone = await signIn(here);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        node(index).client.post('/passkeys/registration/options', undefined, someone.headers),
      ),
    );
    expect(new Set(replies.map(({ body }) => body['user'].id)).size).toBe(1);
  });

  it('W7: of two people who register the same id at once, one has it', async () => {
    const people = [await signIn(here), await signIn(here)];
    const credentialId = randomBytes(32);
    const replies = await Promise.all(people.map((caller) => register(caller, { credentialId })));
    expect(replies.map(({ reply }) => reply.status).toSorted()).toEqual([201, 409]);
  });
});

describe('with AUTH_REQUIRE_VERIFIED_EMAIL', () => {
  it('L5: an address that is not verified is refused as anything else is', async () => {
    const app = await start({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' }, sibling: here });
    const owner = await signIn(here);
    const { authenticator } = await enrol(owner);
    expect(codeOf(await passkeySignIn(app, authenticator))).toEqual(REFUSED);
    await app.query(sql`update users set email_verified_at = now() where email = ${owner.email}`);
    expect((await passkeySignIn(app, authenticator)).status).toBe(200);
  });
});

// On a machine without a browser this part cannot run; with TEST_TOOLS=required that is a failure.
const canBrowse = chromiumPath !== undefined || process.env['TEST_TOOLS'] === 'required';
if (!canBrowse)
  process.stderr.write(
    '\n*** SKIPPED: passkeys were NOT tried in a browser. Install Chromium (apt-get install chromium), or name one in CHROMIUM_PATH. ***\n\n',
  );

(canBrowse ? describe : describe.skip).each(STRATEGIES.filter(({ accepts }) => accepts.length === 1))(
  'a person with a real browser and AUTH_STRATEGY=$strategy',
  ({ strategy }) => {
    const email = 'ada@example.com';
    let app: TestApp;
    let origin: string;
    let watched: WatchedPage;
    beforeAll(async () => {
      const port = await freePort();
      origin = `http://localhost:${port}`;
      app = await start({ env: { AUTH_STRATEGY: strategy, PORT: String(port), PUBLIC_URL: origin } });
      await app.running.app.listen({ host: '127.0.0.1', port });
      watched = await openPage();
      const cdp = await watched.page.context().newCDPSession(watched.page);
      await cdp.send('WebAuthn.enable');
      await cdp.send('WebAuthn.addVirtualAuthenticator', {
        options: {
          protocol: 'ctap2',
          ctap2Version: 'ctap2_1',
          transport: 'internal',
          hasResidentKey: true,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
    });
    afterAll(() => watched?.close());

    const said = (text: string) => watched.page.locator('#status', { hasText: text }).waitFor();

    it('finds the page from the documentation, makes an account and adds a passkey', async () => {
      const { page } = watched;
      const { info } = (await app.client.get('/openapi.json')).body;
      expect(info.description).toContain('](/docs/passkeys)');
      await page.goto(`${origin}/docs/passkeys`);
      await page.fill('#email', email);
      await page.fill('#password', PASSWORD);
      await page.click('#signup');
      await said('signed in with your password');
      await page.fill('#name', 'Test key');
      await page.click('#add');
      await said('The passkey was added');
      expect(await page.locator('#passkeys li').innerText()).toContain('Test key (not used yet)');
      await page.click('#add');
      await said('This device has a passkey of this account already.');
    });

    it('signs in with it: no name, no password', async () => {
      const { page } = watched;
      await page.click('#logout');
      await said('You are signed out');
      await page.click('#passkey-login');
      await said('signed in with a passkey');
      expect(await page.locator('#who').innerText()).toBe(email);
      expect(await page.locator('#passkeys li').innerText()).toContain('last used');
    });

    it('needs it as a second factor behind the password', async () => {
      const { page } = watched;
      await page.click('#logout');
      await said('You are signed out');
      await page.fill('#email', email);
      await page.fill('#password', PASSWORD);
      await page.click('#login');
      await said('signed in with your password');
      expect(watched.requests).toContain(`${origin}/mfa`);
    });

    it('proves again who it is, where the sign-in is not fresh any more', async () => {
      const { page } = watched;
      await app.query(sql`update sessions set authenticated_at = now() - interval '1 hour'`);
      page.once('dialog', (dialog) => void dialog.accept('Fresh'));
      await page.locator('#passkeys button', { hasText: 'Rename' }).click();
      await said('The passkey has a new name');
      expect(await page.locator('#passkeys li').innerText()).toContain('Fresh');
      expect(watched.requests).toContain(`${origin}/reauthenticate`);
    });

    it('renames it and removes it, and it opens nothing any more', async () => {
      const { page } = watched;
      page.once('dialog', (dialog) => void dialog.accept('Renamed'));
      await page.locator('#passkeys button', { hasText: 'Rename' }).click();
      await said('The passkey has a new name');
      expect(await page.locator('#passkeys li').innerText()).toContain('Renamed');
      await page.locator('#passkeys button', { hasText: 'Remove' }).click();
      await said('The passkey was removed');
      await page.click('#logout');
      await said('You are signed out');
      await page.click('#passkey-login');
      await said('The passkey was refused');
    });

    it('gives a code of the authenticator app, or a recovery code, where the account has no passkey', async () => {
      const { page } = watched;
      const person = await enrolled(app);
      const [recoveryCode = ''] = await addRecoveryCodes(person.client);
      for (const code of ['000 000', await codeOfNow(app, person.secret), recoveryCode]) {
        await page.reload();
        await page.fill('#email', person.email);
        await page.fill('#password', PASSWORD);
        await page.click('#login');
        await said('The account has a second factor');
        expect(await page.isVisible('#factor-passkey')).toBe(false);
        await page.fill('#code', code);
        await page.click('#factor button[type=submit]');
        if (code === '000 000') {
          await page.locator('#status.failed').waitFor();
          continue;
        }
        await said('signed in with your password and a second factor');
        await page.click('#logout');
        await said('You are signed out');
      }
    });

    it('is told where passkeys work when the page is opened by another name of the host', async () => {
      const { page } = watched;
      await page.goto(`${origin.replace('localhost', '127.0.0.1')}/docs/passkeys`);
      await said('Passkeys belong to');
      expect(await page.innerText('#status')).toBe(
        `Passkeys belong to localhost: open ${origin}/docs/passkeys instead.`,
      );
    });

    it('violates no policy, logs no error, and asks no other origin', () => {
      const complaints = watched.complaints.filter((text) => !/status of 401/.test(text));
      expect(complaints).toEqual([]);
      const foreign = watched.requests.filter(
        (url) => !/^(data|blob):/.test(url) && !/^http:\/\/(localhost|127\.0\.0\.1):/.test(url),
      );
      expect(foreign).toEqual([]);
    });
  },
);
