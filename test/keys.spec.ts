import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { KeyAdministration } from '../src/auth/keys/key-administration.service.js';
import { KeyInventory } from '../src/auth/keys/key-inventory.service.js';
import { KeyLifecycle } from '../src/auth/keys/key-lifecycle.service.js';
import { draftKey, SecretsDoNotFit } from '../src/auth/keys/key-pair.js';
import { SigningKeys } from '../src/auth/keys/signing-keys.service.js';
import { createVerifier } from '../src/verify/verifier.js';
import { startApp, TEST_SECRET, type TestApp, type TestAppOptions } from './support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import { decodeToken } from './support/jwt.js';
import { endAllPrograms, startProgram, until } from './support/process.js';
import { signIn, type SignedIn } from './support/strategies.js';
import { TcpProxy } from './support/tcp-proxy.js';

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';
const FOREIGN_SECRET = 'pW3kN8vR5xT1qY7mB9zC2fH6jL4dS0gAuEiOaXwQcVbM';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const itOnServer = onServer ? it : it.skip;

/** What is to be undone behind a test, the last first. */
const started: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of started.splice(0).toReversed()) await stop();
});

/** An application that issues access tokens, closed behind the test. */
async function start({ env = {}, ...options }: TestAppOptions = {}): Promise<TestApp> {
  const app = await startApp({ ...options, env: { AUTH_STRATEGY: 'jwt', ...env } });
  let isClosed = false;
  const close = app.close;
  const closeOnce = async () => {
    if (isClosed) return;
    isClosed = true;
    await close();
  };
  started.push(closeOnce);
  return Object.defineProperty(app, 'close', { value: closeOnce });
}

/** Three nodes on one database; each test finds one key there, made just now. */
let nodes: TestApp[];
let app: TestApp;
let other: TestApp;
beforeAll(async () => {
  const env = { AUTH_STRATEGY: 'jwt' };
  app = await startApp({ env });
  other = await startApp({ env, sibling: app });
  nodes = [app, other, await startApp({ env, sibling: app })];
});
beforeEach(async () => {
  await app.query(sql`delete from signing_keys`);
  await app.query(sql`delete from revocations`);
  await Promise.all(nodes.map((node) => node.running.app.get(SigningKeys).renew()));
});
afterAll(async () => {
  for (const node of nodes.toReversed()) await node.close();
});

interface StoredKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly state: string;
  /** Bytes of the sealed private half. */
  readonly sealed: number;
  /** Seconds until the last of its tokens has died. */
  readonly seconds: number | null;
}

/** Every key in the database, the oldest first. */
function stored(app: TestApp): Promise<StoredKey[]> {
  return app.query(
    sql<StoredKey>`select kid, algorithm, state, length(private_key) as sealed,
      extract(epoch from tokens_expire_at - now())::float8 as seconds from signing_keys order by created_at, kid`,
  );
}

async function statesOf(app: TestApp): Promise<string[]> {
  return (await stored(app)).map(({ state }) => state);
}

/** The one key in a state. */
async function theKey(app: TestApp, state: string, algorithm = 'ES256'): Promise<StoredKey> {
  const found = (await stored(app)).filter((key) => key.state === state && key.algorithm === algorithm);
  if (found.length !== 1 || !found[0]) throw new Error(`there are ${found.length} ${state} keys`);
  return found[0];
}

async function publishedKids(app: TestApp): Promise<string[]> {
  const { body } = await app.client.get('/.well-known/jwks.json');
  return (body['keys'] as { kid: string }[]).map(({ kid }) => kid);
}

/** What a node does once a minute, now. */
async function round(app: TestApp): Promise<{ change: string; kid: string }[]> {
  const changes = await app.running.app.get(KeyLifecycle).advance();
  await app.running.app.get(SigningKeys).renew();
  return [...changes];
}

/** Lets the keys in a state have been published, and have signed, for so many seconds longer. */
async function age(app: TestApp, state: string, seconds: number): Promise<void> {
  await app.query(
    sql`update signing_keys set created_at = created_at - make_interval(secs => ${seconds}),
      promoted_at = promoted_at - make_interval(secs => ${seconds}) where state = ${state}`,
  );
}

/** Lets the last tokens of the keys in a state have died so many seconds ago. */
async function tokensDied(app: TestApp, state: string, seconds: number): Promise<void> {
  await app.query(
    sql`update signing_keys set tokens_expire_at = now() - make_interval(secs => ${seconds}) where state = ${state}`,
  );
}

const DAY = 86_400;

/** Lets the current key be due, and the next key have been published for long. */
async function makeDue(app: TestApp): Promise<void> {
  await round(app);
  await age(app, 'current', 31 * DAY);
  await age(app, 'next', 30 * DAY);
}

