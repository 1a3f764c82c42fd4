import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { PasswordHasher } from '../../src/users/passwords/password-hasher.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { mailsTo, mailTo, mailsQueued } from '../support/mailbox.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../support/strategies.js';
import { login, verify } from '../support/addresses.js';

const MINE = 'an owner chooses this one';
const VERIFIED = { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' };

/** Proves the address of an account by the newest link that went there. */
async function prove(app: TestApp, email: string): Promise<void> {
  const { token } = await mailTo(app, email, 'verify_email');
  expect((await verify(app, token)).status).toBe(204);
}

describe('AUTH_REQUIRE_VERIFIED_EMAIL=true', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: VERIFIED });
  });
  afterAll(() => app.close());

  it('a right password of an unverified account is answered like a wrong one, and sends another link [L5, E9]', async () => {
    const email = await signUp(app);
    const replies = [await login(app, email), await login(app, email, MINE), await login(app, freshEmail())];
    const seen = replies.map(({ status, body: { request_id: _id, ...body }, setCookies }) => ({
      status,
      body,
      setCookies,
    }));
    expect(seen).toEqual([seen[0], seen[0], seen[0]]);
    expect(seen[0]).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    await expectMails(app, email, 2);
    expect(app.logs).toContainEqual(expect.objectContaining({ event: 'login_failed', reason: 'unverified' }));
    await prove(app, email);
    expect((await login(app, email)).status).toBe(200);
  });

  it('at most five such mails are sent per hour [E11]', async () => {
    const email = await signUp(app);
    for (let i = 0; i < 7; i += 1) {
      await login(app, email);
      await mailsQueued(app);
    }
    expect(await mailsTo(app, email, 'verify_email')).toHaveLength(5);
  });

  // How long that takes is what `npm run bench:timing` looks at.
  it('free, taken and unverified addresses get the same body, headers and work [L6]', async () => {
    const taken = await signUp(app);
    await prove(app, taken);
    const unproved = await signUp(app);
    const shapes: unknown[] = [];
    const ids = new Set();
    const hash = jest.spyOn(app.running.app.get(PasswordHasher, { strict: false }), 'hash');
    // So often that the owner of the taken address is no longer told (E11).
    const rounds = Array.from({ length: 6 }, () => [freshEmail(), taken, unproved]).flat();
    for (const email of rounds) {
      await mailsQueued(app);
      const { status, body, headers, setCookies } = await app.client.post('/signup', {
        email,
        password: MINE,
      });
      ids.add(body['id']);
      const { id: _id, ...fixed } = body;
      const hashes = hash.mock.calls.splice(0).length;
      shapes.push({ status, fixed, keys: Object.keys(headers).toSorted(), setCookies, hashes });
      expect(body['id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    }
    hash.mockRestore();
    for (const shape of shapes) expect(shape).toEqual(shapes[0]);
    expect(shapes[0]).toHaveProperty('status', 201);
    expect(ids.size).toBe(shapes.length);
    expect(await mailsTo(app, taken, 'signup_attempt')).toHaveLength(5);
    expect((await login(app, taken)).status).toBe(200);
    expect((await login(app, taken, MINE)).status).toBe(401);
  });

  it('the owner of the opened link gets their own password, and planted sign-in methods are removed [E9, incident 15]', async () => {
    const victim = await signUp(app, undefined, 'planted by the attacker');
    const [planted] = await mailsTo(app, victim, 'verify_email');
    await signUp(app, victim, MINE);
    const { token } = await mailTo(app, victim, 'verify_email');
    expect(token).not.toBe(planted?.token);
    // As if the attacker had got in while it was not required.
    await app.query(sql`update users set name = 'planted' where email = ${victim}`);
    await app.query(
      sql`insert into recovery_codes (code_hash, user_id) select sha256(random()::text::bytea), id from users where email = ${victim}`,
    );
    expect((await login(app, victim, MINE)).status).toBe(401);
    expect((await verify(app, token)).status).toBe(204);
    expect((await login(app, victim, 'planted by the attacker')).status).toBe(401);
    const { client } = await signIn(app, victim, MINE);
    expect((await client.get('/users/me')).body).toMatchObject({ name: null, email_verified: true });
    expect(await app.query(sql`select 1 from recovery_codes`)).toEqual([]);
    expect((await verify(app, planted?.token)).body['code']).toBe('token_invalid');
  });

  it('a link with a password has no effect after the address was verified otherwise [E9]', async () => {
    const email = await signUp(app);
    await signUp(app, email, 'somebody else chose this');
    const [brings, own] = await mailsTo(app, email, 'verify_email');
    expect((await verify(app, own?.token)).status).toBe(204);
    expect((await verify(app, brings?.token)).body['code']).toBe('token_invalid');
    expect((await login(app, email)).status).toBe(200);
  });

  it('many concurrent sign-ups for one address create one account, and each gets 201 [H6, incident 16]', async () => {
    const email = freshEmail();
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        app.client.post('/signup', { email: i % 2 ? email : email.toUpperCase(), password: PASSWORD }),
      ),
    );
    expect(replies.every(({ status }) => status === 201)).toBe(true);
    const accounts = await app.query(sql`select 1 from users where email_canonical = ${email.toLowerCase()}`);
    expect(accounts).toHaveLength(1);
  });
});

/** Waits until so many proofs went to an address: a sign-in does not wait for the one that it causes. */
async function expectMails(app: TestApp, email: string, count: number): Promise<void> {
  const until = Date.now() + 5_000;
  const look = async () => (await mailsTo(app, email, 'verify_email')).length;
  while ((await look()) < count && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await look()).toBe(count);
}
