import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { cutOff } from '../../src/auth/revocation/cut-off.js';
import { createVerifier, type Verifier } from '../../src/verify/verify.entry.js';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { accessClaims, issueToken, newKey, storeKey } from '../support/jwt.js';
import { accessTokenOf, signIn } from '../support/strategies.js';
import { claimsOf, cursorOf, entriesOf, until, verdictOf } from '../support/signed-feed.js';

const FEED = '/.well-known/revocations';
const ISSUER = 'http://localhost:8000';

const becomes = (wanted: string, ask: () => Promise<string>, seconds?: number) =>
  until((value) => value === wanted, ask, seconds);

describe('verifier with the feed', () => {
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

  it('refuses a signed-out token within ten seconds without a call per request [pain 3]', async () => {
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

  it('learns of tokens of a session, a user and all users, and accepts later ones', async () => {
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

  it('drops a revoked key before its key set expires', async () => {
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

  it('accepts newer entries only in answer to its own cursor [pain 3]', async () => {
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

  it('requests newer entries only, and gets 304 if there are none', async () => {
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
