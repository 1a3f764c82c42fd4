import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { sql } from 'kysely';
import { COMMON_PASSWORDS } from '../../src/users/passwords/common-passwords.data.js';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../support/strategies.js';
import { given } from '../support/given.js';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ hashing: 'production' });
});
afterAll(() => app.close());

const signup = (password: unknown, email: unknown = freshEmail()) =>
  app.client.post('/signup', { email, password });
const login = (email: string, password: string) => app.client.post('/login', { email, password });

function expectInvalid(reply: Reply, path: string): void {
  expect(reply.status).toBe(400);
  expect(reply.body).toMatchObject({ code: 'validation_failed', errors: [{ path }] });
}

describe('passwords', () => {
  it('14 code points are refused with the reason, 15 are accepted [P1]', async () => {
    const short = await signup('fourteen chars');
    expect(short.status).toBe(400);
    expect(short.body).toMatchObject({
      code: 'weak_password',
      reason: 'too_short',
      errors: [{ path: 'password' }],
    });
    expect(short.body['detail']).toContain('15');
    expect((await signup('fifteen chars !')).status).toBe(201);
  });

  it('the policy can be lowered to eight, for mandatory second factors [P2]', async () => {
    const lenient = await startApp({ env: { PASSWORD_MIN_LENGTH: '8' } });
    const attempt = (password: string) => lenient.client.post('/signup', { email: freshEmail(), password });
    expect((await attempt('7 chars')).body['reason']).toBe('too_short');
    expect((await attempt('8 chars!')).status).toBe(201);
    await lenient.close();
    await expect(startApp({ env: { PASSWORD_MIN_LENGTH: '7' } })).rejects.toThrow(/PASSWORD_MIN_LENGTH/);
  });

  it('64 code points and 1024 bytes are accepted, 1025 bytes refused, never truncated [P3]', async () => {
    expect((await signup(unpredictable(64))).status).toBe(201);
    const longest = unpredictable(1024);
    const email = freshEmail();
    expect((await signup(longest, email)).status).toBe(201);
    expect((await login(email, longest)).status).toBe(200);
    expect((await login(email, longest.slice(0, -1))).status).toBe(401);
    expectInvalid(await signup(unpredictable(1025)), 'password');
  });

  it('length counts code points: 15 of U+1D4B3 pass, 14 do not [P4]', async () => {
    expect((await signup('\u{1D4B3}'.repeat(14))).body['reason']).toBe('too_short');
    const different = Array.from({ length: 15 }, (_, at) => String.fromCodePoint(0x1_f400 + at * 7)).join('');
    expect((await signup(different)).status).toBe(201);
  });

  it.each([
    ['spaces', 'a quiet little river'],
    [
      'every printable ASCII character',
      // In another order: a row of them is guessed early.
      Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + ((i * 37) % 95))).join(''),
    ],
    ['emoji', '🐢🌊🎈🚲🧊🍋🪁🎻🦔🌵🛶🧭🪶🎲🫖'],
    ['CJK', '静かな湖のほとりで朝ごはんを食べる'],
    ['the passphrase of the contract', PASSWORD],
  ])('accepts %s and signs in with it [P5]', async (_what, password) => {
    const email = freshEmail();
    expect((await signup(password, email)).status).toBe(201);
    expect((await login(email, password)).status).toBe(200);
  });

  it('compares the whole value: case, trailing space and every byte count [P6]', async () => {
    for (const length of [72, 128, 1023]) {
      const base = unpredictable(length);
      const email = freshEmail();
      expect((await signup(`${base}x`, email)).status).toBe(201);
      expect((await login(email, `${base}y`)).status).toBe(401);
    }
    const email = await signUp(app);
    for (const wrong of [`${PASSWORD} `, ` ${PASSWORD}`, PASSWORD.toUpperCase()]) {
      expect((await login(email, wrong)).status).toBe(401);
    }
  });

  it('composed and decomposed spellings are one password, compatibility forms are not [P7]', async () => {
    const email = freshEmail();
    expect((await signup('café au lait à six', email)).status).toBe(201);
    expect((await login(email, 'cafe\u0301 au lait a\u0300 six')).status).toBe(200);
    expect((await login(email, 'ｃafé au lait à six')).status).toBe(401);
  });

  it('refuses the 3,000 most common passwords that are long enough, in any case, as whole values [P8]', async () => {
    const common = COMMON_PASSWORDS.split('\n')
      .filter((line) => [...line].length >= 15)
      .slice(0, 3000);
    expect(common).toHaveLength(3000);
    for (const password of common) {
      const reply = await signup(password);
      expect({ password, status: reply.status, code: reply.body['code'] }).toEqual({
        password,
        status: 400,
        code: 'weak_password',
      });
    }
    const [most = ''] = common;
    expect((await signup(most.toUpperCase())).body['reason']).toBe('common');
    expect((await signup(`${most} in a longer sentence`)).status).toBe(201);
  });

  it.each([
    ['the service name', 'traffytraffytraffy'],
    ['the service name with digits and signs', '!!Traffy-2026-Traffy!!'],
    ['the service name in look-alikes', 'tr4ffy_tr4ffy_tr4ffy'],
    ['the address', 'marguerite@example.com'],
    ['the local part, repeated', 'marguerite.marguerite'],
    ['the local part with digits', 'Marguerite123456'],
    ['the local part reversed', 'etireugram12345'],
    ['the host name of the service', 'localhostlocalhost'],
  ])('refuses %s [P9]', async (_what, password) => {
    const reply = await signup(password, 'marguerite@example.com');
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code: 'weak_password', reason: 'context_specific' });
  });

  // cspell:disable
  it.each([
    [
      'short, common, of the address and easy to guess',
      'sunshine',
      ['too_short', 'common', 'context_specific', 'guessable'],
    ],
    ['short and of the service', 'tr4ffy', ['too_short', 'context_specific', 'guessable']],
    ['common and easy to guess', 'qwertyuiopasdfgh', ['common', 'guessable']],
    ['of the address and easy to guess', 'sunshine-sunshine', ['context_specific', 'guessable']],
    ['short only', 'kqzvwmxjtrplbn', ['too_short']],
    ['very short only', 'kqzvwmxj', ['too_short']],
  ])(
    'names every reason against a password that is %s [P1, P8, P9, fault 44]',
    async (_what, password, reasons) => {
      const { status, body } = await signup(password, 'sunshine@example.com');
      const sentences = {
        too_short: 'Use at least 15 characters. A few unrelated words are easy to remember.',
        common: 'This password is too common. Choose a few words of your own.',
        context_specific:
          'This password is made of the service name or your e-mail address. Choose unrelated words.',
        guessable:
          'This password is easy to guess, even with digits or symbols in place of letters. Choose four or more unrelated words.',
      };
      const messages = reasons.map((reason) => sentences[reason as keyof typeof sentences]);
      expect({ status, body }).toMatchObject({
        status: 400,
        body: { code: 'weak_password', reason: reasons[0], detail: messages.join(' ') },
      });
      expect(body['errors']).toEqual(
        reasons.map((reason, index) => ({ path: 'password', message: messages[index], reason })),
      );
    },
  );

  // cspell:enable

  it('accepts a sentence that contains the local part [P9]', async () => {
    expect((await signup('where is my marguerite now', 'marguerite@example.com')).status).toBe(201);
  });

  // cspell:disable
  it.each([
    ['a common password and a row of digits', 'password12345678'],
    ['a capital and a sign at the end', 'Password1234567!'],
    ['a phrase of lists and digits', 'iloveyou12345678'],
    ['a repeated phrase', 'letmeinletmein12'],
    ['a repeated role', 'adminadminadmin1'],
    ['a repeated password in look-alikes', 'passw0rdpassw0rd'],
    ['look-alike symbols', 'P4$$w0rd!P4$$w0rd!'],
    ['a word three times', 'monkeymonkeymonkey'],
    ['a password backwards', 'drowssap12345678'],
    ['one letter', 'aaaaaaaaaaaaaaa'],
    ['one letter beyond ASCII', '\u{1D4B3}'.repeat(15)],
    ['the alphabet', 'abcdefghijklmnop'],
    ['doubled letters', 'ppaasssswwoorrdd'],
    ['letters woven with digits', 'a1b2c3d4e5f6g7h8'],
    ['a walk over a keyboard', 'zaq12wsxcde34rfv'],
    ['a walk over a German keyboard', 'qwertzuiopasdfg'],
    ['a walk over a number pad', '789456123789456123'],
    ['two dates', '31.12.1999-24.05.2001'],
    ['a season and a year', 'Summer2025Summer2025'],
    ['separated letters', 'p.a.s.s.w.o.r.d.1.2.3'],
    ['separated words', 'password-password-1'],
    ['accents', 'pässwörd12345678'],
    ['wide letters', 'ｐａｓｓｗｏｒｄ１２３４５６７８'],
    ['Cyrillic look-alikes', 'pаsswоrd12345678'],
    ['an invisible character', 'p\u200bassword12345678'],
    ['the service and the user, and a little more', 'Tr4ffy-M4rgu3r1t3-x1'],
  ])('refuses %s as guessable [P8, fault 26]', async (_what, password) => {
    const { status, body } = await signup(password, 'marguerite@example.com');
    expect({ status, code: body['code'] }).toEqual({ status: 400, code: 'weak_password' });
    expect(['guessable', 'common', 'context_specific']).toContain(body['reason']);
    expect(body['errors']).toContainEqual({
      path: 'password',
      message: expect.stringMatching(/easy to guess/),
      reason: 'guessable',
    });
  });

  it.each([
    'correct horse battery staple',
    'correcthorsebatterystaple',
    'Tischlampe am Fenster',
    'trois petits canards verts',
    'kqzvwmxjtrplbnd',
    '8417 2960 5512 7338',
    'mxmqrtvlwkzpjbd',
    'marguerite pflückt Blaubeeren',
  ])('does not take %s for guessable [P5, fault 26]', async (password) => {
    expect((await signup(password)).status).toBe(201);
  });

  // cspell:enable

  it('says that a password is guessable, and how to improve it [P8, fault 26]', async () => {
    const { body } = await signup('monkey monkey monkey!');
    expect(body).toMatchObject({ reason: 'guessable', detail: expect.stringMatching(/easy to guess/) });
    expect(body['feedback'].suggestions.length).toBeGreaterThan(0);
  });

  it('stores argon2id in PHC format with at least 19 MiB, 2 passes and its own salt [P11]', async () => {
    const emails = [await signUp(app), await signUp(app)];
    const rows = await app.query(
      sql<{ password_hash: string }>`select password_hash from users where email = any(${emails})`,
    );
    const parts = rows.map(({ password_hash: hash }) => {
      const match = /^\$argon2id\$v=19\$m=(\d+),(?:t=(\d+),p=(\d+)|p=(\d+),t=(\d+))\$([^$]+)\$([^$]+)$/.exec(
        hash,
      );
      expect(match).not.toBeNull();
      return { memory: Number(match?.[1]), passes: Number(match?.[2] ?? match?.[5]), salt: match?.[6] ?? '' };
    });
    for (const { memory, passes, salt } of parts) {
      expect(memory).toBeGreaterThanOrEqual(19_456);
      expect(passes).toBeGreaterThanOrEqual(2);
      expect(Buffer.from(salt, 'base64').length).toBeGreaterThanOrEqual(16);
    }
    expect(new Set(parts.map(({ salt }) => salt)).size).toBe(2);
  });

  it('rehashes a weaker hash at the next good sign-in, and only then [P12]', async () => {
    const email = await signUp(app);
    const weak = await argon2.hash(PASSWORD, {
      type: argon2.argon2id,
      memoryCost: 8192,
      timeCost: 1,
      parallelism: 1,
    });
    await given.passwordHash(app, email, weak);
    const stored = async () =>
      (
        await app.query(
          sql<{ password_hash: string }>`select password_hash from users where email = ${email}`,
        )
      )[0]?.password_hash;
    expect((await login(email, 'not the passphrase')).status).toBe(401);
    expect(await stored()).toBe(weak);
    expect((await login(email, PASSWORD)).status).toBe(200);
    expect(await stored()).toMatch(/m=19456/);
    expect((await login(email, PASSWORD)).status).toBe(200);
  });

  it('a password does not expire by age [P10]', async () => {
    const email = await signUp(app);
    await app.query(
      sql`update users set created_at = now() - interval '400 days', updated_at = now() - interval '400 days' where email = ${email}`,
    );
    expect((await login(email, PASSWORD)).status).toBe(200);
  });
});

