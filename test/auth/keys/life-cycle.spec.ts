import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { KeyAdministration } from '../../../src/auth/keys/key-administration.service.js';
import { KeyInventory } from '../../../src/auth/keys/key-inventory.service.js';
import { draftKey, SecretsDoNotFit } from '../../../src/auth/keys/key-pair.js';
import { SigningKeys } from '../../../src/auth/keys/signing-keys.service.js';
import { TEST_SECRET, type TestApp } from '../../support/app.js';
import { createTestDatabase } from '../../support/database.js';
import { decodeToken } from '../../support/jwt.js';
import { until } from '../../support/process.js';
import { signIn } from '../../support/strategies.js';
import {
  DAY,
  age,
  app,
  bootThreeNodes,
  closeStarted,
  kidOf,
  makeDue,
  nodes,
  other,
  publishedKids,
  round,
  start,
  started,
  statusAt,
  stored,
  tokenOf,
  type StoredKey,
} from '../../support/signing-keys.js';

closeStarted();
bootThreeNodes();

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';
const FOREIGN_SECRET = 'pW3kN8vR5xT1qY7mB9zC2fH6jL4dS0gAuEiOaXwQcVbM';

async function statesOf(app: TestApp): Promise<string[]> {
  return (await stored(app)).map(({ state }) => state);
}

/** The one key in a state. */
async function theKey(app: TestApp, state: string, algorithm = 'ES256'): Promise<StoredKey> {
  const found = (await stored(app)).filter((key) => key.state === state && key.algorithm === algorithm);
  if (found.length !== 1 || !found[0]) throw new Error(`there are ${found.length} ${state} keys`);
  return found[0];
}

/** Lets the last tokens of the keys in a state have died so many seconds ago. */
async function tokensDied(app: TestApp, state: string, seconds: number): Promise<void> {
  await app.query(
    sql`update signing_keys set tokens_expire_at = now() - make_interval(secs => ${seconds}) where state = ${state}`,
  );
}

function administrationOf(app: TestApp): KeyAdministration {
  return new KeyAdministration(app.running.database.database, app.config.auth);
}

function inventoryOf(app: TestApp): KeyInventory {
  return new KeyInventory(app.running.database.database, app.config.auth);
}

