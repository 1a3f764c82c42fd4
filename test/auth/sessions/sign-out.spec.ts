import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { KeyAdministration } from '../../../src/auth/keys/key-administration.service.js';
import { RevocationFeed } from '../../../src/auth/revocation/revocation-feed.service.js';
import { reauthenticate } from '../../support/account.js';
import { startApp, type TestApp } from '../../support/app.js';
import { cookieValue, type Reply } from '../../support/client.js';
import { Holder } from '../../support/holder.js';
import { decodeToken, newKey, resign, signingKey } from '../../support/jwt.js';
import { makeDue, publishedKids, round } from '../../support/signing-keys.js';
import { PASSWORD } from '../../support/strategies.js';

/** Two nodes of one service, in the middle of a change of strategy: one issues cookies, one issues tokens. */
let cookies: TestApp;
let tokens: TestApp;
beforeAll(async () => {
  cookies = await startApp({ env: { AUTH_STRATEGY: 'session,jwt' } });
  tokens = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' }, sibling: cookies });
});
afterAll(async () => {
  await tokens.close();
  await cookies.close();
});

const OUT = { status: 200, body: { logged_in: false } };
const NOT_RECOGNIZED = { status: 200, body: { logged_in: false, action: 'login' } };

const answerOf = ({ status, body }: Reply) => ({ status, body });
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

async function isLive(holder: Holder): Promise<boolean> {
  const statuses = await Promise.all([cookies, tokens].map(async (app) => (await holder.open(app)).status));
  return statuses.every((status) => status === 200);
}

/** Whether the row of a session says that it was signed out. */
async function isOver({ sessionId }: Holder): Promise<boolean> {
  const [row] = await cookies.query(
    sql<{ reason: string | null }>`select revoked_reason as reason from sessions where id = ${sessionId}`,
  );
  return row?.reason === 'logout';
}

/** Signs out with headers or a body, on the node that did not issue. */
async function signOut(app: TestApp, headers: Record<string, string>, body?: object) {
  return answerOf(await app.client.post('/logout', body, headers));
}

