import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { openShared, type Sharing, startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { allMails, mailsTo, mailTo, mailsQueued } from '../support/mailbox.js';
import { freshEmail, PASSWORD, signUp } from '../support/strategies.js';
import { login, type Account, verify } from '../support/addresses.js';
import { given } from '../support/given.js';

const MINE = 'an owner chooses this one';

const FACTORS: { name: string; values: [string, string, ...string[]] }[] = [
  { name: 'AUTH_STRATEGY', values: ['session', 'session,jwt', 'jwt,session', 'jwt'] },
  { name: 'AUTH_REQUIRE_VERIFIED_EMAIL', values: ['false', 'true'] },
  { name: 'PUBLIC_URL', values: ['http://localhost:8000', 'https://auth.example.com'] },
  { name: 'DOCS', values: ['on', 'off'] },
  { name: 'STEP_UP_TTL', values: ['1m', '1h'] },
  { name: 'SESSIONS_PER_USER', values: ['1', '20'] },
  { name: 'RATE_LIMIT_LOGIN', values: ['off', '1000/1m'] },
];

/**
 * Each strategy twice, with opposite values of all else; which they are, the bits of the setting's number say. No two of these
 * columns are equal or opposite, so each pair of values occurs.
 */
const COMBINATIONS: Record<string, string>[] = [0, 1, 2, 3].flatMap((bit) =>
  [0, 1].map((flip) =>
    Object.fromEntries(
      FACTORS.map(({ name, values }, index) => [
        name,
        index === 0 ? (values[bit] ?? '') : (values[((index >> bit) & 1) ^ flip] ?? ''),
      ]),
    ),
  ),
);

describe.each(['false', 'true'])('random walk with AUTH_REQUIRE_VERIFIED_EMAIL=%s', (required) => {
  it('no path sets a password or an address without consuming a token mailed for it [incident 20]', async () => {
    const app = await startApp({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: required } });
    const walk = new Walk(app, seeded(20));
    await walk.begin();
    let changes = 0;
    for (let step = 0; step < 45; step += 1) {
      const before = await walk.accounts();
      const { did, token } = await walk.step(step);
      for (const [id, now] of await walk.accounts()) {
        const old = before.get(id);
        if (old === undefined || (old.password_hash === now.password_hash && old.email === now.email))
          continue;
        changes += 1;
        const mail = (await allMails(app)).find((candidate) => candidate.token === token);
        const isMoved = old.email !== now.email;
        expect({ step, did, to: mail?.recipient, isMoved }).toEqual({ step, did, to: now.email, isMoved });
        expect(isMoved ? ['change_email'] : ['reset_password', 'verify_email']).toContain(mail?.kind);
        // One of both, and once.
        expect(isMoved && now.password_hash !== old.password_hash).toBe(false);
        expect((await verify(app, token)).status).toBe(400);
        expect((await redeem(app, token, `${MINE} never`)).status).toBe(400);
      }
    }
    expect(changes).toBeGreaterThanOrEqual(3);
    await app.close();
  });
});

describe('combinations of settings', () => {
  let shared: Awaited<ReturnType<typeof openShared>>;
  beforeAll(async () => {
    shared = await openShared();
  });
  afterAll(() => shared.close());

  it('contain each pair of values [incident 27]', () => {
    for (const [i, one] of FACTORS.entries())
      for (const other of FACTORS.slice(i + 1))
        for (const a of one.values)
          for (const b of other.values)
            expect(COMBINATIONS.some((row) => row[one.name] === a && row[other.name] === b)).toBe(true);
  });

  it.each(COMBINATIONS.map((env) => ({ env, name: JSON.stringify(env) })))(
    'keep confirmation, step-up, ended sessions and cancelled requests with $name [incident 27]',
    async ({ env }) => expect(holds(shared, env)).resolves.toBeUndefined(),
  );
});

async function holds(shared: Sharing, env: Readonly<Record<string, string>>): Promise<void> {
  const app = await startApp({ env, sibling: shared, force: true });
  const email = await signUp(app);
  const isRequired = env['AUTH_REQUIRE_VERIFIED_EMAIL'] === 'true';
  expect((await login(app, email)).status).toBe(isRequired ? 401 : 200);
  const again = await app.client.post('/signup', { email, password: MINE });
  expect(again.status).toBe(isRequired ? 201 : 409);
  const [proof] = (await mailsTo(app, email, 'verify_email')).toReversed();
  expect(proof?.link).toMatch(new RegExp(`^${env['PUBLIC_URL']}/verify-email#`));
  expect((await verify(app, proof?.token)).status).toBe(204);
  const reply = await login(app, email);
  expect(reply.status).toBe(200);
  const headers = credentialOf(reply);
  const wanted = `new.${email}`;
  expect((await app.client.post('/email', { email: wanted }, headers)).status).toBe(202);
  expect((await app.client.get('/users/me', headers)).body['email']).toBe(email);
  expect(await mailsTo(app, email, 'email_change_requested')).toHaveLength(1);
  const change = await mailTo(app, wanted, 'change_email');
  expect((await redeem(app, change.token, MINE)).status).toBe(400);
  expect((await verify(app, change.token)).status).toBe(204);
  expect(await mailsTo(app, email, 'email_changed')).toHaveLength(1);
  await app.client.post('/password/forgot', { email: wanted });
  const { token } = await mailTo(app, wanted, 'reset_password');
  const done = await redeem(app, token, MINE);
  expect({ status: done.status, text: done.text, cookies: done.setCookies }).toEqual({
    status: 204,
    text: '',
    cookies: [],
  });
  expect((await app.client.get('/users/me', headers)).status).toBe(401);
  expect((await login(app, wanted)).status).toBe(401);
  await app.close();
}