function tokenOf({ reply }: SignedIn): string {
  return reply.body['access_token'] as string;
}

function kidOf(token: string): string {
  return decodeToken(token).header['kid'] as string;
}

async function statusAt(app: TestApp, token: string): Promise<number> {
  return (await app.client.get('/users/me', { authorization: `Bearer ${token}` })).status;
}

function administrationOf(app: TestApp): KeyAdministration {
  return new KeyAdministration(app.running.database.database, app.config.auth);
}

function inventoryOf(app: TestApp): KeyInventory {
  return new KeyInventory(app.running.database.database, app.config.auth);
}

describe('the life of a key', () => {
  it('J16: the first key signs at once, the one after it is published and does not sign', async () => {
    const { kid: current } = await theKey(app, 'current');
    expect(await publishedKids(app)).toEqual([current]);
    const [change] = await round(app);
    expect(change).toEqual({ change: 'published', kid: (await theKey(app, 'next')).kid });
    expect(await statesOf(app)).toEqual(['current', 'next']);
    expect(await publishedKids(app)).toEqual([change?.kid, current]);
    expect(kidOf(tokenOf(await signIn(app)))).toBe(current);
    expect(await round(app)).toEqual([]);
  });

  it('J16, pain 11: the next key is not promoted before every cache must hold it', async () => {
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

  it('J16: a key that is not due goes on, however long the next one has been published', async () => {
    await round(app);
    await age(app, 'current', 29 * DAY);
    await age(app, 'next', 29 * DAY);
    expect(await round(app)).toEqual([]);
  });

  it('J16: the previous key is published until its last token has died, then it is gone and its private half wiped', async () => {
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

  it('J16: ACCESS_TOKEN_TTL may become shorter, and tokens from before live their time', async () => {
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

  it('pain 11: a node that learns of a promotion late signs what is still published for long enough', async () => {
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

  it('J16: of three nodes that come five times each at once, one moves keys on', async () => {
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

  it('nodes that find no key at all at once make one, and go on', async () => {
    await app.query(sql`delete from signing_keys`);
    await Promise.all(nodes.map((node) => node.running.app.get(SigningKeys).renew()));
    expect(await statesOf(app)).toEqual(['current']);
    for (const node of nodes) expect(await statusAt(app, tokenOf(await signIn(node)))).toBe(200);
  });

  it('the keys of an algorithm that JWT_ALGORITHM left stay for one interval, in which it may be changed back', async () => {
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

  it('an RSA key is made while other work goes on', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await draftKey('PS256', [TEST_SECRET]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('a key set that could not be read anew says that it has aged', async () => {
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

describe('a key that is revoked', () => {
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

  it('ends its tokens at once on every node, wherever they are remembered; the sessions go on under the next key', async () => {
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

  it('is replaced at once where no next one stands by', async () => {
    const token = tokenOf(await signIn(app));
    await revoke(kidOf(token), token);
    expect(await statesOf(app)).toEqual(['retired', 'current']);
    const fresh = tokenOf(await until(() => signIn(other).catch(() => undefined)));
    expect(kidOf(fresh)).toBe((await theKey(app, 'current')).kid);
    expect([await statusAt(app, fresh), await statusAt(other, fresh)]).toEqual([200, 200]);
  });

  it('may be a previous one, or the next one: then nobody takes over', async () => {
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
    expect(await administrationOf(app).revoke(next)).toEqual({ status: 'retired_before' });
    expect(await administrationOf(app).revoke(uuidv7())).toEqual({ status: 'unknown' });
    const [row] = await app.query(
      sql<{ count: number }>`select count(*)::int as count from revocations where kind = 'key'`,
    );
    expect(row?.count).toBe(2);
  });

  it('is replaced by the nodes that sign with it, where the operator has another JWT_ALGORITHM', async () => {
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

describe('the secrets that keys are sealed under', () => {
  it('J16: after a rewrap the new secret alone opens every key, and nodes from before go on', async () => {
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

  it('a copy of the database without them says so, and stays as it is', async () => {
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
});

describe('traffy keys', () => {
  /** Runs a command of the command line to its end. */
  async function traffy(database: TestDatabase, args: string[], env: Record<string, string> = {}) {
    const program = startProgram({
      args: ['traffy', 'keys', ...args],
      env: { ...database.env, AUTH_SECRETS: TEST_SECRET, ...env },
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('lists, rotates, revokes and rewraps, and says why where it does not', async () => {
    const database = await createTestDatabase();
    started.push(() => database.drop(), endAllPrograms);
    expect(await traffy(database, ['rotate'])).toEqual({
      code: 1,
      out: '',
      err: 'traffy: no key signs with JWT_ALGORITHM=ES256 yet: the first start with it makes one\n',
    });
    const node = await start({ database });
    await makeDue(node);
    const [first, second] = (await stored(node)).map(({ kid }) => kid);
    await node.close();

    const rotated = await traffy(database, ['rotate', '--json']);
    expect(rotated).toMatchObject({ code: 0, err: '' });
    const { next: third, ...rest } = JSON.parse(rotated.out);
    expect(rest).toEqual({ current: second, previous: first });
    const early = await traffy(database, ['rotate']);
    expect({ ...early, err: '' }).toEqual({ code: 1, out: '', err: '' });
    expect(early.err).toMatch(
      new RegExp(`^traffy: too early: .* the next key, ${third}; it may sign from \\d{4}-\\S+Z\\n$`),
    );

    const text = (await traffy(database, ['list'], { AUTH_SECRETS: `${OTHER_SECRET},${TEST_SECRET}` })).out;
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows).toEqual([
      [
        'kid',
        'algorithm',
        'state',
        'published since',
        'signs since',
        'may sign',
        'kept until',
        'sealed under',
      ],
      [third, 'ES256', 'next', TIME, '-', expect.stringMatching(/^from \d{4}-/), '-', '2 of 2'],
      [second, 'ES256', 'current', TIME, TIME, 'signs', '-', '2 of 2'],
      [first, 'ES256', 'previous', TIME, TIME, '-', TIME, '2 of 2'],
    ]);

    const foreign = { AUTH_SECRETS: FOREIGN_SECRET };
    for (const args of [['rotate'], ['revoke', String(second)]]) {
      const refused = await traffy(database, args, foreign);
      expect([refused.code, refused.out]).toEqual([1, '']);
      expect(refused.err).toMatch(
        /^traffy: AUTH_SECRETS: none of the secrets opens the signing keys [^\n]*\n$/,
      );
    }
    expect(await traffy(database, ['revoke', 'nonsense'])).toEqual({
      code: 1,
      out: '',
      err: 'traffy: there is no key nonsense; traffy keys list shows those there are\n',
    });
    const revoked = await traffy(database, ['revoke', String(second), '--json']);
    expect(revoked).toEqual({ code: 0, out: `{"revoked":"${second}","current":"${third}"}\n`, err: '' });

    const rewrapped = await traffy(database, ['rewrap'], { AUTH_SECRETS: `${OTHER_SECRET},${TEST_SECRET}` });
    expect(rewrapped.out).toMatch(
      /^3 keys were sealed anew under the first of AUTH_SECRETS\.\nThe other secrets may leave AUTH_SECRETS after \S+Z, if every node runs this list now; not during a change/,
    );
    const alone = await traffy(database, ['rewrap'], { AUTH_SECRETS: OTHER_SECRET });
    expect(alone.out).toMatch(/^0 keys .*\nEvery key is sealed under the first secret\.\n$/);
    const sealed = await traffy(database, ['list'], { AUTH_SECRETS: OTHER_SECRET });
    expect(sealed.code).toBe(0);
    expect(sealed.out).toMatch(new RegExp(`^${second} +ES256 +revoked \\d{4}-\\S+Z `, 'm'));
    const listed = await traffy(database, ['list', '--json']);
    expect(listed.code).toBe(1);
    expect(listed.err).toMatch(new RegExp(`^traffy: none of AUTH_SECRETS opens \\S+, ${third}, ${first}: `));
    expect(JSON.parse(listed.out)).toMatchObject({
      secrets: 1,
      keys: [
        { state: 'next', may_sign: false, may_sign_from: TIME, sealed_under: null },
        {
          kid: third,
          state: 'current',
          may_sign: false,
          may_sign_from: null,
          signs_since: TIME,
          sealed_under: null,
        },
        {
          kid: second,
          state: 'retired',
          retired_at: TIME,
          revoked_at: TIME,
          signed_until: TIME,
          sealed_under: null,
        },
        {
          kid: first,
          state: 'previous',
          kept_until: TIME,
          signed_until: TIME,
          retired_at: null,
          revoked_at: null,
        },
      ],
    });
    const after = await start({ database, env: { AUTH_SECRETS: OTHER_SECRET } });
    expect(kidOf(tokenOf(await signIn(after)))).toBe(third);
  });
});

describe('rotation by itself', () => {
  const QUICK = { KEY_ROTATION_INTERVAL: '2s', JWKS_MAX_AGE: '1s' };

  it('J16, pain 11, fault 8: every two seconds under load, and no verifier ever refuses a good token', async () => {
    const own = await start({ env: QUICK });
    const second = await start({ env: QUICK, sibling: own });
    const origins = [await own.listen(), await second.listen()];
    const { PUBLIC_URL: issuer } = own.config.app;
    const { AUTH_AUDIENCE: audience } = own.config.auth;
    const failures: string[] = [];
    const note = (what: string) => (error: unknown) => void failures.push(`${what}: ${String(error)}`);
    const verifiers = origins.flatMap((origin) => {
      const uri = `${origin}/.well-known/jwks.json`;
      // It never asks for a key that it does not know: all must be in its cache before they sign.
      const strict = createRemoteJWKSet(new URL(uri), { cacheMaxAge: 1_000, cooldownDuration: Infinity });
      const library = createVerifier({ issuer, audience, jwksUri: uri });
      return [
        (token: string) => jwtVerify(token, strict, { issuer, audience }).catch(note('jose')),
        (token: string) => library.verify(token).catch(note('traffy/verify')),
      ];
    });
    const both = [own, second];
    const signers: string[] = [];
    const kidsSeen = new Set<string>();
    const tokens: string[] = [];
    let verifications = 0;
    let { refresh_token: refreshToken } = (await signIn(own)).reply.body;
    const end = performance.now() + 9_000;
    const isOver = () => new Set(signers).size >= 4 || performance.now() > end + 10_000;
    for (let turn = 0; performance.now() < end || !isOver(); turn += 1) {
      const node = both[turn % 2] as TestApp;
      const reply = await node.client.post('/refresh', { refresh_token: refreshToken });
      expect(reply.body).toHaveProperty('access_token');
      refreshToken = reply.body['refresh_token'];
      const token = reply.body['access_token'] as string;
      tokens.push(token);
      signers.push(kidOf(token));
      const kids = await publishedKids(node);
      expect(new Set(kids).size).toBe(kids.length);
      for (const kid of kids) kidsSeen.add(kid);
      // The newest, one of some time ago, and the very first: its key is previous for long.
      for (const each of new Set([token, tokens[turn >> 1], tokens[0]])) {
        await Promise.all(verifiers.map((verify) => verify(String(each))));
        for (const at of both) {
          const status = await statusAt(at, String(each));
          if (status !== 200) failures.push(`node: ${status}`);
        }
        verifications += verifiers.length + both.length;
      }
      await pause(20);
    }
    expect(failures).toEqual([]);
    expect(verifications).toBeGreaterThan(500);
    const kids = (await stored(own)).map(({ kid }) => kid);
    expect(new Set(kids)).toEqual(kidsSeen);
    expect(new Set(signers).size).toBeGreaterThanOrEqual(4);
    // Whichever node promoted a key, it was one of them.
    const promoted = both.flatMap(({ logs }) => logs.filter(({ event }) => event === 'signing_key_promoted'));
    expect(promoted.length).toBeGreaterThanOrEqual(3);
    expect(new Set(promoted.map(({ kid }) => kid)).size).toBe(promoted.length);
  });

  itOnServer(
    'faults 1 and 3: an outage of the database is one line, and rotation goes on behind it',
    async () => {
      const database = await createTestDatabase();
      const direct = new URL(database.env['DATABASE_URL'] ?? '');
      const proxy = await TcpProxy.to(direct.hostname, Number(direct.port || 5432));
      started.push(
        () => database.drop(),
        () => proxy.close(),
      );
      const own = await start({ database, env: { ...QUICK, DATABASE_URL: proxy.rewrite(direct.href) } });
      const lines = (event: string) => own.logs.filter((line) => line['event'] === event).length;
      await until(() => (lines('signing_key_promoted') > 0 ? true : undefined));
      await proxy.stop();
      await until(() => (lines('key_rotation_delayed') > 0 ? true : undefined));
      await pause(2_000);
      expect([lines('key_rotation_delayed'), lines('key_rotation_restored')]).toEqual([1, 0]);
      const promoted = lines('signing_key_promoted');
      await proxy.start();
      await until(() => (lines('signing_key_promoted') > promoted ? true : undefined));
      await until(() => (lines('key_rotation_restored') > 0 ? true : undefined));
      expect([lines('key_rotation_delayed'), lines('key_rotation_restored')]).toEqual([1, 1]);
      expect(await statusAt(own, tokenOf(await until(() => signIn(own).catch(() => undefined))))).toBe(200);
    },
  );
});

// The last: it moves the clock of every node in this process.
describe('a node that could not ask which key signs', () => {
  it('pain 11: does not sign when its lease is over, until it could', async () => {
    const own = await start();
    const { email } = await signIn(own);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 131_000);
    try {
      const signInAgain = () => own.client.post('/login', { email, password: 'yourlongpassphrase' });
      const refused = await signInAgain();
      expect(refused.body['code']).toBe('service_unavailable');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      // The refusal made it ask.
      const reply = await until(async () => {
        const again = await signInAgain();
        return again.status === 503 ? undefined : again;
      });
      expect(reply.status).toBe(200);
    } finally {
      await own.close();
      clock.mockRestore();
    }
  });
});
