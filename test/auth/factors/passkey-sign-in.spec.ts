import { createPublicKey, constants, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { signIn, type SignedIn } from '../../support/strategies.js';
import { encodeCbor, type Lies, SoftwareAuthenticator } from '../../support/webauthn.js';
import {
  ORIGIN,
  audited,
  bootTwoNodes,
  codeOf,
  comparable,
  enrol,
  here,
  passkeySignIn,
  requestOptions,
  start,
  userIdOf,
} from '../../support/passkeys.js';
import { given } from '../../support/given.js';
import { mailsTo } from '../../support/mailbox.js';
import { until } from '../../support/process.js';

bootTwoNodes();

const REFUSED = { status: 401, code: 'passkey_refused' };

describe('sign-in', () => {
  let person: SignedIn;
  let authenticator: SoftwareAuthenticator;
  beforeAll(async () => {
    person = await signIn(here);
    ({ authenticator } = await enrol(person));
  });
  const other = randomBytes(64).toString('base64url');
  // What one test gets wrong shall not lock out the next.
  beforeEach(() => given.noGuesses(here));

  it.each<[string, string, Lies]>([
    ['the type of a registration', 'type', { type: 'webauthn.create' }],
    ['an origin of somebody else', 'origin', { origin: 'https://evil.example' }],
    ['an origin that ends like ours', 'origin', { origin: 'http://evillocalhost:8000' }],
    ['our host on another port', 'origin', { origin: 'http://localhost:8001' }],
    [
      'a trusted origin that passkeys of our host do not reach',
      'origin',
      { origin: 'https://elsewhere.example' },
    ],
    ['a frame of another origin', 'embedded', { clientData: { crossOrigin: true } }],
    [
      'a frame of another origin that is named',
      'embedded',
      { clientData: { crossOrigin: true, topOrigin: ORIGIN } },
    ],
    ['a top origin', 'embedded', { clientData: { topOrigin: ORIGIN } }],
    ['another relying party', 'signature', { rpId: 'evil.example' }],
    ['nobody was there', 'signature', { flags: { up: false } }],
    ['nobody was verified', 'signature', { flags: { uv: false } }],
    ['backed up without being eligible', 'signature', { flags: { be: false, bs: true } }],
    ['lost eligibility for backup', 'backup_state', { flags: { be: false, bs: false } }],
    ['no user handle', 'user_handle', { userHandle: null }],
    ['the user handle of somebody else', 'user_handle', { userHandle: other }],
    ['a challenge that nobody was given', 'challenge', { challenge: randomBytes(32).toString('base64url') }],
    ['a bad signature', 'signature', { signature: (good) => Buffer.from(good.toReversed()) }],
    [
      'an empty signature of the right form',
      'signature',
      { signature: () => Buffer.from('3006020100020100', 'hex') },
    ],
  ])('is refused with %s [W1, W2, W3, W4, W5, W8, W11, W12]', async (_what, reason, lies) => {
    const reply = await passkeySignIn(here, authenticator, lies);
    expect(codeOf(reply)).toEqual(REFUSED);
    expect(here.logs.findLast(({ event }) => event === 'passkey_refused')).toMatchObject({ reason });
    expect(reply.setCookies).toEqual([]);
  });

  it('gives the same answer for every failure [W11]', async () => {
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

  it('options are the same for all accounts [W11]', async () => {
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

  it('with a passkey registered without user verification works once it verifies [W12]', async () => {
    const made = await enrol(person, { flags: { uv: false } });
    expect(codeOf(await passkeySignIn(here, made.authenticator, { flags: { uv: false } }))).toEqual(REFUSED);
    expect((await passkeySignIn(here, made.authenticator, { flags: { uv: true } })).status).toBe(200);
  });

  it('records backup state and last use [W5]', async () => {
    const made = await enrol(person, { flags: { be: true, bs: false } });
    const find = async () =>
      (await person.client.get('/passkeys')).body['passkeys'].find(
        ({ id }: { id: string }) => id === made.id,
      );
    expect(await find()).toMatchObject({ is_backed_up: false, last_used_at: null });
    expect((await passkeySignIn(here, made.authenticator, { flags: { bs: true } })).status).toBe(200);
    expect(await find()).toMatchObject({ is_backed_up: true, last_used_at: expect.stringMatching(/Z$/) });
  });

  const eventsOf = async ({ client }: SignedIn, kind: string) =>
    (await client.get('/users/me/events')).body['events'].filter(
      (event: { kind: string }) => event.kind === kind,
    );

  it('accepts a passkey that became eligible for backup, and notifies its owner once [W5, fault 27]', async () => {
    const owner = await signIn(here);
    const { authenticator: moved, id } = await enrol(owner, { flags: { be: false, bs: false } });
    const now = { flags: { be: true, bs: true } };
    expect((await passkeySignIn(here, moved, { flags: { be: false, bs: false } })).status).toBe(200);
    expect((await passkeySignIn(here, moved, now)).status).toBe(200);
    expect((await passkeySignIn(here, moved, now)).status).toBe(200);
    const events = await eventsOf(owner, 'passkey_backup_enabled');
    expect(events).toMatchObject([
      { details: { passkey: id }, description: expect.stringMatching(/backed up/) },
    ]);
    const mails = await mailsTo(here, owner.email, 'passkey_backup_enabled');
    expect(mails.map(({ subject }) => subject)).toEqual(['A passkey can now be backed up']);
    expect((await owner.client.get('/passkeys')).body['passkeys']).toMatchObject([{ is_backed_up: true }]);
  });

  it('refuses a passkey that lost eligibility, also between check and use, and says why to its owner [W5, fault 27]', async () => {
    const owner = await signIn(here);
    const { authenticator: moved, id } = await enrol(owner, { flags: { be: true, bs: true } });
    const lost = { flags: { be: false, bs: false } };
    expect(codeOf(await passkeySignIn(here, moved, lost))).toEqual(REFUSED);
    expect(await eventsOf(owner, 'passkey_backup_refused')).toMatchObject([
      {
        details: { passkey: id, reason: 'backup_state' },
        description: expect.stringMatching(/no longer reports/),
      },
    ]);
    expect((await passkeySignIn(here, moved)).status).toBe(200);
  });

  /** RFC 8017 §8.2.1: what a signature of RSA with the exponent 1 is, without a private key. */
  const withExponentOne = (n: Buffer, key: KeyObject) => (good: Buffer) =>
    // The signature to the power of e is the padded digest, which is its own signature under the exponent 1.
    publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, good).subarray(-n.length);

  it('disables stored passkeys with unfit keys, at their use and once at a start, and notifies the owner [W6, fault 25]', async () => {
    const owner = await signIn(here);
    const { authenticator: stored, id } = await enrol(owner, { algorithm: 'RS256' });
    const sound = await enrol(owner);
    const publicKey = createPublicKey(stored.privateKey);
    const key = stored.coseKey().set(-2, Buffer.from([1]));
    const n = key.get(-1) as Buffer;
    await here.query(
      sql`update passkeys set public_key = ${encodeCbor(key)}, key_checked_at = null where id = ${id}`,
    );
    const forged = { signature: withExponentOne(n, publicKey) };
    expect(codeOf(await passkeySignIn(here, stored, forged))).toEqual(REFUSED);
    expect(here.logs.findLast(({ event }) => event === 'passkey_refused')).toMatchObject({
      reason: 'key',
      cause: 'exponent',
    });
    expect(codeOf(await passkeySignIn(here, stored))).toEqual(REFUSED);

    const restarted = await start({ sibling: here });
    await until(() => restarted.logs.find(({ event }) => event === 'passkeys_checked'));
    expect(restarted.logs.filter(({ event }) => event === 'passkey_disabled')).toEqual([
      expect.objectContaining({ passkey: id, reason: 'exponent' }),
    ]);
    expect(await eventsOf(owner, 'passkey_disabled')).toMatchObject([
      { actor: 'system', details: { passkey: id, reason: 'exponent' } },
    ]);
    expect(await mailsTo(here, owner.email, 'passkey_disabled')).toHaveLength(1);
    const listed = (await owner.client.get('/passkeys')).body['passkeys'];
    expect(listed.map((one: Record<string, unknown>) => [one['id'], one['is_disabled']])).toEqual([
      [id, true],
      [sound.id, false],
    ]);
    expect(codeOf(await passkeySignIn(here, stored, forged))).toEqual(REFUSED);
    expect((await passkeySignIn(here, sound.authenticator)).status).toBe(200);
    const [open] = await here.query(
      sql<{ count: number }>`select count(*) from passkeys where key_checked_at is null`,
    );
    expect(open?.count).toBe(0);
  });

  it('refuses and flags a counter that does not increase [W9]', async () => {
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

  it('without a valid signature does not flag the passkey [W9]', async () => {
    const owner = await signIn(here);
    const { authenticator: counting } = await enrol(owner, { signCount: 5 });
    const signature = (good: Buffer) => Buffer.from(good.toReversed());
    expect(codeOf(await passkeySignIn(here, counting, { signCount: 1, signature }))).toEqual(REFUSED);
    const kinds = (await audited(here, await userIdOf(owner))).map(({ kind }) => kind);
    expect(kinds).not.toContain('passkey_suspicious');
  });

  it('refuses a disabled account with the same answer', async () => {
    const owner = await signIn(here);
    const made = await enrol(owner);
    await given.disabledAccount(here, owner.email);
    const reply = await passkeySignIn(here, made.authenticator);
    expect(comparable(reply)).toEqual(
      comparable(await passkeySignIn(here, authenticator, { userHandle: null })),
    );
  });

  it('refuses a removed passkey', async () => {
    const made = await enrol(person);
    const options = await requestOptions(here);
    const credential = made.authenticator.get(options);
    await person.client.send('DELETE', `/passkeys/${made.id}`);
    expect(codeOf(await here.client.post('/passkeys/authentication/verify', { credential }))).toEqual(
      REFUSED,
    );
  });

  it('answers credentials of different users with 400, and malformed ones by field', async () => {
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

  it('handles malformed client data', async () => {
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

  it('logs and records the reason without challenges, keys or addresses', async () => {
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