const TRIES = 'forgot forgot reset reset verify verify signup change resend expire'.split(' ');

/** Somebody who tries whatever there is, with every token that was ever mailed and some that were not. */
class Walk {
  private readonly addresses = [freshEmail(), freshEmail()];
  private readonly passwords = new Map<string, string>();

  constructor(
    private readonly app: TestApp,
    private readonly random: () => number,
  ) {}

  async begin(): Promise<void> {
    for (const email of this.addresses) {
      await signUp(this.app, email, `${PASSWORD} ${email}`);
      this.passwords.set(email, `${PASSWORD} ${email}`);
    }
  }

  async accounts(): Promise<Map<string, Account>> {
    await mailsQueued(this.app);
    // An hour goes by, so that the walk does not end with the first five mails.
    await this.app.query(sql`update outbox_mails set created_at = created_at - interval '1 hour'`);
    const rows = await this.app.query(
      sql<Account>`select id, email, email_verified_at is not null as is_verified, password_hash from users`,
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** @returns what was tried, and the token that it was tried with. */
  async step(count: number): Promise<{ did: string; token: string }> {
    const { client } = this.app;
    const email = this.pick(this.addresses);
    const password = `${MINE} ${count}`;
    const did = this.pick(TRIES);
    const token = await this.someToken(did);
    if (did === 'forgot') await client.post('/password/forgot', { email });
    if (did === 'reset') await this.reset(token, password);
    if (did === 'verify') await this.verify(token);
    if (did === 'signup') await client.post('/signup', { email, password });
    if (did === 'change') await this.change(email);
    if (did === 'resend') await client.post('/email/verify/resend', undefined, await this.credentials(email));
    if (did === 'expire' && this.random() < 0.2) await given.expiredMailTokens(this.app);
    return { did, token };
  }

  private async reset(token: string, password: string): Promise<void> {
    const mail = (await allMails(this.app)).find((candidate) => candidate.token === token);
    if ((await redeem(this.app, token, password)).status === 204 && mail)
      this.passwords.set(mail.recipient, password);
  }

  private async verify(token: string): Promise<void> {
    await verify(this.app, token);
  }

  private async change(email: string): Promise<void> {
    const wanted = this.random() < 0.3 ? this.pick(this.addresses) : freshEmail();
    const password = this.passwords.get(email);
    const { status } = await this.app.client.post('/email', { email: wanted }, await this.credentials(email));
    if (status !== 202) return;
    this.addresses.push(wanted);
    if (password !== undefined && !this.passwords.has(wanted)) this.passwords.set(wanted, password);
  }

  /** Whatever a sign-in gives. */
  private async credentials(email: string): Promise<Record<string, string>> {
    const reply = await login(this.app, email, this.passwords.get(email) ?? PASSWORD);
    return reply.status === 200 ? credentialOf(reply) : {};
  }

  private async someToken(did: string): Promise<string> {
    const mails = (await allMails(this.app)).filter(({ token }) => token !== '');
    // Mostly one that may fit: else nothing happens for long.
    const fitting = mails.filter(({ kind }) => (kind === 'reset_password') === (did === 'reset'));
    const tokens = (this.random() < 0.7 ? fitting : mails).map(({ token }) => token);
    // Newer ones rather than older ones: most of those are worth nothing.
    const token = tokens[Math.floor(this.random() ** 6 * tokens.length)] ?? '';
    return this.random() < 0.1 ? `${token.slice(0, -2)}AA` : token;
  }

  private pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.random() * values.length)] as T;
  }
}

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function redeem(app: TestApp, token: string, password: string): Promise<Reply> {
  return app.client.post('/password/reset', { token, new_password: password });
}

/** The headers that carry the credential of a sign-in, whatever its cookies are called. */
function credentialOf(reply: Reply): Record<string, string> {
  const cookies = reply.setCookies
    .filter((line) => !line.includes('Max-Age=0'))
    .map((line) => line.split(';')[0]);
  const token = reply.body['access_token'] as string | undefined;
  return token === undefined ? { cookie: cookies.join('; ') } : { authorization: `Bearer ${token}` };
}
