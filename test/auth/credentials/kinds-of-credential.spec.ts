import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { createToken, hashToken } from '../../../src/auth/credentials/opaque-token.js';
import { startApp, type TestApp } from '../../support/app.js';
import { type Reply } from '../../support/client.js';
import { accessClaims, decodeToken, issueToken, resign, signingKey } from '../../support/jwt.js';
import { PASSWORD, signIn, STRATEGIES } from '../../support/strategies.js';
import { errorsIn, verdictOf } from '../../support/access-tokens.js';

/** Every kind of credential and of identifier that could pass for one, all of two live sessions of one person. */
async function allKinds(app: TestApp) {
  const person = await signIn(app);
  const [sid, withCookie] = [uuidv7(), uuidv7()];
  const [row] = await app.query(
    sql<{ user_id: string }>`select user_id from sessions where id = ${person.sessionId}`,
  );
  const sub = String(row?.user_id);
  const [session, refresh] = [createToken('trf_st_'), createToken('trf_rt_')];
  await app.query(
    sql`insert into sessions (id, user_id, strategy, methods, expires_at, secret_hash)
        select new.id, s.user_id, new.strategy, s.methods, s.expires_at, new.secret_hash from sessions s,
          (values (${sid}::uuid, 'jwt', null::bytea), (${withCookie}::uuid, 'session', ${hashToken(session)}::bytea)) as new(id, strategy, secret_hash)
        where s.id = ${person.sessionId}`,
  );
  await app.query(
    sql`insert into refresh_tokens (token_hash, session_id) values (${hashToken(refresh)}, ${sid})`,
  );
  const key = await signingKey(app);
  const access = issueToken(key, accessClaims(app, { sub, sid }));
  const { claims } = decodeToken(access);
  const noCredentials = {
    'session id': sid,
    'user id': sub,
    'token id': String(claims['jti']),
    'key id': key.kid,
    'ID token': resign(access, key, { header: { typ: 'JWT' }, claims: { nonce: 'n' } }),
    'logout token': resign(access, key, { header: { typ: 'logout+jwt' } }),
    'hash of the session cookie': hashToken(session).toString('base64url'),
    'session secret with the refresh prefix': session.replace('trf_st_', 'trf_rt_'),
    'refresh secret with the session prefix': refresh.replace('trf_rt_', 'trf_st_'),
    'session secret without its prefix': session.slice(7),
    'refresh secret without its prefix': refresh.slice(7),
    'session cookie never issued': createToken('trf_st_'),
    'refresh token never issued': createToken('trf_rt_'),
    password: PASSWORD,
    email: encodeURIComponent(person.email),
  };
  return { session, access, refresh, ...noCredentials };
}

describe.each(STRATEGIES)(
  'every kind of credential in every place with AUTH_STRATEGY=$strategy',
  ({ strategy, accepts }) => {
    let app: TestApp;
    let kinds: Awaited<ReturnType<typeof allKinds>>;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
      kinds = await allKinds(app);
    });
    afterAll(() => app.close());

    /** Which kinds open a place; the others are refused with a 401. */
    async function openers(ask: (value: string) => Promise<Reply>): Promise<string[]> {
      const statuses: [string, number][] = [];
      for (const [kind, value] of Object.entries(kinds)) statuses.push([kind, (await ask(value)).status]);
      expect(statuses.filter(([, status]) => status !== 200 && status !== 401)).toEqual([]);
      return statuses.filter(([, status]) => status === 200).map(([kind]) => kind);
    }

    const tokens = accepts.some((kind) => kind === 'jwt');
    const cookies = accepts.some((kind) => kind === 'session');

    it('only the designed combinations succeed [S13, J8, incident 24, incident 32]', async () => {
      const me = (headers: Record<string, string>) => app.client.get('/users/me', headers);
      const access = tokens ? ['access'] : [];
      const session = cookies ? ['session'] : [];
      expect(await openers((value) => me({ authorization: `Bearer ${value}` }))).toEqual(access);
      expect(await openers((value) => me({ authorization: value }))).toEqual([]);
      expect(await openers((value) => me({ cookie: `access_token=${value}` }))).toEqual(access);
      expect(await openers((value) => me({ cookie: `__Host-access_token=${value}` }))).toEqual(access);
      expect(await openers((value) => me({ cookie: `session=${value}` }))).toEqual(session);
      expect(await openers((value) => me({ cookie: `__Host-session=${value}` }))).toEqual(session);
      expect(await openers((value) => me({ cookie: `refresh_token=${value}` }))).toEqual([]);
      expect(errorsIn(app)).toEqual([]);
    });

    it('only a refresh token refreshes, in the body or in its cookie [S13]', async () => {
      const { refresh, ...others } = kinds;
      for (const [kind, value] of Object.entries(others)) {
        // In a body an access token is also too long for a refresh token.
        const body = verdictOf(await app.client.post('/refresh', { refresh_token: value }));
        expect([kind, body]).toEqual([
          kind,
          expect.stringMatching(/^(401 refresh_invalid|400 validation_failed)$/),
        ]);
        const headers = { cookie: `refresh_token=${value}` };
        const cookie = verdictOf(await app.client.post('/refresh', undefined, headers));
        expect([kind, cookie]).toEqual([kind, '401 refresh_invalid']);
      }
      for (const cookie of [`session=${refresh}`, `access_token=${refresh}`]) {
        expect(verdictOf(await app.client.post('/refresh', undefined, { cookie }))).toBe(
          '401 refresh_invalid',
        );
      }
      const bearer = await app.client.post('/refresh', undefined, { authorization: `Bearer ${refresh}` });
      expect(verdictOf(bearer)).toBe('401 refresh_invalid');

      const reply = await app.client.post('/refresh', { refresh_token: refresh });
      expect(verdictOf(reply)).toBe(tokens ? '200' : '401 refresh_invalid');
    });

    it('a refresh cookie alone asks for a refresh where tokens are accepted', async () => {
      const meOf = async (value: string) =>
        (await app.client.get('/me', { cookie: `refresh_token=${value}` })).body;
      const asks = tokens ? { action: 'refresh' } : {};
      expect(await meOf(kinds.refresh)).toEqual({ logged_in: false, ...asks });
      expect(await meOf('of-another-application')).toEqual({ logged_in: false });
      const cookie = `refresh_token=${kinds.refresh}`;
      expect((await app.client.get('/users/me', { cookie })).body).toMatchObject(
        tokens
          ? { code: 'credential_expired', action: 'refresh' }
          : { code: 'authentication_required', action: 'login' },
      );
      // Every other credential says more.
      const other = await app.client.get('/me', { cookie: `session=old; ${cookie}` });
      expect(other.body).toEqual({ logged_in: false, action: 'login' });
    });

    it('no combination ended the session [S13]', async () => {
      const headers = cookies
        ? { cookie: `session=${kinds.session}` }
        : { authorization: `Bearer ${kinds.access}` };
      expect((await app.client.get('/users/me', headers)).status).toBe(200);
    });
  },
);
