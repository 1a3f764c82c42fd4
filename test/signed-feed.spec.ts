import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { RevocationWindow } from '../src/auth/revocations/revocation-window.js';
import { cutOff } from '../src/auth/sessions/cut-off.js';
import {
  createVerifier,
  RevocationsUnavailable,
  TokenRefused,
  Undecided,
  type Verifier,
  type VerifierOptions,
} from '../src/verify/verify.entry.js';
import { FEED_MAX_BYTES } from '../src/verify/revocations.gate.js';
import { startApp, type TestApp } from './support/app.js';
import type { Reply } from './support/client.js';
import { onServer } from './support/database.js';
import { answer, keySet, startIssuer, type TestIssuer } from './support/issuer.js';
import {
  accessClaims,
  decodeToken,
  issueToken,
  newKey,
  publicJwk,
  resign,
  signingKey,
  storeKey,
} from './support/jwt.js';
import { accessTokenOf, signIn, type SignedIn } from './support/strategies.js';

const itOnServer = onServer ? it : it.skip;
const FEED = '/.well-known/revocations';
const ISSUER = 'http://localhost:8000';

type Entry = Readonly<Record<string, unknown>>;

function claimsOf(document: string): Record<string, unknown> {
  return decodeToken(document).claims;
}

function entriesOf(reply: Reply): Entry[] {
  expect(reply.status).toBe(200);
  return claimsOf(reply.text)['entries'] as Entry[];
}

function cursorOf(reply: Reply): string {
  return claimsOf(reply.text)['cursor'] as string;
}

async function verdictOf(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    if (error instanceof TokenRefused) return `${error.code}, ${error.action}`;
    if (error instanceof Undecided) return error.name;
    throw error;
  }
}

/** Asks again until the answer is as wanted, or for so many seconds; gives the last one. */
async function until<T>(isWanted: (value: T) => boolean, ask: () => Promise<T>, seconds = 12): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const value = await ask();
    if (isWanted(value) || performance.now() > deadline) return value;
    await pause(50);
  }
}

/** `good`, or all that is known of why not. */
async function explained(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    const { cause } = error as Error;
    return [error, cause, (cause as Error | undefined)?.cause].filter(Boolean).map(String).join(' < ');
  }
}

/** Waits longer than a verifier does by itself: where the issuer is in the same process, fifty thousand entries take their time. */
const patient: VerifierOptions['fetch'] = (input, init) =>
  fetch(input, { ...init, signal: AbortSignal.timeout(60_000) });

const becomes = (wanted: string, ask: () => Promise<string>, seconds?: number) =>
  until((value) => value === wanted, ask, seconds);

