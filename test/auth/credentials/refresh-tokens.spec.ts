import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { createToken, hashToken } from '../../../src/auth/credentials/opaque-token.js';
import { startApp, type TestApp } from '../../support/app.js';
import { cookieValue } from '../../support/client.js';
import { decodeToken } from '../../support/jwt.js';
import { accessTokenOf, PASSWORD, signIn, signUp } from '../../support/strategies.js';
import { errorsIn, refreshTokenOf, verdictOf } from '../../support/access-tokens.js';
import { given } from '../../support/given.js';

/** As if the grace time of every rotation of a session had passed. */
async function passGrace(app: TestApp, sessionId: string): Promise<void> {
  await given.redeemedEarlier(app, sessionId, '1 minute');
}

describe.each(['jwt', 'jwt,session'])('refresh token with AUTH_STRATEGY=%s', (strategy) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  const redeem = (token: string) => app.client.post('/refresh', { refresh_token: token });
  const useAccess = (token: unknown) =>
    app.client.get('/users/me', { authorization: `Bearer ${String(token)}` });
  const heads = (sessionId: string) =>
    app.query(sql`select 1 from refresh_tokens
      where session_id = ${sessionId} and redeemed_at is null and superseded_at is null`);

  async function expectDead(tokens: { access: unknown; refresh: string }): Promise<void> {
    expect(verdictOf(await useAccess(tokens.access))).toBe('401 credential_revoked');
    expect(verdictOf(await redeem(tokens.refresh))).toBe('401 refresh_revoked');
  }

  it('is replaced at each use, with a new access token of the same session [F1]', async () => {
    const person = await signIn(app);
    const seen = new Set([refreshTokenOf(person)]);
    const jtis = new Set([decodeToken(accessTokenOf(person)).claims['jti']]);
    let token = refreshTokenOf(person);
    for (let step = 1; step <= 5; step += 1) {
      const reply = await redeem(token);
      expect(reply.status).toBe(200);
      expect(reply.body).toEqual({
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 600,
        refresh_token: expect.stringMatching(/^trf_rt_[A-Za-z0-9_-]{43}$/),
      });
      token = reply.body['refresh_token'];
      const { claims } = decodeToken(reply.body['access_token']);
      expect(claims).toMatchObject({ sid: person.sessionId, aud: 'http://localhost:8000', amr: ['pwd'] });
      expect(claims['auth_time']).toBe(decodeToken(accessTokenOf(person)).claims['auth_time']);
      seen.add(token);
      jtis.add(claims['jti']);
      expect((await useAccess(reply.body['access_token'])).status).toBe(200);
    }
    expect([seen.size, jtis.size]).toEqual([6, 6]);
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('is not stored, nor anything that reveals it [S1]', async () => {
    const person = await signIn(app);
    const token = refreshTokenOf(person);
    await redeem(token);
    const rows = await app.query(
      sql<{
        token_hash: Uint8Array;
      }>`select token_hash from refresh_tokens where session_id = ${person.sessionId}
        order by issued_at, parent_hash nulls first`,
    );
    expect(rows).toHaveLength(2);
    expect(Buffer.from(rows[0]?.token_hash ?? []).equals(hashToken(token))).toBe(true);
    const secret = Buffer.from(token.slice(7), 'base64url');
    expect(secret).toHaveLength(32);
    for (const { token_hash: hash } of rows) expect(Buffer.from(hash).equals(secret)).toBe(false);
  });

  it('returns the same successor within the grace period [F4]', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const successors = [];
    for (let repeat = 0; repeat < 3; repeat += 1)
      successors.push((await redeem(first)).body['refresh_token']);
    expect(new Set(successors).size).toBe(1);
    expect(successors[0]).not.toBe(first);
    expect((await redeem(String(successors[0]))).status).toBe(200);
  });

  it('returns the current token for every ancestor within the grace period [F4]', async () => {
    const person = await signIn(app);
    const lineage = [refreshTokenOf(person)];
    for (let step = 0; step < 3; step += 1)
      lineage.push((await redeem(String(lineage.at(-1)))).body['refresh_token']);
    const head = lineage.pop();
    for (const ancestor of lineage) expect((await redeem(ancestor)).body['refresh_token']).toBe(head);
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('reused after the grace period ends the session with all its tokens [F2]', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const second = (await redeem(first)).body['refresh_token'];
    const third = (await redeem(second)).body;
    await passGrace(app, person.sessionId);
    expect((await useAccess(third['access_token'])).status).toBe(200);
    const reply = await redeem(first);
    expect(verdictOf(reply)).toBe('401 refresh_reused');
    expect(reply.body).toMatchObject({ action: 'login' });
    await expectDead({ access: third['access_token'], refresh: third['refresh_token'] });
    await expectDead({ access: accessTokenOf(person), refresh: second });
    const [row] = await app.query(
      sql<{ revoked_reason: string }>`select revoked_reason from sessions where id = ${person.sessionId}`,
    );
    expect(row?.revoked_reason).toBe('refresh_reused');
  });

  it('reused ends one session, not the others of the account [F2]', async () => {
    const [stolen, other] = [await signIn(app), await signIn(app)];
    const sibling = await signIn(app, stolen.email);
    const head = (await redeem((await redeem(refreshTokenOf(stolen))).body['refresh_token'])).body[
      'refresh_token'
    ];
    expect(head).toEqual(expect.any(String));
    await passGrace(app, stolen.sessionId);
    expect(verdictOf(await redeem(refreshTokenOf(stolen)))).toBe('401 refresh_reused');
    for (const { client } of [other, sibling]) expect((await client.get('/users/me')).status).toBe(200);
    expect((await redeem(refreshTokenOf(sibling))).status).toBe(200);
  });

  it('redeemed thirty times concurrently has one successor [F3]', async () => {
    const person = await signIn(app);
    const token = refreshTokenOf(person);
    const replies = await Promise.all(Array.from({ length: 30 }, () => redeem(token)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ body }) => body['refresh_token'])).size).toBe(1);
    const rows = await app.query(sql`select 1 from refresh_tokens where session_id = ${person.sessionId}`);
    expect(rows).toHaveLength(2);
    expect(await heads(person.sessionId)).toHaveLength(1);
    const accesses = replies.map(({ body }) => useAccess(body['access_token']));
    for (const reply of await Promise.all(accesses)) expect(reply.status).toBe(200);
  });

  it('leaves one head for any concurrent order of redemptions [F3]', async () => {
    const person = await signIn(app);
    const lineage = [refreshTokenOf(person)];
    for (let step = 0; step < 4; step += 1)
      lineage.push((await redeem(String(lineage.at(-1)))).body['refresh_token']);
    const replies = await Promise.all([...lineage, ...lineage.toReversed()].map(redeem));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(await heads(person.sessionId)).toHaveLength(1);
  });

  it('gets a replacement after the grace period if its successor was never used [F4]', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const lost = (await redeem(first)).body['refresh_token'];
    await passGrace(app, person.sessionId);
    const reply = await redeem(first);
    expect(reply.status).toBe(200);
    const replacement = reply.body['refresh_token'];
    expect(replacement).not.toBe(lost);
    expect(await heads(person.sessionId)).toHaveLength(1);
    // A lost answer can be lost again, soon or late.
    expect((await redeem(first)).body['refresh_token']).toBe(replacement);
    await passGrace(app, person.sessionId);
    const second = (await redeem(first)).body['refresh_token'];
    expect([lost, replacement, first]).not.toContain(second);
    const successor = await redeem(second);
    expect(successor.status).toBe(200);
    expect((await useAccess(successor.body['access_token'])).status).toBe(200);
  });

  it('that was replaced is reuse immediately [F2, F4]', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    const lost = (await redeem(first)).body['refresh_token'];
    await passGrace(app, person.sessionId);
    const replacement = (await redeem(first)).body;
    expect(verdictOf(await redeem(lost))).toBe('401 refresh_reused');
    await expectDead({ access: replacement['access_token'], refresh: replacement['refresh_token'] });
  });

  it('is reuse once its replacement was used [F2, F4]', async () => {
    const person = await signIn(app);
    const first = refreshTokenOf(person);
    await redeem(first);
    await passGrace(app, person.sessionId);
    const head = (await redeem((await redeem(first)).body['refresh_token'])).body;
    await passGrace(app, person.sessionId);
    expect(verdictOf(await redeem(first))).toBe('401 refresh_reused');
    await expectDead({ access: head['access_token'], refresh: head['refresh_token'] });
  });

  it('in a cookie is refreshed in cookies, never in a body', async () => {
    const email = await signUp(app);
    const login = await app.client.post('/login', { email, password: PASSWORD, transport: 'cookie' });
    expect(Object.keys(login.body).toSorted()).toEqual(['email', 'session', 'success']);
    const first = cookieValue(login, 'refresh_token');
    const reply = await app.client.post('/refresh', undefined, { cookie: `refresh_token=${first}` });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({});
    const [access, refresh] = [cookieValue(reply, 'access_token'), cookieValue(reply, 'refresh_token')];
    expect(refresh).toMatch(/^trf_rt_/);
    expect(refresh).not.toBe(first);
    for (const cookie of reply.setCookies) {
      expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
      expect(Number(/Max-Age=(\d+)/.exec(cookie)?.[1])).toBeGreaterThan(29 * 86_400);
      expect(cookie).not.toMatch(/Domain/i);
    }
    expect((await app.client.get('/users/me', { cookie: `access_token=${access}` })).status).toBe(200);
    // An access token opens wherever it was issued to.
    expect((await useAccess(access)).status).toBe(200);
  });

  it('is revoked by sign-out [F7]', async () => {
    const person = await signIn(app);
    expect((await person.client.post('/logout')).status).toBe(200);
    await expectDead({ access: accessTokenOf(person), refresh: refreshTokenOf(person) });
  });

  it('signs its session out by itself [F7]', async () => {
    const person = await signIn(app);
    await app.client.post('/logout', { refresh_token: refreshTokenOf(person) });
    await expectDead({ access: accessTokenOf(person), refresh: refreshTokenOf(person) });
  });

  it.each([
    ['absolute', sql`created_at = now() - interval '31 days', expires_at = now() - interval '1 second'`],
    ['idle', sql`last_used_at = now() - interval '15 days'`],
  ])('is refused as expired past the %s limit of the session [F5]', async (_limit, change) => {
    const person = await signIn(app);
    await app.query(sql`update sessions set ${change} where id = ${person.sessionId}`);
    const reply = await redeem(refreshTokenOf(person));
    expect(verdictOf(reply)).toBe('401 refresh_expired');
    expect(reply.body).toMatchObject({ action: 'login' });
    expect(verdictOf(await person.client.get('/users/me'))).toBe('401 credential_expired');
  });

  it('prevents idle expiry when used, and cannot extend the absolute expiry [F5]', async () => {
    const person = await signIn(app);
    await app.query(
      sql`update sessions set created_at = now() - interval '29 days', expires_at = now() + interval '90 seconds',
            last_used_at = now() - interval '13 days' where id = ${person.sessionId}`,
    );
    const reply = await redeem(refreshTokenOf(person));
    expect(reply.status).toBe(200);
    // An access token never outlives its session.
    expect(reply.body['expires_in']).toBeLessThanOrEqual(90);
    expect(reply.body['expires_in']).toBeGreaterThan(60);
    const [row] = await app.query(
      sql<{ idle: string; left: string }>`select extract(epoch from now() - last_used_at) as idle,
        extract(epoch from expires_at - now()) as left from sessions where id = ${person.sessionId}`,
    );
    expect(Number(row?.idle)).toBeLessThan(30);
    expect(Number(row?.left)).toBeLessThanOrEqual(90);
  });

  it('that is unknown or malformed is refused as invalid', async () => {
    const values = ['', 'nonsense', 'trf_rt_', `trf_rt_${'A'.repeat(43)}`, `trf_rt_${'A'.repeat(42)}`];
    const stray = [
      `${createToken('trf_rt_')}=`,
      `${createToken('trf_rt_')} `,
      "trf_rt_' or true --",
      '\u0000',
    ];
    for (const value of [...values, ...stray])
      expect(verdictOf(await redeem(value))).toBe('401 refresh_invalid');
    expect(verdictOf(await app.client.post('/refresh'))).toBe('401 refresh_invalid');
    expect(verdictOf(await app.client.post('/refresh', {}))).toBe('401 refresh_invalid');
    for (const value of [null, ''])
      expect(verdictOf(await app.client.post('/refresh', { refresh_token: value }))).toBe(
        '401 refresh_invalid',
      );
    for (const value of [7, true, [], {}, 'x'.repeat(8193)]) {
      expect(verdictOf(await app.client.post('/refresh', { refresh_token: value }))).toBe(
        '400 validation_failed',
      );
    }
    expect(errorsIn(app)).toEqual([]);
  });
});
