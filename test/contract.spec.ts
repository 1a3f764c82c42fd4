import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from './support/app.js';
import { type Client, cookieValue, type Reply } from './support/client.js';
import { freshEmail, PASSWORD, type SignedIn, signIn, signUp, STRATEGIES } from './support/strategies.js';
import { given } from './support/given.js';

/** The black-box contract, replayed over every value of AUTH_STRATEGY. */
describe.each(STRATEGIES)(
  'the same contract with AUTH_STRATEGY=$strategy [pain 14]',
  ({ strategy, issues, accepts, credentialOf }) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    });
    afterAll(() => app.close());

    const me = (client: Client) => client.get('/me').then(({ body }) => body);
    const isOpen = async (client: Client) => (await client.get('/users/me')).status === 200;

    /** A sign-in whose credential travels in cookies, in either strategy. */
    const signInByCookie = async (email: string, headers: Record<string, string> = {}) => {
      const reply = await app.client.post(
        '/login',
        { email, password: PASSWORD, transport: 'cookie' },
        headers,
      );
      expect(reply.status).toBe(200);
      return { reply, cookie: cookieHeader(reply), sessionId: String(reply.body['session'].id) };
    };

    it('signs up, signs in, identifies the user, signs out, and the credential is dead [S4]', async () => {
      const credentials = { email: freshEmail(), password: PASSWORD };
      const signup = await app.client.post('/signup', credentials);
      expect(signup.status).toBe(201);
      expect(signup.body).toEqual({ id: expect.stringMatching(UUID_V7), message: 'Signup successful' });

      const login = await app.client.post('/login', credentials);
      expect(login.status).toBe(200);
      expect(login.body).toMatchObject({
        success: true,
        email: credentials.email,
        session: { id: expect.stringMatching(UUID_V7), strategy: issues },
      });
      const { created_at: createdAt, expires_at: expiresAt } = login.body['session'];
      expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(30 * 86_400_000);

      const client = app.client.with(credentialOf(login));
      expect(await me(client)).toEqual({ logged_in: true, email: credentials.email });
      const account = await client.get('/users/me');
      expect(account.status).toBe(200);
      expect(account.body).toEqual({
        id: signup.body['id'],
        email: credentials.email,
        email_verified: false,
        name: null,
        language: null,
        role: 'user',
        created_at: expect.stringMatching(/Z$/),
      });

      const logout = await client.post('/logout');
      expect(logout.status).toBe(200);
      expect(logout.body).toEqual({ logged_in: false });
      expect(await me(client)).toEqual({ logged_in: false, action: 'login' });
      expect((await client.get('/users/me')).status).toBe(401);
    });

    it('answers logged_in false without a credential, and 401 where one is required [B1]', async () => {
      expect((await app.client.get('/me')).body).toEqual({ logged_in: false });
      const refused = await app.client.get('/users/me');
      expect(refused.status).toBe(401);
      expect(refused.body).toMatchObject({ code: 'authentication_required', action: 'login' });
      expect(refused.headers['www-authenticate']).toBe('Bearer realm="traffy"');
    });

    it('marks a 401 for a dead credential as invalid_token in every strategy [B2]', async () => {
      const { client } = await signIn(app);
      await client.post('/logout');
      const refused = await client.get('/users/me');
      expect(refused.body).toMatchObject({ code: 'credential_revoked', action: 'login' });
      expect(refused.headers['www-authenticate']).toBe('Bearer realm="traffy", error="invalid_token"');
    });

    it('gives one answer to an unknown address, a wrong and an empty password [L5]', async () => {
      const email = await signUp(app);
      const attempts = [
        { email, password: 'not the passphrase at all' },
        { email, password: '' },
        { email: freshEmail(), password: PASSWORD },
        { email: freshEmail(), password: '' },
      ];
      const replies = await Promise.all(attempts.map((attempt) => app.client.post('/login', attempt)));
      for (const reply of replies) {
        expect(reply.status).toBe(401);
        expect(reply.body['code']).toBe('invalid_credentials');
        expect(withoutIds(reply)).toEqual(withoutIds(replies[0] as Reply));
      }
    });

    it('handles transport by strategy and never shows a cookie credential in a body [S11]', async () => {
      const email = await signUp(app);
      const { reply, cookie } = await signInByCookie(email);
      expect(Object.keys(reply.body).toSorted()).toEqual(['email', 'session', 'success']);
      expect(reply.text).not.toMatch(/trf_(st|rt)_|eyJ/);
      const names = reply.setCookies.map((line) => line.split('=')[0]).toSorted();
      expect(names).toEqual(issues === 'session' ? ['session'] : ['access_token', 'refresh_token']);
      expect(await me(app.client.with({ cookie }))).toEqual({ logged_in: true, email });
    });

    it('sets cookies HttpOnly, SameSite=Lax, host-only, for the rest of the session [S10]', async () => {
      const { reply } = await signInByCookie(await signUp(app));
      expect(reply.setCookies).not.toHaveLength(0);
      for (const line of reply.setCookies) {
        const [, ...attributes] = line.split('; ');
        expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=2592000', 'Path=/', 'SameSite=Lax']);
        expect(Buffer.byteLength(line)).toBeLessThan(4096);
      }
    });

    it('answers every credential reply with no-store [S12, B3]', async () => {
      const { reply, client } = await signIn(app);
      const replies = [
        reply,
        await client.get('/me'),
        await client.get('/users/me'),
        await client.post('/logout'),
      ];
      for (const { headers } of replies) expect(headers['cache-control']).toBe('no-store');
    });

    it('ends the live session of a credential that is sent with a sign-in; ids never repeat [S2, S3, incident 1, incident 3, incident 21]', async () => {
      const email = await signUp(app);
      const first = await signIn(app, email);
      const reply = await first.client.post('/login', { email, password: PASSWORD });
      expect(reply.status).toBe(200);
      expect(reply.body['session'].id).not.toBe(first.sessionId);
      expect(await isOpen(first.client)).toBe(false);
      expect(await isOpen(app.client.with(credentialOf(reply)))).toBe(true);
    });

    it('never adopts a cookie that was planted before sign-in [incident 2]', async () => {
      const planted = `session=trf_st_${'A'.repeat(43)}; access_token=planted; refresh_token=trf_rt_${'A'.repeat(43)}`;
      const email = await signUp(app);
      const { reply } = await signInByCookie(email, { cookie: planted });
      expect(await me(app.client.with({ cookie: planted }))).toEqual({ logged_in: false, action: 'login' });
      expect(cookieHeader(reply)).not.toContain('AAAA');
    });

    it('clears the cookies of the replaced session', async () => {
      const reply = await app.client.post(
        '/login',
        { email: await signUp(app), password: PASSWORD, transport: 'cookie' },
        { cookie: 'session=old; access_token=old; refresh_token=old' },
      );
      const cleared = reply.setCookies
        .filter((line) => line.includes('Max-Age=0'))
        .map((line) => line.split('=')[0]);
      const stale = issues === 'session' ? ['access_token', 'refresh_token'] : ['session'];
      expect(cleared.toSorted()).toEqual(stale.flatMap((name) => [`__Host-${name}`, name]).toSorted());
    });

    describe('several credentials in one request', () => {
      let first: SignedIn;
      let cookie: string;
      beforeAll(async () => {
        first = await signIn(app);
        ({ cookie } = await signInByCookie(first.email));
      });

      it('ignores dead ones if one is live', async () => {
        const stale = await app.client.get('/me', {
          authorization: 'Bearer nonsense',
          cookie: `${cookie}; session=x`,
        });
        expect(stale.body).toEqual({ logged_in: true, email: first.email });
      });

      it('tries every value of a duplicate cookie [pain 15]', async () => {
        const [name = ''] = cookie.split('=');
        const twice = await app.client.get('/me', { cookie: `${name}=stale; ${cookie}` });
        expect(twice.body).toEqual({ logged_in: true, email: first.email });
      });

      it('checks at most four values of a cookie', async () => {
        const [name = ''] = cookie.split('=');
        const stale = (count: number) =>
          Array.from({ length: count }, (_, i) => `${name}=stale${i}`).join('; ');
        const repeated = Array.from({ length: 50 }, () => `${name}=stale0`).join('; ');
        expect(
          (await app.client.get('/me', { cookie: `${stale(3)}; ${repeated}; ${cookie}` })).body,
        ).toMatchObject({
          logged_in: true,
        });
        expect((await app.client.get('/me', { cookie: `${stale(4)}; ${cookie}` })).body).toMatchObject({
          logged_in: false,
        });
      });

      it('refuses live ones of different users with 400, but signs all of them out', async () => {
        // Two cookies of the same kind: possible in every strategy.
        const other = await signInByCookie(await signUp(app));
        const mine = await signInByCookie(await signUp(app));
        const both = app.client.with({ cookie: `${mine.cookie}; ${other.cookie}` });
        for (const reply of [
          await both.get('/me'),
          await both.get('/users/me'),
          await both.post('/login', { email: first.email, password: PASSWORD }),
        ]) {
          expect(reply.status).toBe(400);
          expect(reply.body['code']).toBe('conflicting_credentials');
        }
        expect((await both.post('/logout')).status).toBe(200);
        expect(await isOpen(app.client.with({ cookie: mine.cookie }))).toBe(false);
        expect(await isOpen(app.client.with({ cookie: other.cookie }))).toBe(false);
      });
    });

    describe('logout', () => {
      it('is idempotent and needs no credential [pain 19]', async () => {
        for (const reply of [await app.client.post('/logout'), await app.client.post('/logout', {})]) {
          expect(reply.status).toBe(200);
          expect(reply.body).toEqual({ logged_in: false });
        }
      });

      it('clears every known cookie in both spellings [S12]', async () => {
        const { setCookies } = await app.client.post('/logout');
        const names = setCookies.map((line) => line.split('=')[0]).toSorted();
        const all = ['session', 'access_token', 'refresh_token'].flatMap((name) => [name, `__Host-${name}`]);
        expect(names).toEqual(all.toSorted());
        for (const line of setCookies) expect(line).toContain('Max-Age=0');
      });

      it('ends only the presented session', async () => {
        const first = await signIn(app);
        const second = await signIn(app, first.email);
        await first.client.post('/logout');
        expect(await isOpen(first.client)).toBe(false);
        expect(await isOpen(second.client)).toBe(true);
      });

      it('ends the others with scope=others, all with scope=global', async () => {
        const first = await signIn(app);
        const second = await signIn(app, first.email);
        const third = await signIn(app, first.email);
        expect((await first.client.post('/logout?scope=others')).status).toBe(200);
        expect(await Promise.all([first, second, third].map(({ client }) => isOpen(client)))).toEqual([
          true,
          false,
          false,
        ]);
        const fourth = await signIn(app, first.email);
        expect((await first.client.post('/logout?scope=global')).status).toBe(200);
        expect(await isOpen(first.client)).toBe(false);
        expect(await isOpen(fourth.client)).toBe(false);
      });

      it('keeps the cookies with scope=others', async () => {
        const { cookie } = await signInByCookie(await signUp(app));
        const reply = await app.client.post('/logout?scope=others', undefined, { cookie });
        expect(reply.setCookies).toEqual([]);
        expect(await isOpen(app.client.with({ cookie }))).toBe(true);
      });

      it('with scope=global ends all sessions of every presented user', async () => {
        const mine = await signInByCookie(await signUp(app));
        const email = await signUp(app);
        const other = await signInByCookie(email);
        const elsewhere = await signIn(app, email);
        const both = { cookie: `${mine.cookie}; ${other.cookie}` };
        expect((await app.client.post('/logout?scope=global', undefined, both)).status).toBe(200);
        for (const { cookie } of [mine, other]) expect(await isOpen(app.client.with({ cookie }))).toBe(false);
        expect(await isOpen(elsewhere.client)).toBe(false);
      });

      it('requires a live credential for others and global, and refuses other scopes', async () => {
        const { client } = await signIn(app);
        expect((await app.client.post('/logout?scope=global')).status).toBe(401);
        const unknown = await client.post('/logout?scope=everything');
        expect(unknown.status).toBe(400);
        expect(unknown.body['errors']).toEqual([
          { path: 'scope', message: 'must be local, others or global' },
        ]);
        expect(await isOpen(client)).toBe(true);
        await client.post('/logout');
        expect((await client.post('/logout?scope=others')).status).toBe(401);
      });

      it('never shows one user the account of another in the same browser [incident 22]', async () => {
        const alice = await signInByCookie(await signUp(app));
        await app.client.post('/logout');
        const bob = await signUp(app);
        const next = await signInByCookie(bob);
        expect(next.sessionId).not.toBe(alice.sessionId);
        expect(await me(app.client.with({ cookie: next.cookie }))).toEqual({ logged_in: true, email: bob });
      });
    });

    describe('session expiry', () => {
      it('applies at the absolute limit, whatever the cookie says [S7, incident 4]', async () => {
        const { client, sessionId } = await signIn(app);
        await app.query(
          sql`update sessions set created_at = created_at - interval '31 days', expires_at = now() - interval '1 second' where id = ${sessionId}`,
        );
        expect(await me(client)).toEqual({ logged_in: false, action: 'login' });
        expect((await client.get('/users/me')).body['code']).toBe('credential_expired');
      });

      it('applies after SESSION_IDLE_TTL without use [S7]', async () => {
        const { client, sessionId } = await signIn(app);
        await given.unusedSession(app, sessionId, '13 days');
        expect(await isOpen(client)).toBe(true);
        await given.unusedSession(app, sessionId, '14 days 1 second');
        expect(await isOpen(client)).toBe(false);
      });

      it('applies when the account is deleted [S5, J9]', async () => {
        const { client, email } = await signIn(app);
        await app.query(sql`delete from users where email = ${email}`);
        expect(await me(client)).toEqual({ logged_in: false, action: 'login' });
        expect((await client.get('/users/me')).status).toBe(401);
      });

      it('revokes the oldest sessions beyond SESSIONS_PER_USER, also under parallel sign-ins [S9]', async () => {
        const email = await signUp(app);
        const first = await signIn(app, email);
        await Promise.all(Array.from({ length: 24 }, () => signIn(app, email)));
        expect(await isOpen(first.client)).toBe(false);
        const [row] = await app.query(
          sql<{ live: number }>`select count(*)::int as live from sessions s join users u on u.id = s.user_id
          where u.email = ${email} and s.revoked_at is null`,
        );
        expect(row?.live).toBe(20);
      });
    });

    it('stores only hashes of issued credentials [S1, pain 20]', async () => {
      const { cookie } = await signInByCookie(await signUp(app));
      const secrets = cookie.match(/trf_(?:st|rt)_[\w-]{43}/g) ?? [];
      expect(secrets).toHaveLength(1);
      const [row] = await app.query(
        sql<{
          dump: string;
        }>`select concat((select json_agg(s) from sessions s), (select json_agg(r) from refresh_tokens r)) as dump`,
      );
      for (const secret of secrets) {
        expect(row?.dump).not.toContain(secret);
        expect(row?.dump).not.toContain(Buffer.from(secret).toString('hex'));
      }
    });

    it('accepts the listed kinds of credential and no others [S13]', async () => {
      const carriers = await signInEachWay(app);
      for (const { kind, headers } of carriers) {
        const reply = await app.client.get('/me', headers);
        expect(reply.body).toMatchObject({ logged_in: (accepts as readonly string[]).includes(kind) });
      }
    });

    it('ends a session at sign-out and sign-in by a credential whose kind is not accepted', async () => {
      for (const act of ['/logout', '/login']) {
        const email = await signUp(app);
        for (const { strategy: other } of STRATEGIES.filter((row) => row.accepts.length === 1)) {
          const node = await startApp({ env: { AUTH_STRATEGY: other }, sibling: app, force: true });
          const { headers, client } = await signIn(node, email);
          await app.client.post(act, act === '/login' ? { email, password: PASSWORD } : undefined, headers);
          expect(await isOpen(client)).toBe(false);
          await node.close();
        }
      }
    });

    it('prefers Authorization over cookies of the same user where both kinds are accepted', async () => {
      const carriers = (await signInEachWay(app)).filter(({ kind }) =>
        (accepts as readonly string[]).includes(kind),
      );
      const both = Object.assign({}, ...carriers.map(({ headers }) => headers)) as Record<string, string>;
      expect((await app.client.post('/logout?scope=others', undefined, both)).status).toBe(200);
      const alive = await Promise.all(carriers.map(({ headers }) => isOpen(app.client.with(headers))));
      const winner = accepts.length === 2 ? 'jwt' : accepts[0];
      expect(alive).toEqual(carriers.map(({ kind }) => kind === winner));
    });

    it('never writes on GET /me', async () => {
      const { client, sessionId } = await signIn(app);
      const stamp = () =>
        app.query(sql<{ xmin: string }>`select xmin::text from sessions where id = ${sessionId}`);
      const before = await stamp();
      for (let call = 0; call < 5; call += 1) await client.get('/me');
      expect(await stamp()).toEqual(before);
    });
  },
);