describe('burst of sign-ins', () => {
  it('of 200 leaves /health/live quick, and answers 503 quickly beyond the queue [P12, pain 21, fault 5, fault 19]', async () => {
    const node = await startApp({ env: { ARGON2_CONCURRENCY: '1' }, sibling: app, hashing: 'production' });
    const email = await signUp(node);
    const burst = Array.from({ length: 200 }, () =>
      node.client.post('/login', { email, password: 'wrong wrong wrong' }),
    );
    const health = await node.client.get('/health/live');
    expect(health.status).toBe(200);
    const replies = await Promise.all(burst);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401, 503]));
    const busy = replies.filter(({ status }) => status === 503);
    expect(new Set(busy.map(({ body }) => body['code']))).toEqual(new Set(['overloaded']));
    expect(busy.every(({ headers }) => Number(headers['retry-after']) > 0)).toBe(true);
    await node.close();
  });
});

describe('e-mail addresses', () => {
  it.each([
    ['a second spelling in capitals', 'Case.Test@Example.COM', 'case.test@example.com'],
    ['an international domain and its Punycode', 'idn@bücher.example', 'idn@xn--bcher-kva.example'],
    ['an international domain in capitals', 'caps@BÜCHER.Example', 'caps@bücher.example'],
  ])('one account per canonical address: %s [E8]', async (_what, given, same) => {
    expect((await signup(PASSWORD, given)).status).toBe(201);
    const taken = await signup(PASSWORD, same);
    expect(taken.status).toBe(409);
    expect(taken.body['code']).toBe('email_taken');
    const reply = await login(same, PASSWORD);
    expect(reply.status).toBe(200);
    expect(reply.body['email']).toBe(given);
  });

  it.each([
    ['a dotless i', 'm\u0131ke@example.com'],
    ['the Kelvin sign in the local part', 'mi\u212Ae@example.com'],
    ['the Kelvin sign in the domain', 'mike@\u212Aelvin.example'],
    ['a full-width letter in the domain', 'mike@ｅxample.com'],
  ])('%s never resolves to the account of the ASCII spelling [E8, incident 35]', async (_what, spelling) => {
    await signup(PASSWORD, 'mike@example.com');
    await signup(PASSWORD, 'mike@kelvin.example');
    expectInvalid(await signup(PASSWORD, spelling), 'email');
    expectInvalid(await login(spelling, PASSWORD), 'email');
  });

  it.each([
    ['an array', ['a@example.com', 'b@example.com']],
    ['an object', { 0: 'a@example.com' }],
    ['a number', 7],
    ['null', null],
    ['a comma list', 'a@example.com,b@example.com'],
    ['a semicolon list', 'a@example.com;b@example.com'],
    ['CR and LF', 'a@example.com\r\nBcc: b@example.com'],
    ['a display name', 'A <a@example.com>'],
    ['a quoted local part', '"a@evil.example"@example.com'],
    ['a comment', 'a(comment)@example.com'],
    ['surrounding space', ' a@example.com '],
    ['no domain', 'a@'],
    ['no dot in the domain', 'a@localhost'],
    ['an address literal', 'a@[127.0.0.1]'],
    ['an IPv4 domain', 'a@127.0.0.1'],
    ['two at signs', 'a@b@example.com'],
    ['a dot at the end of the local part', 'a.@example.com'],
    ['NUL', 'a\0@example.com'],
    ['an unpaired surrogate', 'a\uD800@example.com'],
    ['the empty text', ''],
    ['255 characters', `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example`],
  ])('refuses %s and names the field [E7, incident 33, incident 36]', async (_what, email) => {
    expectInvalid(await signup(PASSWORD, email), 'email');
    expectInvalid(await app.client.post('/login', { email, password: PASSWORD }), 'email');
  });

  it.each([
    "o'brien+tag@example.com",
    'a.b-c_d@sub.example.co',
    'x@xn--bcher-kva.example',
    '1@example.museum',
  ])('accepts %s', async (email) => expect((await signup(PASSWORD, email)).status).toBe(201));

  it('of 20 concurrent sign-ups for one address in two spellings, exactly one wins [H6]', async () => {
    const email = freshEmail();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => signup(PASSWORD, i % 2 ? email : email.toUpperCase())),
    );
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
  });
});

