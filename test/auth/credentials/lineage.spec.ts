import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../../support/app.js';
import type { Reply } from '../../support/client.js';
import { createTestDatabase, onServer } from '../../support/database.js';
import { type SignedIn, signIn } from '../../support/strategies.js';
import { given } from '../../support/given.js';

const itOnServer = onServer ? it : it.skip;
const ENV = { AUTH_STRATEGY: 'jwt,session' };

const tokenOf = ({ reply }: SignedIn) => String(reply.body['refresh_token']);
const redeem = (node: TestApp, token: string) => node.client.post('/refresh', { refresh_token: token });
const codes = (replies: readonly Reply[]) =>
  new Set(replies.map(({ status, body }) => `${status} ${body['code'] ?? ''}`.trim()));

/** Puts the last redemption of every token of a session behind the grace time. */
const passGrace = (node: TestApp, { sessionId }: SignedIn) =>
  given.redeemedEarlier(node, sessionId, '20 seconds');

const lineage = (node: TestApp, { sessionId }: SignedIn) =>
  node.query(
    sql<{ is_head: boolean }>`select redeemed_at is null and superseded_at is null as is_head
      from refresh_tokens where session_id = ${sessionId}`,
  );

describe('refresh over two nodes', () => {
  let here: TestApp;
  let there: TestApp;
  beforeAll(async () => {
    here = await startApp({ env: ENV });
    there = await startApp({ env: ENV, sibling: here });
  });
  afterAll(async () => {
    await there.close();
    await here.close();
  });

  it('a hundred concurrent redemptions give every client the same successor [F3, F4, incident 17, incident 18, pain 1, fault 9]', async () => {
    const person = await signIn(here);
    const token = tokenOf(person);
    const replies: Reply[] = [];
    // In waves that ten connections carry on a slow machine; each is on both nodes at once.
    for (let wave = 0; wave < 2; wave += 1) {
      const nodes = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? here : there));
      replies.push(...(await Promise.all(nodes.map((node) => redeem(node, token)))));
    }
    expect(codes(replies)).toEqual(new Set(['200']));
    expect(new Set(replies.map(({ body }) => body['refresh_token'])).size).toBe(1);
    const rows = await lineage(here, person);
    expect(rows).toHaveLength(2);
    expect(rows.filter((row) => row.is_head)).toHaveLength(1);
    // No second lineage: what all of them hold goes on as one.
    const next = await Promise.all(
      [here, there].map((node) => redeem(node, String(replies[0]?.body['refresh_token']))),
    );
    expect(new Set(next.map(({ body }) => body['refresh_token'])).size).toBe(1);
  });

  it('of a hundred concurrent redemptions after the grace period, none gets a second lineage [F2, incident 17]', async () => {
    const person = await signIn(here);
    const first = tokenOf(person);
    const second = String((await redeem(here, first)).body['refresh_token']);
    await redeem(there, second);
    await passGrace(here, person);
    const nodes = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? here : there));
    const replies = await Promise.all(nodes.map((node) => redeem(node, first)));
    expect(codes(replies)).toEqual(new Set(['401 refresh_reused', '401 refresh_revoked']));
    expect(replies.filter(({ body }) => body['code'] === 'refresh_reused')).toHaveLength(1);
    expect((await there.client.with(person.headers).get('/me')).body).toEqual({
      logged_in: false,
      action: 'login',
    });
  });

  it('a repeat returns the current token after any number of rotations [F4]', async () => {
    const person = await signIn(here);
    const first = tokenOf(person);
    let head = first;
    for (let rotation = 0; rotation < 60; rotation += 1) {
      head = String((await redeem(here, head)).body['refresh_token']);
    }
    const replies = await Promise.all([redeem(here, first), redeem(there, first)]);
    expect(replies.map(({ body }) => body['refresh_token'])).toEqual([head, head]);
  });

  it('a lost response ends no session, and the log names the cause [pain 2, fault 10]', async () => {
    const person = await signIn(here);
    await redeem(here, tokenOf(person));
    await redeem(there, tokenOf(person));
    await passGrace(here, person);
    const replaced = await redeem(there, tokenOf(person));
    expect(replaced.status).toBe(200);
    const causes = [...here.logs, ...there.logs]
      .filter(({ event, session }) => event === 'refresh_repeated' && session === person.sessionId)
      .map(({ cause }) => cause);
    expect(causes).toEqual(['concurrent', 'not_saved']);
  });

  it('reuse ends the session in both strategies, and the log names the cause [F2, pain 2]', async () => {
    const person = await signIn(here);
    const lost = String((await redeem(here, tokenOf(person))).body['refresh_token']);
    await passGrace(here, person);
    const replacement = await redeem(here, tokenOf(person));
    expect(replacement.status).toBe(200);
    expect((await redeem(there, lost)).body).toMatchObject({ code: 'refresh_reused', action: 'login' });
    expect((await redeem(here, String(replacement.body['refresh_token']))).body['code']).toBe(
      'refresh_revoked',
    );
    for (const node of [here, there]) {
      expect((await node.client.with(person.headers).get('/users/me')).body['code']).toBe(
        'credential_revoked',
      );
    }
    const [row] = await here.query(
      sql<{ revoked_reason: string }>`select revoked_reason from sessions where id = ${person.sessionId}`,
    );
    expect(row?.revoked_reason).toBe('refresh_reused');
    expect(
      there.logs.find(({ event, session }) => event === 'refresh_refused' && session === person.sessionId),
    ).toMatchObject({ reason: 'reused', cause: 'superseded' });
  });

  itOnServer(
    'a node that has not learned of a revocation issues nothing for the session [pain 4]',
    async () => {
      const person = await signIn(here);
      const old = there.client.with(person.headers);
      expect((await old.get('/me')).body['logged_in']).toBe(true);
      await here.query(sql`alter table revocations disable trigger revocations_are_told`);
      try {
        await person.client.post('/logout');
        // Verification may be remembered for two seconds; issuing never is.
        const [refreshed, exchanged] = [
          await redeem(there, tokenOf(person)),
          await old.post('/session/exchange'),
        ];
        expect(refreshed.body['code']).toBe('refresh_revoked');
        expect(exchanged.body['access_token']).toBeUndefined();
      } finally {
        await here.query(sql`alter table revocations enable trigger revocations_are_told`);
      }
    },
  );
});

describe('refresh over a restart', () => {
  it('redeemed, replaced and revoked tokens stay so [F6, incident 19]', async () => {
    const database = await createTestDatabase();
    const before = await startApp({ env: ENV, database });
    const [repeats, reuses, revoked] = [await signIn(before), await signIn(before), await signIn(before)];
    const successor = (await redeem(before, tokenOf(repeats))).body['refresh_token'];
    await redeem(before, String((await redeem(before, tokenOf(reuses))).body['refresh_token']));
    await passGrace(before, reuses);
    await revoked.client.post('/logout');
    await before.close();

    const after = await startApp({ env: ENV, database });
    expect((await redeem(after, tokenOf(repeats))).body['refresh_token']).toBe(successor);
    expect((await redeem(after, tokenOf(reuses))).body['code']).toBe('refresh_reused');
    expect((await redeem(after, tokenOf(revoked))).body['code']).toBe('refresh_revoked');
    expect((await after.client.with(revoked.headers).get('/me')).body['logged_in']).toBe(false);
    expect((await after.client.with(repeats.headers).get('/me')).body['logged_in']).toBe(true);
    await after.close();
    await database.drop();
  });
});