describe('the revocation feed', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
  });
  afterAll(() => app.close());

  /** The feed, once it says what was done a moment ago. */
  const feedWith = (isTold: (entries: Entry[]) => boolean, url = FEED) =>
    until(
      (reply: Reply) => isTold(entriesOf(reply)),
      () => app.client.get(url),
    );
  const has = (sid: string) => (entries: Entry[]) => entries.some((entry) => entry['sid'] === sid);

  it('J8: is a signed document of a type of its own, which says for how long it is to be believed', async () => {
    const reply = await app.client.get(FEED);
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('application/revocations+jwt');
    expect(reply.headers['cache-control']).toBe('public, max-age=10');
    expect(reply.headers['etag']).toMatch(/^W\/"[A-Za-z0-9_-]{22}"$/);
    expect(reply.setCookies).toEqual([]);
    const key = await signingKey(app);
    expect(decodeToken(reply.text).header).toEqual({ alg: 'ES256', kid: key.kid, typ: 'revocations+jwt' });
    const { body } = await app.client.get('/.well-known/jwks.json');
    const keys = createLocalJWKSet(body as unknown as Parameters<typeof createLocalJWKSet>[0]);
    const { payload } = await jwtVerify(reply.text, keys, { issuer: ISSUER, typ: 'revocations+jwt' });
    expect(payload).toEqual({
      iss: ISSUER,
      iat: expect.any(Number),
      exp: Number(payload.iat) + 60,
      since: null,
      cursor: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
      entries: expect.any(Array),
    });
    expect(Math.abs(Number(payload.iat) - Date.now() / 1000)).toBeLessThan(40);
  });

  it('tells of a session that ended, until its last token has expired everywhere', async () => {
    const person = await signIn(app);
    await person.client.post('/logout');
    const reply = await feedWith(has(person.sessionId));
    const entry = entriesOf(reply).find(({ sid }) => sid === person.sessionId);
    const { exp } = claimsOf(accessTokenOf(person)) as { exp: number };
    expect(Object.keys(entry ?? {})).toEqual(['sid', 'exp']);
    // The tolerance of other clocks, and what may lie between noting a token and signing it.
    expect(Number(entry?.['exp']) - exp).toBeGreaterThanOrEqual(60);
    expect(Number(entry?.['exp']) - exp).toBeLessThan(60 + 65);
    const [row] = await app.query(
      sql<{ at: number | string }>`select ceil(extract(epoch from tokens_expire_at)) as at from revocations
        where session_id = ${person.sessionId} and kind = 'session'`,
    );
    expect(entry?.['exp']).toBe(Number(row?.at) + 60);
  });

  it('says nothing of sessions that never had a token, nor of those whose tokens have expired', async () => {
    const cookies = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'session,jwt' } });
    try {
      const silent = await signIn(cookies);
      await silent.client.post('/logout');
      const past = await signIn(app);
      await past.client.post('/logout');
      await app.query(
        sql`update revocations set tokens_expire_at = now() - interval '61 seconds' where session_id = ${past.sessionId}`,
      );
      const told = await signIn(app);
      await told.client.post('/logout');
      const fresh = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt,session' } });
      const sids = entriesOf(await fresh.client.get(FEED)).map(({ sid }) => sid);
      await fresh.close();
      expect(sids).toContain(told.sessionId);
      expect(sids).not.toContain(silent.sessionId);
      expect(sids).not.toContain(past.sessionId);
    } finally {
      await cookies.close();
    }
  });

  it('tells of tokens of a session, of a person, of everybody, and of a key that was revoked', async () => {
    const [one, other] = [await signIn(app), await signIn(app)];
    await app.query(
      sql`update sessions set tokens_valid_from = '2026-01-01T00:00:00.5Z' where id = ${one.sessionId}`,
    );
    const sub = claimsOf(accessTokenOf(other))['sub'] as string;
    const { database } = app.running.database;
    await cutOff(database, sub);
    // What ends sessions by when they were made says so by when it was declared: tokens say only when they were issued.
    await cutOff(database, null, new Date(Date.now() - 86_400_000));
    await app.query(sql`insert into revocations (kind, expires_at) values ('key', now() + interval '1 day')`);
    const entries = entriesOf(await feedWith((all) => all.some(({ keys }) => keys)));
    const now = Date.now() / 1000;
    const isNow = (value: unknown) => Math.abs(Number(value) - now) < 30;
    const exp = expect.any(Number);
    expect(entries).toContainEqual({ sid: one.sessionId, before: Date.UTC(2026, 0, 1) / 1000 + 1, exp });
    expect(entries.find((entry) => entry['sub'] === sub)).toEqual({ sub, before: expect.any(Number), exp });
    expect(isNow(entries.find((entry) => entry['sub'] === sub)?.['before'])).toBe(true);
    const everybody = entries.find((entry) => Object.keys(entry).join() === 'before,exp');
    expect(isNow(everybody?.['before'])).toBe(true);
    const keys = entries.find((entry) => entry['keys'] === true);
    expect(Object.keys(keys ?? {})).toEqual(['keys', 'exp']);
    // As long as somebody may hold a key set from before: JWKS_MAX_AGE, not as long as the row stands.
    expect(Math.abs(Number(keys?.['exp']) - now - 660)).toBeLessThan(30);
    await app.query(sql`delete from revocations where kind in ('key', 'all')`);
  });

  it('answers a cursor with what is new, and an old cursor with more', async () => {
    const cursors: string[] = [];
    const people: SignedIn[] = [];
    for (let round = 0; round < 3; round += 1) {
      const person = await signIn(app);
      await person.client.post('/logout');
      const reply = await feedWith(has(person.sessionId));
      people.push(person);
      cursors.push(cursorOf(reply));
    }
    const toldAfter = async (cursor: string) => {
      const sids = entriesOf(await app.client.get(`${FEED}?cursor=${cursor}`)).map(({ sid }) => sid);
      return people.filter(({ sessionId }) => sids.includes(sessionId)).length;
    };
    expect(await toldAfter(String(cursors[2]))).toBe(0);
    expect(await toldAfter(String(cursors[1]))).toBe(1);
    expect(await toldAfter(String(cursors[0]))).toBe(2);
    // One from another database, whose transactions count higher, is no reason to keep quiet.
    const beyond = Buffer.from(`1.${'9'.repeat(18)}`).toString('base64url');
    expect(await toldAfter(beyond)).toBe(3);
  });

  it('says which cursor it answers, in what is signed and in the etag; a made-up one is told all', async () => {
    const person = await signIn(app);
    await person.client.post('/logout');
    const all = await feedWith(has(person.sessionId));
    const cursor = cursorOf(all);
    const news = await app.client.get(`${FEED}?cursor=${cursor}`);
    expect(claimsOf(news.text)).toMatchObject({ since: cursor, cursor });
    expect(claimsOf(all.text)['since']).toBeNull();
    expect(news.headers['etag']).not.toBe(all.headers['etag']);
    const etag = String(all.headers['etag']);
    expect((await app.client.get(`${FEED}?cursor=${cursor}`, { 'if-none-match': etag })).status).toBe(200);
    const madeUp = await app.client.get(`${FEED}?cursor=${Buffer.from('1.1').toString('base64url')}`);
    expect(claimsOf(madeUp.text)['since']).toBeNull();
    expect(has(person.sessionId)(entriesOf(madeUp))).toBe(true);
  });

  it('signs for so many cursors and no more: the others are told all', async () => {
    const crowded = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    try {
      const sids = Array.from({ length: 100 }, () => uuidv7());
      for (const sid of sids)
        await crowded.query(
          sql`insert into revocations (kind, session_id, tokens_expire_at, expires_at)
              values ('session', ${sid}, now() + interval '10 minutes', now() + interval '1 hour')`,
        );
      const rows = await crowded.query(sql<{ xact: string }>`select xact::text from revocations`);
      const cursors = rows.map(({ xact }) => Buffer.from(`1.${BigInt(xact) + 1n}`).toString('base64url'));
      const askAll = () =>
        Promise.all(cursors.map((cursor) => crowded.client.get(`${FEED}?cursor=${cursor}`)));
      // The turn of half a minute begins a new edition: both rounds within one.
      const [first, second] = await until(
        ([one, other]) => one[0]?.text === other[0]?.text,
        async () => [await askAll(), await askAll()] as const,
      );
      expect(new Set([...first, ...second].map(({ text }) => text)).size).toBeLessThanOrEqual(66);
      const whole = first.filter(({ text }) => claimsOf(text)['since'] === null);
      expect(whole.length).toBeGreaterThan(30);
      expect(whole.length).toBeLessThan(40);
      for (const reply of whole) expect(entriesOf(reply)).toHaveLength(100);
      for (const [index, { text }] of first.entries())
        expect([null, cursors[index]]).toContain(claimsOf(text)['since']);
    } finally {
      await crowded.close();
    }
  });

  it('reads all anew where the server is another one, which counts from the start', async () => {
    const other = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    try {
      const signOut = async (of: TestApp) => {
        const { client, sessionId } = await signIn(of);
        await client.post('/logout');
        return sessionId;
      };
      const sids = [await signOut(other), await signOut(other)];
      await signOut(app);
      await signOut(app);
      let isOver = false;
      const window = new RevocationWindow(
        {
          query: async (statement) => {
            const { database } = (isOver ? other : app).running.database;
            const rows = await database.query(statement);
            // In the tests both are of one server.
            return rows.map((row) => Object.assign({}, row, { server: isOver ? 'new' : 'old' }));
          },
        },
        600,
      );
      const toldBy = async () =>
        (await window.read()).revocations.map(({ entry }) => ('sid' in entry ? entry.sid : null));
      expect((await toldBy()).length).toBeGreaterThan(1);
      isOver = true;
      await pause(1100);
      expect(await toldBy()).toEqual(sids.toReversed());
    } finally {
      await other.close();
    }
  });

  it('refuses a cursor that it never gave', async () => {
    const encoded = [
      '',
      '1.',
      '2.7',
      '1.-1',
      '1.01',
      '1.7 ',
      `1.${'9'.repeat(20)}`,
      "1.0'; drop table revocations",
    ];
    const cursors = [
      'x',
      '%00',
      // Two spellings of one cursor: stray bits, and letters that are passed over.
      'MS43Nk',
      'MS4!3',
      'a'.repeat(65),
      ...encoded.map((text) => Buffer.from(text).toString('base64url')),
    ];
    for (const cursor of cursors) {
      const reply = await app.client.get(`${FEED}?cursor=${cursor}`);
      expect({ cursor, status: reply.status, code: reply.body['code'] }).toEqual({
        cursor,
        status: 400,
        code: 'validation_failed',
      });
      expect(reply.body['errors'][0].path).toBe('cursor');
      expect(reply.headers['cache-control']).toBe('no-store');
    }
    const unknown = await app.client.get(`${FEED}?since=1`);
    expect(unknown.body['errors'][0].path).toBe('since');
  });

  it('answers 304 to whoever has it already, and is the same on every node', async () => {
    const env = { AUTH_STRATEGY: 'jwt,session' };
    const [one, other] = [await startApp({ sibling: app, env }), await startApp({ sibling: app, env })];
    try {
      // At the turn of half a minute the list is signed anew.
      const [mine, others] = await until(
        ([first, second]) => first.headers['etag'] === second.headers['etag'],
        async () => [await one.client.get(FEED), await other.client.get(FEED)] as const,
      );
      expect(entriesOf(mine).length).toBeGreaterThan(0);
      expect(entriesOf(mine)).toEqual(entriesOf(others));
      expect(mine.headers['etag']).toBe(others.headers['etag']);
      expect(mine.text).not.toBe(others.text);
      const etag = String(mine.headers['etag']);
      const strong = etag.slice(2);
      for (const known of [etag, strong, `"x", ${etag}`, `${etag} , "y"`, '*']) {
        const reply = await other.client.get(FEED, { 'if-none-match': known });
        expect({ known, status: reply.status, text: reply.text }).toEqual({ known, status: 304, text: '' });
        expect(reply.headers['etag']).toBe(etag);
        expect(reply.headers['cache-control']).toBe('public, max-age=10');
      }
      for (const known of ['"x"', 'W/"x"', strong.slice(1, -1), ''])
        expect((await one.client.get(FEED, { 'if-none-match': known })).status).toBe(200);
    } finally {
      await one.close();
      await other.close();
    }
  });

  it('spends one signature on all who ask at once, whatever their cursors', async () => {
    const cursors = Array.from({ length: 50 }, (_, index) => Buffer.from(`1.${index}`).toString('base64url'));
    const replies = await Promise.all([
      ...cursors.map((cursor) => app.client.get(`${FEED}?cursor=${cursor}`)),
      ...cursors.map(() => app.client.get(FEED)),
    ]);
    // Signatures of ES256 are random: the same text was signed once. A look may fall between them.
    expect(new Set(replies.map(({ text }) => text)).size).toBeLessThanOrEqual(2);
  });

  itOnServer('misses no transaction that took its number early and committed late', async () => {
    const [early, late] = [await signIn(app), await signIn(app)];
    const connection = new pg.Client({ connectionString: app.testDatabase.env['DATABASE_URL'] });
    await connection.connect();
    try {
      await connection.query('begin');
      await connection.query(
        `update sessions set revoked_at = now(), revoked_reason = 'logout' where id = $1`,
        [early.sessionId],
      );
      await late.client.post('/logout');
      const before = await feedWith(has(late.sessionId));
      expect(has(early.sessionId)(entriesOf(before))).toBe(false);
      const after = `${FEED}?cursor=${cursorOf(before)}`;
      expect(has(early.sessionId)(entriesOf(await app.client.get(after)))).toBe(false);
      await connection.query('commit');
      const told = await feedWith(has(early.sessionId), after);
      expect(has(early.sessionId)(entriesOf(told))).toBe(true);
      const numbers = await app.query(
        sql<{ id: string; seq: string }>`select session_id as id, seq::text from revocations
            where session_id in (${early.sessionId}, ${late.sessionId}) and kind = 'session' order by seq`,
      );
      expect(numbers.map(({ id }) => id)).toEqual([early.sessionId, late.sessionId]);
    } finally {
      await connection.end();
    }
  });

  it('lists fifty thousand at most; what is older counts as one cut-off', async () => {
    const crowded = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    try {
      await crowded.query(
        sql`insert into revocations (kind, session_id, user_id, tokens_expire_at, created_at, expires_at)
            select 'session', gen_random_uuid(), gen_random_uuid(), now() + interval '10 minutes',
              now() - interval '5 minutes' + make_interval(secs => n / 200.0), now() + interval '1 hour'
            from generate_series(1, 55000) as n`,
      );
      const origin = await crowded.listen();
      const started = performance.now();
      const reply = await crowded.client.get(FEED);
      const took = performance.now() - started;
      const [cut, ...listed] = entriesOf(reply);
      const now = Number(claimsOf(reply.text)['iat']);
      expect(listed).toHaveLength(50_000);
      // The newest of the 5,000 that are not listed is 275 s old; its transaction may have waited ten for its lock.
      expect(Math.abs(Number(cut?.['before']) - (now - 275 + 10))).toBeLessThan(10);
      expect(Math.abs(Number(cut?.['exp']) - (now + 660))).toBeLessThan(10);
      expect(reply.text.length).toBeLessThan(FEED_MAX_BYTES);
      expect(took).toBeLessThan(10_000);
      const verifier = createVerifier({
        issuer: ISSUER,
        audience: ISSUER,
        jwksUri: `${origin}/.well-known/jwks.json`,
        revocations: { uri: `${origin}${FEED}` },
        fetch: patient,
      });
      const good = accessTokenOf(await signIn(crowded));
      expect(await explained(verifier, good)).toBe('good');
      const old = resign(good, await signingKey(crowded), { claims: { iat: now - 280, jti: uuidv7() } });
      expect(await verdictOf(verifier, old)).toBe('revoked, refresh');
      const { sid } = listed.at(-1) as { sid: string };
      expect(await verdictOf(verifier, resign(good, await signingKey(crowded), { claims: { sid } }))).toBe(
        'revoked, login',
      );
    } finally {
      await crowded.close();
    }
  });

  it('O4: without the database there is no feed, rather than an old one', async () => {
    const alone = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    expect((await alone.client.get(FEED)).status).toBe(200);
    await alone.running.database.close();
    const reply = await until(
      (one: Reply) => one.status === 503,
      () => alone.client.get(FEED),
    );
    expect({ status: reply.status, code: reply.body['code'], retry: reply.headers['retry-after'] }).toEqual({
      status: 503,
      code: 'service_unavailable',
      retry: '5',
    });
    await alone.running.app.close();
    await alone.testDatabase.drop();
  });

  it('J8, incident 32: is no access token', async () => {
    const document = (await app.client.get(FEED)).text;
    const reply = await app.client.get('/users/me', { authorization: `Bearer ${document}` });
    expect({ status: reply.status, code: reply.body['code'] }).toEqual({
      status: 401,
      code: 'credential_invalid',
    });
    const person = await signIn(app);
    const claims = claimsOf(accessTokenOf(person));
    const key = await signingKey(app);
    // Not even with all that a token says, under the right key.
    const both = resign(document, key, { claims });
    expect((await app.client.get('/users/me', { authorization: `Bearer ${both}` })).status).toBe(401);
  });
});