describe('a credential that was replaced', () => {
  const replacements = {
    'a re-authentication': (holder: Holder) => reauthenticate(cookies, holder),
    'a change of the password': async (holder: Holder) => {
      const body = { current_password: PASSWORD, new_password: 'another long passphrase' };
      const reply = await cookies.client.post('/password', body, holder.headers);
      holder.take(reply);
      return reply;
    },
  };
  it.each(Object.entries(replacements))('by %s signs out from another tab [S15]', async (_what, replace) => {
    const tab = await Holder.signIn(cookies);
    const otherTab = tab.copy();
    expect((await replace(tab)).status).toBe(204);
    expect((await otherTab.open(tokens)).status).toBe(401);
    expect(await isLive(tab)).toBe(true);
    expect(await signOut(tokens, otherTab.headers)).toEqual(OUT);
    expect((await tab.open(tokens)).body['code']).toBe('credential_revoked');
    expect(await isOver(tab)).toBe(true);
  });

  /** Exchanges the credential of a holder on a node, and uses the new one until the old one is dead. */
  async function exchangedAt(app: TestApp, holder: Holder): Promise<Holder> {
    const old = holder.copy();
    const reply = await holder.exchange(app);
    expect(reply.status).toBe(200);
    holder.take(reply);
    for (;;) {
      expect((await holder.open(app)).status).toBe(200);
      if ((await old.open(app)).status === 401) return old;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('by an exchange for tokens signs out [S15]', async () => {
    const holder = await Holder.signIn(cookies);
    const old = await exchangedAt(tokens, holder);
    expect(await signOut(cookies, old.headers)).toEqual(OUT);
    expect(await isOver(holder)).toBe(true);
  });

  it.each(['access', 'refresh'] as const)(
    'by an exchange for a cookie signs out: the %s token [S15]',
    async (which) => {
      const holder = await Holder.signIn(tokens);
      const old = await exchangedAt(cookies, holder);
      const refused = await tokens.client.post('/refresh', { refresh_token: old.refreshToken });
      expect(refused.body['code']).toBe('refresh_invalid');
      expect(await isLive(holder)).toBe(true);
      const answer =
        which === 'access'
          ? await signOut(tokens, old.headers)
          : await signOut(tokens, {}, { refresh_token: old.refreshToken });
      expect(answer).toEqual(OUT);
      expect(await isOver(holder)).toBe(true);
    },
  );

  it('before it was used, by the end of its exchange, signs out [S15]', async () => {
    const holder = await Holder.signIn(tokens);
    const cookie = cookieValue(await holder.exchange(cookies), 'session');
    expect((await reauthenticate(tokens, holder)).status).toBe(204);
    const headers = { cookie: `session=${cookie}` };
    expect((await cookies.client.get('/users/me', headers)).status).toBe(401);
    expect(await signOut(tokens, headers)).toEqual(OUT);
    expect(await isOver(holder)).toBe(true);
  });

  it('is a refresh token of any age: the first of a lineage signs out [S15]', async () => {
    const holder = await Holder.signIn(tokens);
    const first = holder.refreshToken;
    for (let rounds = 0; rounds < 10; rounds += 1) holder.take(await holder.refresh(tokens));
    expect(await signOut(cookies, {}, { refresh_token: first })).toEqual(OUT);
    expect(await isOver(holder)).toBe(true);
  });

  it('is one of the last eight cookies: an older one names nothing, and the answer says so [S15, S16]', async () => {
    const holder = await Holder.signIn(cookies);
    const former = [holder.copy()];
    for (let rounds = 0; rounds < 9; rounds += 1) {
      await reauthenticate(cookies, holder);
      former.push(holder.copy());
    }
    expect(await signOut(tokens, former[0]?.headers ?? {})).toEqual(NOT_RECOGNIZED);
    expect(await isLive(holder)).toBe(true);
    expect(await signOut(tokens, former[1]?.headers ?? {})).toEqual(OUT);
    expect(await isOver(holder)).toBe(true);
  });
});

describe('a sign-out', () => {
  const PLACES = {
    Authorization: (value: string) => ({ headers: bearer(value), body: undefined }),
    'the session cookie': (value: string) => ({ headers: { cookie: `session=${value}` }, body: undefined }),
    'the access_token cookie': (value: string) => ({
      headers: { cookie: `access_token=${value}` },
      body: undefined,
    }),
    'the refresh_token cookie': (value: string) => ({
      headers: { cookie: `refresh_token=${value}` },
      body: undefined,
    }),
    'the body': (value: string) => ({ headers: {}, body: { refresh_token: value } }),
  };

  it.each(Object.entries(PLACES))('finds every kind of credential in %s [S16]', async (_place, put) => {
    const kinds = {
      cookie: async () => {
        const holder = await Holder.signIn(cookies);
        return { holder, value: holder.headers['cookie']?.replace('session=', '') };
      },
      accessToken: async () => {
        const holder = await Holder.signIn(tokens);
        return { holder, value: holder.bearer };
      },
      expiredAccessToken: async () => {
        const holder = await Holder.signIn(tokens);
        const now = Math.floor(Date.now() / 1000);
        const claims = { iat: now - 7200, nbf: now - 7205, exp: now - 3600 };
        return { holder, value: resign(holder.bearer, await signingKey(tokens), { claims }) };
      },
      accessTokenForAnother: async () => {
        const holder = await Holder.signIn(tokens);
        const claims = { aud: 'https://another.example' };
        return { holder, value: resign(holder.bearer, await signingKey(tokens), { claims }) };
      },
      refreshToken: async () => {
        const holder = await Holder.signIn(tokens);
        return { holder, value: holder.refreshToken };
      },
    };
    for (const [kind, issue] of Object.entries(kinds)) {
      const { holder, value = '' } = await issue();
      const { headers, body } = put(value);
      const app = kind === 'cookie' ? tokens : cookies;
      expect({ kind, ...(await signOut(app, headers, body)) }).toEqual({ kind, ...OUT });
      expect({ kind, isOver: await isOver(holder) }).toEqual({ kind, isOver: true });
      // It ended: it is named still.
      expect({ kind, ...(await signOut(app, headers, body)) }).toEqual({ kind, ...OUT });
    }
  });

  it('reports a credential of our form that names no session, whatever else it ended [S16]', async () => {
    const holder = await Holder.signIn(tokens);
    const stranger = newKey('ES256');
    const unknown = {
      cookie: `trf_st_${'A'.repeat(43)}`,
      refreshToken: `trf_rt_${'A'.repeat(43)}`,
      forged: resign(holder.bearer, stranger, { header: { kid: stranger.kid } }),
      forgedUnderOurKid: resign(holder.bearer, stranger, {}),
    };
    for (const [kind, value] of Object.entries(unknown)) {
      const places = [bearer(value), { cookie: `session=${value}` }, { cookie: `refresh_token=${value}` }];
      for (const headers of places)
        expect({ kind, ...(await signOut(cookies, headers)) }).toEqual({ kind, ...NOT_RECOGNIZED });
      expect(await signOut(cookies, {}, { refresh_token: value })).toEqual(NOT_RECOGNIZED);
    }
    expect(await isLive(holder)).toBe(true);
    const both = { ...holder.headers, cookie: `session=${unknown.cookie}` };
    expect(await signOut(tokens, both)).toEqual(NOT_RECOGNIZED);
    expect(await isOver(holder)).toBe(true);
  });

  it('reports nothing about credentials of others, or none [S16]', async () => {
    const { claims } = decodeToken((await Holder.signIn(tokens)).bearer);
    const foreign = resign((await Holder.signIn(tokens)).bearer, newKey('ES256'), {
      claims: { ...claims, iss: 'https://another.example' },
    });
    for (const value of ['', 'ghp_0123456789', 'not a token', foreign, 'x'.repeat(9000)])
      expect({ value, ...(await signOut(tokens, bearer(value))) }).toEqual({ value, ...OUT });
    expect(await signOut(tokens, { cookie: 'session=of-another-application' })).toEqual(OUT);
    expect(await signOut(tokens, {})).toEqual(OUT);
  });

  it('everywhere succeeds for a request that arrived while another one did it [S16]', async () => {
    const holder = await Holder.signIn(cookies);
    const elsewhere = await Holder.signIn(cookies, holder.email);
    const feed = tokens.running.app.get(RevocationFeed, { strict: false });
    for (const one of [holder, elsewhere]) expect((await one.open(tokens)).status).toBe(200);
    // The second node hears nothing between the two.
    const catchUp = feed.catchUp.bind(feed);
    feed.catchUp = async () => undefined;
    Object.defineProperty(feed, 'isFresh', { get: () => true, configurable: true });
    try {
      const everywhere = (app: TestApp, { headers }: Holder) =>
        app.client.post('/logout?scope=global', undefined, headers);
      expect(answerOf(await everywhere(cookies, holder))).toEqual(OUT);
      const later = await Holder.signIn(cookies, holder.email);
      for (const one of [holder, elsewhere]) {
        const second = await everywhere(tokens, one);
        expect(answerOf(second)).toEqual(OUT);
        expect(second.setCookies.length).toBeGreaterThan(0);
      }
      expect((await later.open(cookies)).status).toBe(200);
      // Nothing was done for this one.
      const others = await tokens.client.post('/logout?scope=others', undefined, holder.headers);
      expect(others.status).toBe(401);
    } finally {
      feed.catchUp = catchUp;
      Reflect.deleteProperty(feed, 'isFresh');
      await catchUp();
    }
  });
});

describe('an access token of a key that is gone', () => {
  /** Lets the current key be replaced, and every token of it have expired. */
  async function retireCurrentKey(): Promise<string> {
    const { kid } = await signingKey(tokens);
    await makeDue(tokens);
    await round(tokens);
    await tokens.query(sql`update signing_keys set tokens_expire_at = now() where kid = ${kid}`);
    for (const app of [tokens, cookies]) {
      await round(app);
      expect(await publishedKids(app)).not.toContain(kid);
    }
    return kid;
  }
  const administration = () => new KeyAdministration(tokens.running.database.database, tokens.config.auth);

  it('signs out if rotation retired the key, and not once an operator revoked it [S16]', async () => {
    const [holder, other] = [await Holder.signIn(tokens), await Holder.signIn(tokens)];
    const kid = await retireCurrentKey();
    expect(await signOut(cookies, holder.headers)).toEqual(OUT);
    expect(await isOver(holder)).toBe(true);
    const refreshed = await tokens.client.post('/refresh', { refresh_token: holder.refreshToken });
    expect(refreshed.body['code']).toBe('refresh_revoked');

    expect(await administration().revoke(kid)).toEqual({ status: 'revoked', changes: [] });
    expect(await signOut(cookies, other.headers)).toEqual(NOT_RECOGNIZED);
    expect(await isOver(other)).toBe(false);
  });

  it('does not sign out if an operator revoked the key that signed it [S16]', async () => {
    const holder = await Holder.signIn(tokens);
    const key = await signingKey(tokens);
    await administration().revoke(key.kid);
    const forged = resign(holder.bearer, key, { claims: { jti: uuidv7() } });
    for (const token of [holder.bearer, forged])
      expect(await signOut(cookies, bearer(token))).toEqual(NOT_RECOGNIZED);
    expect(await isOver(holder)).toBe(false);
    expect((await holder.refresh(tokens)).status).toBe(200);
  });
});
