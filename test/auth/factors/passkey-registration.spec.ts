import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Purger } from '../../../src/platform/retention/purger.service.js';
import { signIn, type SignedIn } from '../../support/strategies.js';
import {
  type Algorithm,
  type Cbor,
  encodeCbor,
  type RegistrationLies,
  SoftwareAuthenticator,
} from '../../support/webauthn.js';
import {
  ORIGIN,
  bootTwoNodes,
  codeOf,
  enrol,
  here,
  passkeySignIn,
  register,
  requestOptions,
  userIdOf,
} from '../../support/passkeys.js';

bootTwoNodes();

const REFUSED = { status: 401, code: 'passkey_refused' };

describe('registration', () => {
  let person: SignedIn;
  const NOT_ACCEPTED = { status: 400, code: 'passkey_not_accepted' };
  beforeAll(async () => {
    person = await signIn(here);
  });

  const optionsOf = async ({ client }: SignedIn) =>
    (await client.post('/passkeys/registration/options')).body as Record<string, any> & { challenge: string }; // oxlint-disable-line typescript/no-explicit-any -- tests look into any reply

  it('options have a fresh challenge, a random stable handle and the accepted algorithms [W1, W6, W10]', async () => {
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

  it('options exclude the existing passkeys', async () => {
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

  it.each<Algorithm>(['ES256', 'EdDSA', 'RS256'])('accepts %s and its signatures [W6]', async (algorithm) => {
    const { authenticator } = await enrol(person, { algorithm });
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
  });

  it('accepts a trusted origin below the host [W2]', async () => {
    const { authenticator } = await enrol(person, { origin: 'http://app.localhost:8000' });
    const reply = await passkeySignIn(here, authenticator, { origin: 'http://app.localhost:8000' });
    expect(reply.status).toBe(200);
  });

  it.each<[string, RegExp, RegistrationLies]>([
    ['the type of an assertion', /new credential/, { type: 'webauthn.get' }],
    ['an origin of somebody else', /not trusted/, { origin: 'https://evil.example' }],
    ['an origin that ends like ours', /not trusted/, { origin: 'http://evillocalhost:8000' }],
    ['an origin that begins like ours', /not trusted/, { origin: 'http://localhost:8000.evil.example' }],
    ['our host on another port', /not trusted/, { origin: 'http://localhost:8001' }],
    ['our host by https', /not trusted/, { origin: 'https://localhost:8000' }],
    ['an origin below ours that is not trusted', /not trusted/, { origin: 'http://evil.localhost:8000' }],
    [
      'a trusted origin that passkeys of our host do not reach',
      /not trusted/,
      { origin: 'https://elsewhere.example' },
    ],
    ['a frame of another origin', /frame/, { clientData: { crossOrigin: true } }],
    ['a top origin', /frame/, { clientData: { topOrigin: ORIGIN } }],
    ['another relying party', /violates/, { rpId: 'evil.example' }],
    ['nobody was there', /violates/, { flags: { up: false, uv: false } }],
    ['backed up without being eligible', /violates/, { flags: { be: false, bs: true } }],
    ['an algorithm that was not offered', /not offered/, { algorithm: 'ES384' }],
    ['an unknown format', /attestation/, { fmt: 'nonsense' }],
    ['a format that nobody asked for', /attestation/, { fmt: 'tpm', attStmt: new Map([['ver', '2.0']]) }],
    ['a statement where there is none', /violates/, { attStmt: new Map([['sig', Buffer.from('x')]]) }],
    [
      'certificates that say whom to ask about them',
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
    ['another id outside than inside', /violates/, { id: randomBytes(32).toString('base64url') }],
    [
      'a challenge of ours that nobody was given',
      /challenge/,
      { challenge: randomBytes(32).toString('base64url') },
    ],
    ['a short challenge', /not the answer/, { challenge: 'AAAA' }],
  ])('is refused with %s [W1, W2, W3, W4, W5, W6, W7]', async (_what, message, lies) => {
    const { reply } = await register(person, lies);
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    expect(reply.body['errors']).toEqual([{ path: 'credential', message: expect.stringMatching(message) }]);
  });

  it('refuses invalid and truncated CBOR without an error', async () => {
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

  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  const changed = (key: ReadonlyMap<number, Cbor>, label: number, value: Cbor) =>
    new Map(key).set(label, value);
  const xOf = (key: ReadonlyMap<number, Cbor>) => key.get(-2) as Buffer;
  const rsaOf = (bits: number) => {
    const { n = '' } = generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({
      format: 'jwk',
    });
    return Buffer.from(n, 'base64url');
  };
  const SMALL_ORDER = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a';

  it.each<[string, RegExp, RegistrationLies]>([
    ['a point off the curve', /point/, { key: (key) => changed(key, -3, xOf(key)) }],
    [
      'the coordinates zero',
      /point/,
      { key: (key) => changed(changed(key, -2, Buffer.alloc(32)), -3, Buffer.alloc(32)) },
    ],
    ['a short coordinate', /point/, { key: (key) => changed(key, -2, xOf(key).subarray(1)) }],
    [
      'a long coordinate',
      /point/,
      { key: (key) => changed(key, -2, Buffer.concat([Buffer.alloc(1), xOf(key)])) },
    ],
    ['a coordinate that is text', /point/, { key: (key) => changed(key, -2, 'x'.repeat(32)) }],
    ['P-384 named ES256', /type or curve/, { algorithm: 'ES384', key: (key) => changed(key, 3, -7) }],
    ['the curve Ed25519 for ES256', /type or curve/, { key: (key) => changed(key, -1, 6) }],
    ['an RSA key type for ES256', /type or curve/, { key: (key) => changed(key, 1, 3) }],
    ['ES256 named EdDSA', /COSE key/, { key: (key) => changed(key, 3, -8) }],
    ['ES256 named RS256', /COSE key/, { key: (key) => changed(key, 3, -257) }],
    ['no y', /COSE key/, { key: (key) => new Map([...key].filter(([label]) => label !== -3)) }],
    ['a private key', /COSE key/, { key: (key) => changed(key, -4, Buffer.alloc(32, 1)) }],
    ['512 bits', /modulus/, { algorithm: 'RS256', key: (key) => changed(key, -1, rsaOf(512)) }],
    [
      '1024 bits, filled up with zeros',
      /modulus/,
      { algorithm: 'RS256', key: (key) => changed(key, -1, Buffer.concat([Buffer.alloc(128), rsaOf(1024)])) },
    ],
    [
      'an even modulus',
      /modulus/,
      { algorithm: 'RS256', key: (key) => changed(key, -1, Buffer.alloc(256, 0xfe)) },
    ],
    [
      'an endless modulus',
      /modulus/,
      { algorithm: 'RS256', key: (key) => changed(key, -1, Buffer.alloc(2000, 0xff)) },
    ],
    ['the exponent 1', /exponent/, { algorithm: 'RS256', key: (key) => changed(key, -2, bytes('01')) }],
    ['the exponent 3', /exponent/, { algorithm: 'RS256', key: (key) => changed(key, -2, bytes('03')) }],
    ['the exponent 65535', /exponent/, { algorithm: 'RS256', key: (key) => changed(key, -2, bytes('ffff')) }],
    ['an even exponent', /exponent/, { algorithm: 'RS256', key: (key) => changed(key, -2, bytes('010002')) }],
    ['an empty exponent', /exponent/, { algorithm: 'RS256', key: (key) => changed(key, -2, bytes('')) }],
    [
      'a small order',
      /small order/,
      { algorithm: 'EdDSA', key: (key) => changed(key, -2, bytes(SMALL_ORDER)) },
    ],
    [
      'the point of order 1',
      /small order/,
      { algorithm: 'EdDSA', key: (key) => changed(key, -2, bytes(`01${'00'.repeat(31)}`)) },
    ],
    [
      'y = p, another form of 0',
      /small order/,
      { algorithm: 'EdDSA', key: (key) => changed(key, -2, bytes(`ed${'ff'.repeat(30)}7f`)) },
    ],
    [
      'a point off the Edwards curve',
      /point/,
      { algorithm: 'EdDSA', key: (key) => changed(key, -2, bytes(`02${'00'.repeat(31)}`)) },
    ],
    [
      '31 bytes of Ed25519',
      /point/,
      { algorithm: 'EdDSA', key: (key) => changed(key, -2, xOf(key).subarray(1)) },
    ],
    ['bytes after the key', /not the answer/, { afterKey: Buffer.from([0]) }],
    ['a second key after the key', /not the answer/, { afterKey: encodeCbor(new Map([[1, 2]])) }],
    ['bytes after the attestation object', /not the answer/, { after: Buffer.from([0]) }],
    [
      'an attestation of another algorithm',
      /another algorithm/,
      { selfAttestation: { alg: -35, hash: 'sha384' } },
    ],
  ])('refuses a key with %s [W6, fault 25]', async (_what, message, lies) => {
    const { reply } = await register(person, lies);
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    expect(reply.body['errors']).toEqual([{ path: 'credential', message: expect.stringMatching(message) }]);
  });

  it.each<[Algorithm, number]>([
    ['ES256', -7],
    ['EdDSA', -8],
    ['RS256', -257],
  ])('accepts a self attestation of %s [W6]', async (algorithm, alg) => {
    const { authenticator } = await enrol(person, { algorithm, selfAttestation: { alg, hash: 'sha256' } });
    expect((await passkeySignIn(here, authenticator)).status).toBe(200);
  });

  it('consumes its challenge with any result, and for its own session only [W1]', async () => {
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

  it('cannot be completed by another session of the same user [W1]', async () => {
    const one = await signIn(here);
    const other = await signIn(here, one.email);
    const { credential } = SoftwareAuthenticator.create(ORIGIN, (await optionsOf(one)) as never);
    const reply = await other.client.post('/passkeys/registration/verify', { credential });
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
  });

  it("challenges live five minutes by the database's clock [W1]", async () => {
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
    await here.running.app.get(Purger, { strict: false }).purge();
    const late = await here.query(sql`select 1 from webauthn_challenges where expires_at <= now()`);
    expect(late).toEqual([]);
  });

  it('challenges do not work for sign-in, and the reverse [W1]', async () => {
    const { authenticator } = await enrol(person);
    const { challenge } = await requestOptions(here);
    const { reply } = await register(person, { challenge });
    expect(codeOf(reply)).toEqual(NOT_ACCEPTED);
    const options = await optionsOf(person);
    expect(codeOf(await passkeySignIn(here, authenticator, { challenge: options.challenge }))).toEqual(
      REFUSED,
    );
  });

  it('accepts an id of 1023 bytes and refuses a longer one [W7]', async () => {
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

  it('refuses a passkey that belongs to any account [W7]', async () => {
    const { authenticator } = await enrol(person);
    const thief = await signIn(here);
    for (const caller of [thief, person]) {
      const { reply } = await register(caller, { credentialId: authenticator.credentialId });
      expect(codeOf(reply)).toEqual({ status: 409, code: 'passkey_exists' });
    }
    expect((await passkeySignIn(here, authenticator)).body['email']).toBe(person.email);
    expect((await thief.client.get('/passkeys')).body['passkeys']).toEqual([]);
  });

  it('stops at twenty per user, also concurrently', async () => {
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

  it('names the passkey after the browser by default, without control characters', async () => {
    const { client } = person;
    const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';
    const { reply } = await register({ client: client.with({ 'user-agent': agent }) });
    expect(reply.body['name']).toBe('Firefox 133 on Linux');
    for (const name of [' ', 'x'.repeat(101), 'a\nb', 'a\0b', '\ud800', 7]) {
      const refused = await register(person, {}, { name });
      expect(codeOf(refused.reply)).toEqual({ status: 400, code: 'validation_failed' });
    }
  });

  it.each([
    ['null', null],
    ['empty', ''],
    ['absent', undefined],
  ])('takes optional fields that are %s [fault 27]', async (_what, nothing) => {
    const owner = await signIn(here);
    const options = await optionsOf(owner);
    const { authenticator, credential } = SoftwareAuthenticator.create(ORIGIN, options as never);
    const response = { ...credential.response, transports: nothing };
    const reply = await owner.client.post('/passkeys/registration/verify', {
      credential: { ...credential, authenticatorAttachment: nothing, response },
      name: nothing,
      end_other_sessions: nothing,
    });
    expect({ status: reply.status, transports: reply.body['transports'] }).toEqual({
      status: 201,
      transports: [],
    });

    const begun = await owner.client.post('/passkeys/authentication/options', {
      purpose: 'reauthentication',
      mfa_token: nothing,
    });
    const assertion = authenticator.get(begun.body as never);
    const proof = { ...assertion, response: { ...assertion.response, userHandle: nothing } };
    const proofs = { credential: proof, password: nothing, code: nothing, recovery_code: nothing };
    expect((await owner.client.post('/reauthenticate', proofs)).status).toBe(204);
    const alone = authenticator.get(await requestOptions(here));
    const nameless = { ...alone, response: { ...alone.response, userHandle: nothing } };
    const refused = await here.client.post('/passkeys/authentication/verify', { credential: nameless });
    expect(codeOf(refused)).toEqual(REFUSED);
  });

  it('notifies the owner, and ends the other sessions on request [L8, S5]', async () => {
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

  it('takes the user from the credential only [incident 12]', async () => {
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