describe('fields', () => {
  it.each([
    ['a number', 123456789012345],
    ['an array', [PASSWORD]],
    ['an object', { value: PASSWORD }],
    ['a boolean', true],
    ['null', null],
    ['NUL', `yourlong\0passphrase`],
    ['an unpaired surrogate', `yourlongpassphrase\uDC00`],
  ])('a password that is %s is 400 and names the field [H2]', async (_what, password) => {
    expectInvalid(await signup(password), 'password');
    expectInvalid(await app.client.post('/login', { email: freshEmail(), password }), 'password');
  });

  it('names each missing field', async () => {
    const reply = await app.client.post('/signup', {});
    expect(reply.status).toBe(400);
    expect(reply.body['errors'].map(({ path }: { path: string }) => path)).toEqual(['email', 'password']);
  });

  it.each(['id', 'role', 'email_verified', 'emailVerified', 'password_hash', 'created_at', 'userId'])(
    'the unknown field %s is refused and named [H1, incident 12]',
    async (field) => {
      const email = freshEmail();
      const reply = await app.client.post('/signup', { email, password: PASSWORD, [field]: 'admin' });
      expectInvalid(reply, field);
      expect((await login(email, PASSWORD)).status).toBe(401);
    },
  );

  it.each([
    '{"__proto__":{"polluted":true},"email":"a@example.com","password":"yourlongpassphrase"}',
    '{"constructor":{"prototype":{"polluted":true}},"email":"a@example.com"}',
  ])('refuses %s without polluting a prototype [H1, incident 31]', async (body) => {
    expect((await app.client.post('/signup', body)).status).toBe(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('validator and handler see the last value of a duplicate key [fault 17]', async () => {
    const email = freshEmail();
    const reply = await app.client.post(
      '/signup',
      `{"email":"first@example.com","email":"${email}","password":"short","password":"${PASSWORD}"}`,
    );
    expect(reply.status).toBe(201);
    expect((await login(email, PASSWORD)).status).toBe(200);
  });

  it('no reply contains a hash, and only the credential identifies the user [H1]', async () => {
    const { client, email } = await signIn(app);
    const other = await app.client.post('/signup', { email: freshEmail(), password: PASSWORD });
    const account = await client.get(`/users/me?id=${other.body['id']}&userId=${other.body['id']}`);
    expect(account.body['email']).toBe(email);
    expect(account.text).not.toMatch(/argon2|hash/i);
  });

  it('a fresh database has no accounts [L7]', async () => {
    const fresh = await startApp();
    const [row] = await fresh.query(sql<{ users: number }>`select count(*)::int as users from users`);
    expect(row?.users).toBe(0);
    await fresh.close();
  });
});

/** A password of exactly so many ASCII bytes that no list has. */
function unpredictable(bytes: number): string {
  return Array.from({ length: bytes }, (_, i) =>
    String.fromCharCode(97 + ((i * i * 7 + i * 13 + bytes) % 26)),
  ).join('');
}