describe('a verifier that listens to the feed', () => {
  let app: TestApp;
  let origin: string;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    origin = await app.listen();
  });
  afterAll(() => app.close());

  /** @param maxAge instead of what the feed says, in seconds. */
  function listening(maxAge?: number): { verifier: Verifier; polls: { url: string; status: number }[] } {
    const polls: { url: string; status: number }[] = [];
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: ISSUER,
      revocations: true,
      fetch: async (input, init) => {
        const url = String(input).replace(ISSUER, origin);
        const reply = await fetch(url, init);
        if (!url.includes(FEED)) return reply;
        polls.push({ url: url.slice(origin.length), status: reply.status });
        if (maxAge === undefined) return reply;
        const headers = new Headers(reply.headers);
        headers.set('cache-control', `max-age=${maxAge}`);
        return new Response(reply.status === 304 ? null : reply.body, { status: reply.status, headers });
      },
    });
    return { verifier, polls };
  }

  it('pain 3: a token that was signed out stops working elsewhere within ten seconds, without a call per request', async () => {
    const { verifier, polls } = listening();
    const [leaving, staying] = [await signIn(app), await signIn(app)];
    const [gone, good] = [accessTokenOf(leaving), accessTokenOf(staying)];
    expect(await verdictOf(verifier, gone)).toBe('good');
    await leaving.client.post('/logout');
    const endedAt = performance.now();
    let verified = 0;
    const ask = async () => {
      verified += 1;
      return verdictOf(verifier, gone);
    };
    expect(await becomes('revoked, login', ask)).toBe('revoked, login');
    const took = performance.now() - endedAt;
    process.stderr.write(`a signed-out token was refused elsewhere after ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(10_500);
    expect(verified).toBeGreaterThan(20);
    expect(polls.length).toBeLessThanOrEqual(3);
    expect(await verdictOf(verifier, good)).toBe('good');
    expect(await verdictOf(verifier, gone)).toBe('revoked, login');
  });

  it('hears of tokens of a session, of a person and of everybody, and takes what is issued after', async () => {
    const { verifier } = listening(1);
    const person = await signIn(app);
    const sub = claimsOf(accessTokenOf(person))['sub'] as string;
    const { database } = app.running.database;
    let { access_token: access, refresh_token: refresh } = person.reply.body;
    const expectDead = async () =>
      // How soon is another test's matter: here polls may fail while the machine is busy.
      expect(await becomes('revoked, refresh', () => verdictOf(verifier, access), 60)).toBe(
        'revoked, refresh',
      );
    expect(await verdictOf(verifier, access)).toBe('good');

    await app.query(
      sql`update sessions set tokens_valid_from = date_trunc('second', clock_timestamp()) + interval '1 second'
          where id = ${person.sessionId}`,
    );
    await expectDead();
    ({ access_token: access, refresh_token: refresh } = (
      await app.client.post('/refresh', { refresh_token: refresh })
    ).body);
    expect(await verdictOf(verifier, access)).toBe('good');

    await cutOff(database, sub);
    await expectDead();
    const again = await signIn(app, person.email);
    access = accessTokenOf(again);
    expect(await verdictOf(verifier, access)).toBe('good');

    await cutOff(database, null);
    await expectDead();
    expect(await verdictOf(verifier, accessTokenOf(await signIn(app)))).toBe('good');
  });

  it('drops a key that was revoked, without waiting for the key set to grow old', async () => {
    const { verifier } = listening(1);
    const stolen = newKey('PS256');
    await storeKey(app, stolen);
    const claims = accessClaims(app, { sub: uuidv7(), sid: uuidv7() });
    const jwks = async () => JSON.stringify((await app.client.get('/.well-known/jwks.json')).body);
    await until((text) => text.includes(stolen.kid), jwks);
    const forged = issueToken(stolen, claims);
    expect(await verdictOf(verifier, forged)).toBe('good');
    await app.query(sql`update signing_keys set state = 'retired' where kid = ${stolen.kid}`);
    await app.query(sql`insert into revocations (kind, expires_at) values ('key', now() + interval '1 day')`);
    const verdict = await becomes('unknown_key, refresh', () => verdictOf(verifier, forged));
    expect(verdict).toBe('unknown_key, refresh');
    await app.query(sql`delete from revocations where kind = 'key'`);
  });

  it('pain 3: what is new since a late cursor passes neither as all nor as what is new since an earlier one', async () => {
    const read = async (cursor?: string) =>
      app.client.get(cursor === undefined ? FEED : `${FEED}?cursor=${cursor}`);
    // One whom somebody on the way, without keys, gives what everybody can fetch.
    const deceived = (served: () => Promise<Reply>, isDeceived: (url: URL) => boolean) =>
      createVerifier({
        issuer: ISSUER,
        audience: ISSUER,
        revocations: true,
        fetch: async (input, init) => {
          const url = new URL(String(input).replace(ISSUER, origin));
          if (url.pathname !== FEED) return fetch(url, init);
          const { text } = isDeceived(url) ? await served() : await read();
          return new Response(text, { headers: { 'cache-control': 'max-age=1' } });
        },
      });
    const newest = async () => read(cursorOf(await read()));
    const [person, good] = [await signIn(app), accessTokenOf(await signIn(app))];
    const dead = accessTokenOf(person);

    const running = deceived(newest, ({ search }) => search !== '');
    expect(await verdictOf(running, dead)).toBe('good');
    await person.client.post('/logout');
    const isTold = (reply: Reply) => entriesOf(reply).some(({ sid }) => sid === person.sessionId);
    expect(isTold(await until(isTold, () => read()))).toBe(true);
    expect(isTold(await newest())).toBe(false);

    const first = deceived(newest, () => true);
    expect(await verdictOf(first, dead)).toBe('RevocationsUnavailable');
    expect(await verdictOf(first, good)).toBe('RevocationsUnavailable');

    // Whoever is running asks for all after such an answer, and so is told.
    expect(await becomes('revoked, login', () => verdictOf(running, dead))).toBe('revoked, login');
    expect(await verdictOf(running, good)).toBe('good');
    expect(await verdictOf(listening().verifier, dead)).toBe('revoked, login');
  });

  it('asks for what is new alone, and gets 304 as long as nothing is', async () => {
    const { verifier, polls } = listening(1);
    const token = accessTokenOf(await signIn(app));
    const ask = async () => {
      expect(await verdictOf(verifier, token)).toBe('good');
      return polls.at(-1)?.status;
    };
    expect(await until((status) => status === 304, ask)).toBe(304);
    expect(polls[0]?.url).toBe(FEED);
    expect(polls.slice(1).every(({ url }) => url.startsWith(`${FEED}?cursor=`))).toBe(true);
  });
});

let passed = 0;
const [wall, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];

/** Lets time pass, for both clocks of this process, without waiting. */
function pass(seconds: number): void {
  passed += seconds * 1000;
}

describe('a feed that fails, lies or is replayed', () => {
  let issuer: TestIssuer;
  let setBack = 0;
  beforeEach(async () => {
    passed = 0;
    setBack = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => wall() + passed - setBack);
    jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed);
    issuer = await startIssuer();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await issuer.close();
  });

  const now = () => Math.floor(Date.now() / 1000);
  const polls = () => issuer.asked.filter((url) => url.startsWith(FEED)).length;
  const listening = (
    revocations: Exclude<VerifierOptions['revocations'], undefined> = true,
    options: Partial<VerifierOptions> = {},
  ) => createVerifier({ issuer: issuer.origin, audience: issuer.audience, revocations, ...options });
  const down = () => (issuer.feed = (request) => request.socket.destroy());
  const longLived = () => issuer.token({ exp: now() + 7200 });

  it('a hundred at once share one poll, and no request costs one', async () => {
    const verifier = listening();
    const verdicts = Array.from({ length: 100 }, () => verdictOf(verifier, issuer.token()));
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['good']));
    for (let count = 0; count < 100; count += 1) await verifier.verify(issuer.token());
    expect(polls()).toBe(1);
  });

  it('is not asked for where nobody wants it', async () => {
    for (const revocations of [false, undefined]) {
      const options = { issuer: issuer.origin, audience: issuer.audience };
      await createVerifier({ ...options, ...(revocations === false && { revocations }) }).verify(
        issuer.token(),
      );
    }
    expect(polls()).toBe(0);
  });

  it.each<[string, () => string]>([
    ['an access token', () => issuer.token()],
    ['of type JWT', () => issuer.document({}, { typ: 'JWT' })],
    ['an access token with the members of a feed', () => issuer.document({}, { typ: 'at+jwt' })],
    ['without a type', () => issuer.document({}, { typ: undefined })],
    ['signed by a stranger', () => issuer.document({}, { kid: issuer.key.kid }, newKey('ES256'))],
    ['signed with a key that is not listed', () => issuer.document({}, {}, newKey('ES256'))],
    ['changed', () => issuer.document().replace(/\.[^.]+\./, `.${Buffer.from('{}').toString('base64url')}.`)],
    ['not signed', () => issuer.document().replace(/[^.]+$/, '')],
    ['alg none', () => issuer.document({}, { alg: 'none' })],
    ['critical', () => issuer.document({}, { crit: ['x'] })],
    ['padded', () => `${issuer.document()}=`],
    ['of another issuer', () => issuer.document({ iss: 'https://evil.example' })],
    ['of a list of issuers', () => issuer.document({ iss: [issuer.origin] })],
    ['expired', () => issuer.document({ iat: now() - 61, exp: now() - 1 })],
    ['without an end', () => issuer.document({ exp: undefined })],
    ['from the future', () => issuer.document({ iat: now() + 30, exp: now() + 90 })],
    ['without what it answers', () => issuer.document({ since: undefined })],
    ['in answer to a cursor', () => issuer.document({ since: 'c1' })],
    ['in answer to no text', () => issuer.document({ since: 0 })],
    ['without a cursor', () => issuer.document({ cursor: undefined })],
    ['with a cursor that is an address', () => issuer.document({ cursor: '../../elsewhere?x=' })],
    ['without entries', () => issuer.document({ entries: undefined })],
    ['with an entry that nobody knows', () => issuer.document({ entries: [{ jti: 'x', exp: now() + 60 }] })],
    ['with an entry without an end', () => issuer.document({ entries: [{ sid: 'x' }] })],
    ['with an entry that is none', () => issuer.document({ entries: [null] })],
    ['with a time that is text', () => issuer.document({ entries: [{ before: 'now', exp: now() + 60 }] })],
    ['empty', () => ''],
    ['a page', () => '<html>'],
    ['nine megabytes', () => 'x'.repeat(9 * 1024 * 1024)],
  ])('a feed that is %s is none: refused by default, and told', async (_what, make) => {
    issuer.feed = (request, response) => answer(make())(request, response);
    const errors: Error[] = [];
    const token = issuer.token();
    const strict = listening(true, { onError: (error) => errors.push(error) });
    const failure = await strict.verify(token).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RevocationsUnavailable);
    expect(failure).toMatchObject({ status: 503, code: 'revocations_unavailable' });
    expect(errors).toHaveLength(1);
    expect(await verdictOf(strict, token)).toBe('RevocationsUnavailable');
    expect(polls()).toBe(1);
    expect(await verdictOf(listening({ onUnavailable: 'accept' }), token)).toBe('good');
  });

  it('an outage changes nothing while what was heard is to be believed, then refuses, then is over', async () => {
    const verifier = listening();
    const token = longLived();
    const [sid, exp] = [uuidv7(), now() + 7200];
    const dead = issuer.token({ sid, exp });
    const serve = (issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ sid, exp }] }))(request, response));
    expect(await verdictOf(verifier, token)).toBe('good');
    down();
    pass(50);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
    issuer.feed = serve;
    pass(2);
    expect(await verdictOf(verifier, token)).toBe('good');
    // What was missed meanwhile is told whole.
    expect(issuer.asked.at(-1)).toBe(FEED);
  });

  it('where an outage is to be accepted, what was heard before it stays dead', async () => {
    const verifier = listening({ onUnavailable: 'accept' });
    const [sid, exp] = [uuidv7(), now() + 7200];
    const dead = issuer.token({ sid, exp });
    const token = longLived();
    issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ sid, exp }] }))(request, response);
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    down();
    pass(600);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
  });

  it('maxStaleSeconds shortens how long silence is borne, and cannot lengthen it', async () => {
    const [hasty, patient] = [listening({ maxStaleSeconds: 20 }), listening({ maxStaleSeconds: 3600 })];
    const token = longLived();
    expect(await verdictOf(hasty, token)).toBe('good');
    expect(await verdictOf(patient, token)).toBe('good');
    down();
    pass(19);
    expect(await verdictOf(hasty, token)).toBe('good');
    pass(2);
    expect(await verdictOf(hasty, token)).toBe('RevocationsUnavailable');
    expect(await verdictOf(patient, token)).toBe('good');
    pass(40);
    expect(await verdictOf(patient, token)).toBe('RevocationsUnavailable');
  });

  it('an old copy neither brings a dead token back nor is believed for longer than it says', async () => {
    const verifier = listening();
    const [sid, exp] = [uuidv7(), now() + 7200];
    const [token, dead] = [longLived(), issuer.token({ sid, exp })];
    const innocent = issuer.document();
    pass(1);
    const newer = issuer.document({ entries: [{ sid, exp }], cursor: 'c2' });
    issuer.feed = answer(newer);
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    issuer.feed = answer(innocent);
    for (let step = 0; step < 5; step += 1) {
      pass(10);
      expect(await verdictOf(verifier, dead)).toBe('revoked, login');
      expect(await verdictOf(verifier, token)).toBe('good');
      // It goes on from the newest it knows.
      expect(issuer.asked.at(-1)).toBe(`${FEED}?cursor=c2`);
    }
    pass(12);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('a node that is behind, whose copy is older, does not shorten what a newer one allows', async () => {
    const verifier = listening();
    const token = longLived();
    const entries = [{ sid: uuidv7(), exp: now() + 600 }];
    const older = issuer.document({ entries, cursor: 'older' });
    pass(30);
    issuer.feed = answer(issuer.document({ entries, cursor: 'newer' }));
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.feed = answer(older);
    pass(10);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(10);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked.at(-1)).toBe(`${FEED}?cursor=newer`);
    down();
    pass(30);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('304 says that nothing is new, but makes no copy younger', async () => {
    const verifier = listening();
    const token = longLived();
    const conditions: unknown[] = [];
    issuer.feed = (request, response) => {
      conditions.push(request.headers['if-none-match']);
      const isFirst = conditions.length <= 2;
      answer(isFirst ? issuer.document() : '', isFirst ? 200 : 304, { etag: 'W/"a"' })(request, response);
    };
    for (const seconds of [0, 10, 10, 10]) {
      pass(seconds);
      expect(await verdictOf(verifier, token)).toBe('good');
    }
    // The first was the answer to another question than the others.
    expect(conditions).toEqual([undefined, undefined, 'W/"a"', 'W/"a"']);
    pass(41);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
    // What has expired has to come anew: nothing is named that could be left as it is.
    expect(conditions.at(-1)).toBeUndefined();
  });

  it('a clock that is set back does not make a copy last', async () => {
    const verifier = listening();
    const token = longLived();
    expect(await verdictOf(verifier, token)).toBe('good');
    down();
    setBack = 3_600_000;
    pass(61);
    // The token is from the future now; one that is not tells what became of the feed.
    expect(await verdictOf(verifier, token)).toBe('not_yet_valid, login');
    expect(await verdictOf(verifier, issuer.token())).toBe('RevocationsUnavailable');
  });

  it('an entry is forgotten when its tokens have expired, the tolerance included, and not before', async () => {
    const verifier = listening(true, { clockToleranceSeconds: 60 });
    const sid = uuidv7();
    const token = issuer.token({ sid, exp: now() + 100 });
    const entries = [{ sid, exp: now() + 160 }];
    issuer.feed = (request, response) =>
      answer(issuer.document(request.url === FEED ? { entries } : {}))(request, response);
    for (const seconds of [0, 50, 50, 50]) {
      pass(seconds);
      expect(await verdictOf(verifier, token)).toBe('revoked, login');
    }
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('expired, refresh');
    expect(await verdictOf(verifier, issuer.token({ sid }))).toBe('good');
  });

  it('more entries than it keeps become one cut-off, which a refresh heals', async () => {
    const verifier = listening(true, { fetch: patient });
    const exp = now() + 600;
    const batch = () => Array.from({ length: 50_000 }, () => ({ sid: uuidv7(), exp }));
    const token = longLived();
    issuer.feed = (request, response) => answer(issuer.document({ entries: batch() }))(request, response);
    for (let step = 0; step < 4; step += 1) {
      expect(await explained(verifier, token)).toBe('good');
      pass(11);
    }
    expect(await verdictOf(verifier, token)).toBe('revoked, refresh');
    pass(2);
    expect(await verdictOf(verifier, issuer.token())).toBe('good');
  });

  it('polls in the background before a copy grows old, and counts the time in caches', async () => {
    const verifier = listening();
    const token = longLived();
    await verifier.verify(token);
    pass(8);
    const serve = issuer.feed;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    issuer.feed = (request, response) => void held.then(() => serve(request, response));
    // The answer to the poll is held back until the verdict is there.
    expect(await verdictOf(verifier, token)).toBe('good');
    release();
    const pollsSoFar = async () => {
      await verifier.verify(token);
      return polls();
    };
    expect(await until((count) => count === 2, pollsSoFar)).toBe(2);
    issuer.feed = (request, response) =>
      answer(issuer.document(), 200, { 'cache-control': 'max-age=10', age: '8' })(request, response);
    pass(10);
    expect(await until((count) => count === 3, pollsSoFar)).toBe(3);
    pass(1.5);
    expect(await until((count) => count === 4, pollsSoFar)).toBe(4);
  });

  it('believes what answers another cursor than the one it asked for at no time', async () => {
    const errors: Error[] = [];
    const verifier = listening(true, { onError: (error) => errors.push(error) });
    const token = longLived();
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ since: 'c2', cursor: 'c2' }))(request, response);
    for (let step = 0; step < 5; step += 1) {
      pass(10);
      await verdictOf(verifier, token);
    }
    expect(new Set(errors.map(({ message }) => message))).toEqual(
      new Set(['the copy of the revocation feed answers another cursor than the one asked for']),
    );
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('takes what is new since its cursor, and all in answer to whatever it asked', async () => {
    const verifier = listening();
    const exp = now() + 7200;
    const [one, other] = [
      { sid: uuidv7(), exp },
      { sid: uuidv7(), exp },
    ];
    const [first, second] = [issuer.token({ sid: one.sid, exp }), issuer.token({ sid: other.sid, exp })];
    expect(await verdictOf(verifier, first)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ since: 'c1', cursor: 'c2', entries: [one] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, first)).toBe('revoked, login');
    expect(await verdictOf(verifier, second)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ cursor: 'c3', entries: [other] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, second)).toBe('revoked, login');
    expect(await verdictOf(verifier, first)).toBe('revoked, login');
    issuer.feed = (request, response) => answer(issuer.document({ since: 'c3' }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, longLived())).toBe('good');
    const asked = issuer.asked.filter((url) => url.startsWith(FEED));
    expect(asked).toEqual([FEED, `${FEED}?cursor=c1`, `${FEED}?cursor=c2`, `${FEED}?cursor=c3`]);
  });

  it('a cursor that is not understood any more is given up', async () => {
    const verifier = listening();
    const token = longLived();
    issuer.feed = (request, response) =>
      request.url === FEED
        ? answer(issuer.document())(request, response)
        : answer('', 400)(request, response);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(2);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked.filter((url) => url.startsWith(FEED))).toEqual([FEED, `${FEED}?cursor=c1`, FEED]);
  });

  it('reads the key set again for as long as the feed says that a key was revoked', async () => {
    const verifier = listening();
    const other = newKey('ES256');
    issuer.keys = keySet([publicJwk(issuer.key), publicJwk(other)]);
    const token = issuer.token({}, other);
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.keys = keySet([publicJwk(issuer.key)]);
    issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ keys: true, exp: now() + 600 }] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, issuer.token())).toBe('good');
    expect(await verdictOf(verifier, token)).toBe('unknown_key, refresh');
  });

  it('a key that was revoked goes though an older reading of the key set was under way', async () => {
    const verifier = listening();
    const revoked = newKey('ES256');
    const before = keySet([publicJwk(issuer.key), publicJwk(revoked)], { 'cache-control': 'max-age=60' });
    const token = issuer.token({}, revoked);
    issuer.keys = before;
    expect(await verdictOf(verifier, token)).toBe('good');
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const readings = () => issuer.asked.length - polls();
    issuer.keys = (request, response) => {
      issuer.keys = keySet([publicJwk(issuer.key)]);
      void held.then(() => before(request, response));
    };
    issuer.feed = (request, response) => {
      answer(issuer.document({ entries: [{ keys: true, exp: now() + 600 }] }))(request, response);
      // What the older reading says is there when the feed was heard.
      setTimeout(release, 200);
    };
    pass(50);
    await verdictOf(verifier, issuer.token());
    expect(readings()).toBe(3);
    expect(await verdictOf(verifier, token)).toBe('unknown_key, refresh');
  });
});
