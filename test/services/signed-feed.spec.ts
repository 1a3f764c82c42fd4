import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { RevocationWindow } from '../../src/services/revocation-window.js';
import { cutOff } from '../../src/auth/revocation/cut-off.js';
import { createVerifier } from '../../src/verify/verify.entry.js';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { onServer } from '../support/database.js';
import { decodeToken, resign, signingKey } from '../support/jwt.js';
import { accessTokenOf, signIn, type SignedIn } from '../support/strategies.js';
import {
  claimsOf,
  cursorOf,
  entriesOf,
  explained,
  patient,
  type Entry,
  until,
  verdictOf,
} from '../support/signed-feed.js';

const itOnServer = onServer ? it : it.skip;
const FEED = '/.well-known/revocations';
const ISSUER = 'http://localhost:8000';

describe('signed revocation feed', () => {
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

  it('is a signed document of its own type with an expiry [J8]', async () => {
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

  it('lists an ended session until its last token has expired everywhere', async () => {
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

  it('omits sessions without tokens, or with expired ones only', async () => {
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

  it('lists revoked tokens of a session, of a user, of all users and of a key', async () => {
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

  it('answers a cursor with newer entries, and an old cursor with more', async () => {
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

  it('names the answered cursor in payload and ETag; an unknown cursor gets all entries', async () => {
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

  it('signs for a bounded number of cursors; others get all entries', async () => {
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
      const wholeOf = (replies: Awaited<ReturnType<typeof askAll>>) =>
        replies.filter(({ text }) => claimsOf(text)['since'] === null);
      // The turn of half a minute begins a new edition: both rounds within one. A transaction that is open anywhere on the
      // server holds back the cursors after it.
      const [first, second] = await until(
        ([one, other]) => one[0]?.text === other[0]?.text && wholeOf(one).length < 40,
        async () => [await askAll(), await askAll()] as const,
      );
      expect(new Set([...first, ...second].map(({ text }) => text)).size).toBeLessThanOrEqual(66);
      const whole = wholeOf(first);
      expect(whole.length).toBeGreaterThan(30);
      expect(whole.length).toBeLessThan(40);
      for (const reply of whole) expect(entriesOf(reply)).toHaveLength(100);
      for (const [index, { text }] of first.entries())
        expect([null, cursors[index]]).toContain(claimsOf(text)['since']);
    } finally {
      await crowded.close();
    }
  });

  it('starts again after a change of the database server', async () => {
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

  it('refuses a malformed cursor', async () => {
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

  it('answers 304 to current copies, on every node', async () => {
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
      for (const known of [etag, strong, `"x,y", ${etag}`, `${etag} , "y"`, '*']) {
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

  it('signs once for all concurrent requests, whatever their cursors', async () => {
    const cursors = Array.from({ length: 50 }, (_, index) => Buffer.from(`1.${index}`).toString('base64url'));
    const replies = await Promise.all([
      ...cursors.map((cursor) => app.client.get(`${FEED}?cursor=${cursor}`)),
      ...cursors.map(() => app.client.get(FEED)),
    ]);
    // Signatures of ES256 are random: the same text was signed once. A look may fall between them.
    expect(new Set(replies.map(({ text }) => text)).size).toBeLessThanOrEqual(2);
  });

  itOnServer('misses no transaction that commits late', async () => {
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

  it('lists fifty thousand entries; older ones become one cut-off', async () => {
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
      // More than this, and a verifier refuses the document.
      expect(reply.text.length).toBeLessThan(8 * 1024 * 1024);
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

  it('is 503 without the database, never outdated [O4]', async () => {
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

  it('is no access token [J8, incident 32]', async () => {
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