describe('key life cycle', () => {
  it('the first key signs immediately; the next one is published and does not sign [J16]', async () => {
    const { kid: current } = await theKey(app, 'current');
    expect(await publishedKids(app)).toEqual([current]);
    const [change] = await round(app);
    expect(change).toEqual({ change: 'published', kid: (await theKey(app, 'next')).kid });
    expect(await statesOf(app)).toEqual(['current', 'next']);
    expect(await publishedKids(app)).toEqual([change?.kid, current]);
    expect(kidOf(tokenOf(await signIn(app)))).toBe(current);
    expect(await round(app)).toEqual([]);
  });

  it('the next key is not promoted before every cache must have it [J16, pain 11]', async () => {
    await round(app);
    await age(app, 'current', 31 * DAY);
    const [current, next] = [await theKey(app, 'current'), await theKey(app, 'next')];
    for (const seconds of [0, 590]) {
      // Published for less than 10 min and 5 s.
      await age(app, 'next', seconds);
      expect(await round(app)).toEqual([]);
      expect((await administrationOf(app).rotate()).status).toBe('too_early');
      expect((await theKey(app, 'current')).kid).toBe(current.kid);
    }
    await age(app, 'next', 16);
    const changes = await round(app);
    expect(changes.map(({ change }) => change)).toEqual(['demoted', 'promoted', 'published']);
    expect((await theKey(app, 'current')).kid).toBe(next.kid);
    expect((await theKey(app, 'previous')).kid).toBe(current.kid);
    expect(await publishedKids(app)).toHaveLength(3);
  });

  it('the current key stays until it is due, however long the next one has been published [J16]', async () => {
    await round(app);
    await age(app, 'current', 29 * DAY);
    await age(app, 'next', 29 * DAY);
    expect(await round(app)).toEqual([]);
  });

  it('the previous key is published until its last token has expired, then its private key is wiped [J16]', async () => {
    await makeDue(app);
    const old = tokenOf(await signIn(app));
    const unseen = tokenOf(await signIn(app));
    await round(app);
    const fresh = tokenOf(await signIn(app));
    expect(kidOf(fresh)).not.toBe(kidOf(old));
    expect([await statusAt(app, old), await statusAt(app, fresh)]).toEqual([200, 200]);
    expect(await publishedKids(app)).toContain(kidOf(old));

    const previous = await theKey(app, 'previous');
    expect(previous.kid).toBe(kidOf(old));
    expect(previous.sealed).toBeGreaterThan(100);
    const left = Number(decodeToken(old).claims['exp']) - Date.now() / 1000;
    expect(previous.seconds).toBeGreaterThan(left + 60);
    expect(await round(app)).toEqual([]);

    await tokensDied(app, 'previous', 1);
    expect(await round(app)).toEqual([{ change: 'retired', kid: previous.kid }]);
    expect(await theKey(app, 'retired')).toMatchObject({ kid: previous.kid, sealed: 0 });
    expect(await publishedKids(app)).not.toContain(previous.kid);
    expect(await statusAt(app, unseen)).toBe(401);
    expect(await statusAt(app, fresh)).toBe(200);
  });

  it('tokens keep their life when ACCESS_TOKEN_TTL is shortened [J16]', async () => {
    const database = await createTestDatabase();
    started.push(() => database.drop());
    const before = await start({ database, env: { ACCESS_TOKEN_TTL: '3h' } });
    const old = tokenOf(await signIn(before));
    await before.close();
    const after = await start({ database, env: { ACCESS_TOKEN_TTL: '1m' } });
    await makeDue(after);
    await round(after);
    const previous = await theKey(after, 'previous');
    expect(previous.kid).toBe(kidOf(old));
    expect(previous.seconds).toBeGreaterThan(3 * 3600);
    expect(await statusAt(after, old)).toBe(200);
  });

  it('a node that learns of a promotion late signs with a key that is still published for long enough [pain 11]', async () => {
    await makeDue(app);
    await round(app);
    const token = tokenOf(await signIn(other));
    const previous = await theKey(app, 'previous');
    expect(kidOf(token)).toBe(previous.kid);
    expect([await statusAt(app, token), await statusAt(other, token)]).toEqual([200, 200]);
    // The node may go on so for two rounds and a while: 130 s.
    expect(previous.seconds).toBeGreaterThan(600 + 130);
    await round(other);
    expect(kidOf(tokenOf(await signIn(other)))).toBe((await theKey(app, 'current')).kid);
  });

  it('of three nodes with five concurrent rounds each, one rotates [J16]', async () => {
    await makeDue(app);
    const all = async () => {
      const rounds = Array.from({ length: 5 }, () => nodes.map((node) => round(node))).flat();
      return (await Promise.all(rounds)).flat().map(({ change }) => change);
    };
    expect((await all()).toSorted()).toEqual(['demoted', 'promoted', 'published']);
    expect(await statesOf(app)).toEqual(['previous', 'current', 'next']);
    await tokensDied(app, 'previous', 1);
    expect(await all()).toEqual(['retired']);
    expect(await all()).toEqual([]);
    const kids = await Promise.all(nodes.map(async (node) => kidOf(tokenOf(await signIn(node)))));
    expect(new Set(kids)).toEqual(new Set([(await theKey(app, 'current')).kid]));
  });

  it('nodes that concurrently find no key create one together', async () => {
    await app.query(sql`delete from signing_keys`);
    await Promise.all(nodes.map((node) => node.running.app.get(SigningKeys).renew()));
    expect(await statesOf(app)).toEqual(['current']);
    for (const node of nodes) expect(await statusAt(app, tokenOf(await signIn(node)))).toBe(200);
  });

  it('the keys of a former JWT_ALGORITHM stay for one interval, in which it can be changed back', async () => {
    const database = await createTestDatabase();
    started.push(() => database.drop());
    const before = await start({ database });
    await round(before);
    const [current, next] = await stored(before);
    await before.close();

    const own = await start({ database, env: { JWT_ALGORITHM: 'PS256' } });
    const states = async () =>
      (await stored(own)).filter(({ algorithm }) => algorithm === 'ES256').map(({ state }) => state);
    await round(own);
    await own.query(
      sql`update signing_keys set tokens_expire_at = now() - interval '29 days' where kid = ${current?.kid}`,
    );
    await round(own);
    expect(await states()).toEqual(['current', 'next']);
    const back = await start({ sibling: own });
    expect(kidOf(tokenOf(await signIn(back)))).toBe(current?.kid);
    await back.close();

    await own.query(
      sql`update signing_keys set tokens_expire_at = now() - interval '31 days' where kid = ${current?.kid}`,
    );
    expect(await round(own)).toEqual([{ change: 'retired', kid: current?.kid }]);
    expect(await round(own)).toEqual([{ change: 'retired', kid: next?.kid }]);
    expect(await publishedKids(own)).toHaveLength(2);
    expect(kidOf(tokenOf(await signIn(own)))).toBe((await theKey(own, 'current', 'PS256')).kid);
  });

  it('an RSA key is generated off the event loop', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await draftKey('PS256', [TEST_SECRET]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('a key set that could not be refreshed reports its age', async () => {
    const own = await start({ env: { JWKS_MAX_AGE: '2s' } });
    const maxAge = async () => (await own.client.get('/.well-known/jwks.json')).headers['cache-control'];
    expect(await maxAge()).toBe('public, max-age=2');
    await own.running.database.close();
    expect(await until(async () => ((await maxAge()) === 'public, max-age=1' ? true : undefined))).toBe(true);
    expect(await until(async () => ((await maxAge()) === 'public, max-age=0' ? true : undefined))).toBe(true);
    await own.running.app.close();
    started.pop();
    await own.testDatabase.drop();
  });
});

describe('revoked key', () => {
  /** Revokes a key, and gives how long a token of it then lives on each node, in milliseconds. */
  async function revoke(kid: string, token: string): Promise<number[]> {
    expect((await administrationOf(app).revoke(kid)).status).toBe('revoked');
    const revokedAt = performance.now();
    const lives = nodes.map(async (node) => {
      await until(async () => {
        const status = await statusAt(node, token);
        expect([200, 401]).toContain(status);
        return status === 401 ? true : undefined;
      });
      return performance.now() - revokedAt;
    });
    return Promise.all(lives);
  }

  it('ends its tokens immediately on every node, cached ones included; sessions continue with the next key', async () => {
    await round(app);
    const person = await signIn(app);
    const token = tokenOf(person);
    for (const node of nodes)
      expect([await statusAt(node, token), await statusAt(node, token)]).toEqual([200, 200]);
    const [current, next] = [await theKey(app, 'current'), await theKey(app, 'next')];
    for (const ms of await revoke(current.kid, token)) expect(ms).toBeLessThan(5_000);

    expect(await theKey(app, 'retired')).toMatchObject({ kid: current.kid, sealed: 0 });
    expect((await theKey(app, 'current')).kid).toBe(next.kid);
    const { kid: third } = await theKey(app, 'next');
    for (const node of nodes) expect(await publishedKids(node)).toEqual([third, next.kid]);
    const [row] = await app.query(
      sql<{
        days: number;
      }>`select extract(epoch from expires_at - now())::float8 / 86400 as days from revocations where kind = 'key'`,
    );
    expect(row?.days).toBeCloseTo(1, 2);
    let refreshToken = person.reply.body['refresh_token'];
    for (const node of nodes) {
      // For a moment a node may not know which key signs now; who asks again with the same token gets its successor.
      const reply = await until(async () => {
        const answer = await node.client.post('/refresh', { refresh_token: refreshToken });
        return answer.status === 503 ? undefined : answer;
      });
      expect(reply.status).toBe(200);
      expect(kidOf(reply.body['access_token'])).toBe(next.kid);
      refreshToken = reply.body['refresh_token'];
    }
  });

  it('is replaced immediately if there is no next key', async () => {
    const token = tokenOf(await signIn(app));
    await revoke(kidOf(token), token);
    expect(await statesOf(app)).toEqual(['retired', 'current']);
    const fresh = tokenOf(await until(() => signIn(other).catch(() => undefined)));
    expect(kidOf(fresh)).toBe((await theKey(app, 'current')).kid);
    expect([await statusAt(app, fresh), await statusAt(other, fresh)]).toEqual([200, 200]);
  });

  it('can be a previous or next key: the current key stays', async () => {
    await makeDue(app);
    const token = tokenOf(await signIn(app));
    await round(app);
    const { kid: current } = await theKey(app, 'current');
    await revoke(kidOf(token), token);
    const { kid: next } = await theKey(app, 'next');
    expect(await administrationOf(app).revoke(next)).toEqual({
      status: 'revoked',
      changes: [{ change: 'retired', kid: next }],
    });
    expect(await statesOf(app)).toEqual(['retired', 'current', 'retired']);
    expect((await theKey(app, 'current')).kid).toBe(current);
    expect((await round(app)).map(({ change }) => change)).toEqual(['published']);
    expect(await administrationOf(app).revoke(next)).toEqual({ status: 'revoked_before' });
    expect(await administrationOf(app).revoke(uuidv7())).toEqual({ status: 'unknown' });
    const [row] = await app.query(
      sql<{ count: number }>`select count(*)::int as count from revocations where kind = 'key'`,
    );
    expect(row?.count).toBe(2);
  });

  it('is replaced by the nodes that sign with it if the operator has another JWT_ALGORITHM', async () => {
    const own = await start({ env: { JWT_ALGORITHM: 'PS256' } });
    const { kid } = await theKey(own, 'current', 'PS256');
    const administration = new KeyAdministration(own.running.database.database, {
      ...own.config.auth,
      JWT_ALGORITHM: 'ES256',
    });
    expect((await administration.revoke(kid)).status).toBe('revoked');
    const fresh = await until(() => theKey(own, 'current', 'PS256').catch(() => undefined));
    expect(fresh.kid).not.toBe(kid);
    expect(await statesOf(own)).toEqual(['retired', 'current']);
  });
});

describe('encryption of keys', () => {
  it('with the first secret alone decrypts every key after a rewrap, and running nodes continue [J16]', async () => {
    const database = await createTestDatabase();
    started.push(() => database.drop());
    const own = await start({ database });
    await makeDue(own);
    await round(own);
    const token = tokenOf(await signIn(own));
    const inventory = new KeyInventory(own.running.database.database, {
      ...own.config.auth,
      AUTH_SECRETS: [OTHER_SECRET, TEST_SECRET],
    });
    const sealedUnder = async () => (await inventory.list()).map((key) => key.sealedUnder);
    expect(await sealedUnder()).toEqual([1, 1, 1]);
    const kids = (await stored(own)).map(({ kid }) => kid);
    const before = Date.now();
    const { rewrapped, unopened, othersMayLeaveAt } = await inventory.rewrap();
    expect([rewrapped.toSorted(), unopened]).toEqual([kids.toSorted(), []]);
    // REFRESH_REUSE_GRACE from then on.
    expect(Number(othersMayLeaveAt)).toBeGreaterThan(before + 14_000);
    expect(Number(othersMayLeaveAt)).toBeLessThan(Date.now() + 16_000);
    expect(await sealedUnder()).toEqual([0, 0, 0]);
    expect((await inventory.rewrap()).rewrapped).toEqual([]);

    // This node has the old secret alone.
    await round(own);
    expect([await statusAt(own, token), await statusAt(own, tokenOf(await signIn(own)))]).toEqual([200, 200]);
    await own.close();
    const failure = await start({ database }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SecretsDoNotFit);
    const after = await start({ database, env: { AUTH_SECRETS: OTHER_SECRET } });
    expect(await statusAt(after, token)).toBe(200);
    expect(kidOf(tokenOf(await signIn(after)))).toBe(kidOf(token));
  });

  it('with missing secrets is reported, and the database stays unchanged', async () => {
    await makeDue(app);
    const foreign = new KeyInventory(app.running.database.database, {
      ...app.config.auth,
      AUTH_SECRETS: [FOREIGN_SECRET],
    });
    expect((await foreign.list()).map(({ sealedUnder }) => sealedUnder)).toEqual([null, null]);
    const kids = (await stored(app)).map(({ kid }) => kid);
    const { rewrapped, unopened, othersMayLeaveAt } = await foreign.rewrap();
    expect({ rewrapped, unopened: unopened.toSorted(), othersMayLeaveAt }).toEqual({
      rewrapped: [],
      unopened: kids.toSorted(),
      othersMayLeaveAt: null,
    });
    expect((await inventoryOf(app).list()).map(({ sealedUnder }) => sealedUnder)).toEqual([0, 0]);
  });

  it('one key that no secret decrypts keeps the other secrets needed', async () => {
    const own = await start({});
    await own.query(
      sql`insert into signing_keys
        select (jsonb_populate_record(k, jsonb_build_object('kid', 'of-another-secret', 'state', 'previous',
            'private_key', '\\x' || repeat('ab', 64)))).*
          from signing_keys k where state = 'current'`,
    );
    const { unopened, auditChain, othersMayLeaveAt } = await inventoryOf(own).rewrap();
    expect({ unopened, othersMayLeaveAt }).toEqual({
      unopened: ['of-another-secret'],
      othersMayLeaveAt: null,
    });
    expect(auditChain).not.toBe('unopened');
  });

  it('a list of keys says when the next one can sign, and only of that one', async () => {
    const own = await start({});
    await round(own);
    const listed = (await inventoryOf(own).list()).map(({ state, promotableFrom }) => [
      state,
      promotableFrom,
    ]);
    expect(listed.toSorted()).toEqual([
      ['current', null],
      ['next', expect.any(Date)],
    ]);
  });
});