describe('with an https PUBLIC_URL', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { PUBLIC_URL: 'https://auth.example.com', AUTH_STRATEGY: 'jwt,session' } });
  });
  afterAll(() => app.close());

  it('prefixes cookie names with __Host-, sets Secure, and reads both spellings [S10]', async () => {
    const email = await signUp(app);
    const reply = await app.client.post('/login', { email, password: PASSWORD, transport: 'cookie' });
    expect(reply.setCookies.map((line) => line.split('=')[0])).toEqual([
      '__Host-access_token',
      '__Host-refresh_token',
    ]);
    for (const line of reply.setCookies) expect(line).toMatch(/; Secure(;|$)/);
    const token = cookieValue(reply, '__Host-access_token');
    for (const name of ['__Host-access_token', 'access_token']) {
      expect((await app.client.get('/me', { cookie: `${name}=${token}` })).body).toEqual({
        logged_in: true,
        email,
      });
    }
  });

  it('keeps two instances on one host apart by COOKIE_PREFIX', async () => {
    const one = await startApp({
      env: { PUBLIC_URL: 'https://auth.example.com', AUTH_STRATEGY: 'jwt,session', COOKIE_PREFIX: 'one-' },
    });
    const jar = async (node: TestApp) => {
      const credentials = { email: await signUp(node), password: PASSWORD };
      const reply = await node.client.post('/login', { ...credentials, transport: 'cookie' });
      return reply.setCookies.map((line) => line.split(';')[0]).join('; ');
    };
    const both = `${await jar(one)}; ${await jar(app)}`;
    expect(both).toContain('__Host-one-access_token=');
    const out = await one.client.post('/logout', undefined, { cookie: both });
    expect(out.setCookies.every((line) => /^(__Host-)?one-/.test(line))).toBe(true);
    expect((await one.client.get('/users/me', { cookie: both })).status).toBe(401);
    expect((await app.client.get('/users/me', { cookie: both })).status).toBe(200);
    await one.close();
  });

  it('ignores plain cookies beside prefixed ones: a sibling host can plant only plain ones', async () => {
    const victim = await signUp(app);
    const attacker = await signUp(app);
    const tokenOf = async (email: string) => {
      const reply = await app.client.post('/login', { email, password: PASSWORD, transport: 'cookie' });
      return cookieValue(reply, '__Host-access_token');
    };
    const own = `__Host-access_token=${await tokenOf(victim)}`;
    const planted = await tokenOf(attacker);
    for (const cookie of [`access_token=${planted}; ${own}`, `${own}; access_token=${planted}; session=x`]) {
      expect((await app.client.get('/me', { cookie })).body).toEqual({ logged_in: true, email: victim });
    }
  });

  it('sends Strict-Transport-Security for a year, subdomains included [C6]', async () => {
    const { headers } = await app.client.get('/me');
    expect(headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains');
  });
});

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function cookieHeader(reply: Reply): string {
  return reply.setCookies
    .filter((line) => !line.includes('Max-Age=0'))
    .map((line) => line.split(';')[0])
    .join('; ');
}

/** What a reply shows apart from what differs in every reply. */
function withoutIds(reply: Reply): unknown {
  const { request_id: _id, ...body } = reply.body;
  const { date: _date, 'x-request-id': _requestId, ...headers } = reply.headers;
  return { body, headers };
}

/** A live credential of each kind for one account, made by other nodes on the same database. */
async function signInEachWay(app: TestApp): Promise<{ kind: string; headers: Record<string, string> }[]> {
  const email = await signUp(app);
  const carriers = [];
  for (const { strategy, issues } of STRATEGIES.filter((row) => row.accepts.length === 1)) {
    const node = await startApp({ env: { AUTH_STRATEGY: strategy }, sibling: app, force: true });
    carriers.push({ kind: issues, headers: (await signIn(node, email)).headers });
    await node.close();
  }
  return carriers;
}
