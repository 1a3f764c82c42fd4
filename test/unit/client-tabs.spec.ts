import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.entry.js';
import { enterBrowser, returnToPage } from '../support/fake-browser.js';
import { EMAIL, type FakeTraffy, fakeTraffy } from '../support/fake-traffy.js';
import { until } from '../support/process.js';

const ORIGIN = 'https://auth.example.com';
const HOUR = 3_600_000;

const opened: Client[] = [];
let leave = () => undefined as void;
afterEach(() => {
  for (const client of opened.splice(0)) client.close();
  leave();
  jest.restoreAllMocks();
});

function tab(server: FakeTraffy, options: ClientOptions = {}): Client {
  const client = createClient({ fetch: server.fetch, ...options });
  opened.push(client);
  return client;
}

/** Waits until a client has asked who is signed in, as it does at its start. */
const started = (...clients: Client[]) =>
  until(() => clients.every(({ state }) => state.status !== 'unknown') || undefined);

describe.each([
  { missing: [] as const, name: 'Web Locks' },
  { missing: ['locks'] as const, name: 'a lease in the storage' },
])('two tabs with $name', ({ missing }) => {
  let server: FakeTraffy;
  let first: Client;
  let second: Client;
  beforeEach(async () => {
    leave = enterBrowser(ORIGIN, missing);
    server = fakeTraffy('cookie');
    first = tab(server);
    second = tab(server);
    await started(first, second);
    server.calls.length = 0;
  });

  it('renew an expired cookie once, and repeat each request once', async () => {
    server.expire();
    await Promise.all([first.account.get(), second.account.get(), first.sessions.list(), second.me()]);
    expect(server.count('POST /refresh')).toBe(1);
    expect(server.count('GET /users/me')).toBe(4);
    expect(server.count('GET /sessions')).toBe(2);
  });

  it('learn of a sign-out and a sign-in from each other', async () => {
    const seen: unknown[] = [];
    second.onChange((state) => seen.push(state));
    await first.signOut();
    await until(() => second.state.status === 'signed_out' || undefined);
    await first.signIn({ email: EMAIL, password: 'a long passphrase' });
    await until(() => second.state.status === 'signed_in' || undefined);
    expect(seen).toEqual([{ status: 'signed_out' }, { status: 'signed_in', email: EMAIL }]);
    expect(server.count('GET /me')).toBe(0);
  });

  it('never repeat a refused call of one user for another', async () => {
    const other = { body: { logged_in: true, email: 'other@example.com' } };
    server.answer('DELETE /users/me', {
      status: 401,
      body: { code: 'credential_revoked', action: 'login' },
    });
    // Another program has signed in another user in this browser.
    server.answer('GET /me', other);
    await expect(first.account.delete()).rejects.toMatchObject({ code: 'credential_revoked' });
    expect(server.count('DELETE /users/me')).toBe(1);
    expect(first.state).toEqual({ status: 'signed_in', email: 'other@example.com' });
  });

  it('end a refused session for both, and clear its cookies', async () => {
    server.expire();
    const reused = { status: 401, body: { code: 'refresh_reused', action: 'login' } };
    server.answer('POST /refresh', reused, reused);
    await expect(first.account.get()).rejects.toMatchObject({ code: 'refresh_reused' });
    await until(() => second.state.status === 'signed_out' || undefined);
    expect(server.count('POST /logout')).toBe(1);
  });

  it('stay signed in if the refresh gets no answer, or another kind of credential is live', async () => {
    server.expire();
    server.answer('POST /refresh', {
      status: 503,
      body: { code: 'overloaded' },
      headers: { 'retry-after': '3' },
    });
    await expect(first.account.get()).rejects.toMatchObject({ code: 'overloaded', retryAfter: 3 });
    expect(first.state).toEqual({ status: 'signed_in', email: EMAIL });
    server.answer('POST /refresh', { status: 401, body: { code: 'refresh_invalid', action: 'login' } });
    const dead = { body: { logged_in: false, action: 'refresh' } };
    server.answer('GET /me', dead, { body: { logged_in: true, email: EMAIL } });
    server.answer(
      'GET /users/me',
      { status: 401, body: { code: 'credential_expired', action: 'refresh' } },
      { body: { email: EMAIL } },
    );
    expect((await first.account.get()).email).toBe(EMAIL);
    expect(server.count('POST /logout')).toBe(0);
  });
});

describe('a page', () => {
  beforeEach(() => {
    leave = enterBrowser(ORIGIN);
  });

  it('exchanges at its start and on return, once an hour, over reloads', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(10 * HOUR);
    const server = fakeTraffy('cookie');
    const exchanges = () => server.count('POST /session/exchange');
    const page = tab(server);
    await until(() => exchanges() === 1 || undefined);
    returnToPage();
    await until(() => server.count('GET /me') === 2 || undefined);
    await page.me();
    await started(tab(server));
    expect(exchanges()).toBe(1);
    now.mockReturnValue(11 * HOUR);
    returnToPage();
    await until(() => exchanges() === 2 || undefined);
  });

  it('exchanges nothing while the user is signed out', async () => {
    const server = fakeTraffy('cookie');
    server.answer('GET /me', ...Array.from({ length: 4 }, () => ({ body: { logged_in: false } })));
    const page = tab(server);
    await started(page);
    await page.me();
    expect(server.count('POST /session/exchange')).toBe(0);
  });

  it('sends cookies to its own origin without CORS credentials, and to another one with them', async () => {
    const server = fakeTraffy('cookie');
    await tab(server).me();
    await tab(server, { baseUrl: 'https://other.example.com/' }).me();
    expect(new Set(server.requests.map(({ credentials }) => credentials))).toEqual(
      new Set(['same-origin', 'include']),
    );
    for (const { headers } of server.requests) expect(headers).not.toHaveProperty('authorization');
  });

  it('omits cookies from requests with a token', async () => {
    const server = fakeTraffy('bearer');
    const page = tab(server, { transport: 'bearer' });
    await page.signIn({ email: EMAIL, password: 'a long passphrase' });
    server.requests.length = 0;
    await page.account.get();
    expect(server.requests.length).toBeGreaterThan(0);
    for (const request of server.requests)
      expect(request).toMatchObject({ credentials: 'omit', headers: { authorization: 'Bearer at1' } });
  });
});

describe('two clients of one token storage', () => {
  it.each(['a browser', 'Node.js'])('refresh once in %s, and use the tokens of each other', async (place) => {
    leave = place === 'Node.js' ? () => undefined : enterBrowser(ORIGIN);
    const kept = new Map<string, string>();
    const storage = {
      get: (key: string) => kept.get(key),
      set: (key: string, value: string) => kept.set(key, value),
      remove: (key: string) => kept.delete(key),
    };
    const server = fakeTraffy('bearer');
    const options = { baseUrl: ORIGIN, transport: 'bearer', storage } as const;
    const [first, second] = [tab(server, options), tab(server, options)];
    await first.signIn({ email: EMAIL, password: 'a long passphrase' });
    server.expire();
    await Promise.all([first.account.get(), second.account.get()]);
    expect(server.count('POST /refresh')).toBe(1);
    expect(await second.accessToken()).toBe('at2');
    server.expire();
    server.answer('POST /refresh', { status: 401, body: { code: 'refresh_revoked', action: 'login' } });
    await expect(second.account.get()).rejects.toMatchObject({ code: 'refresh_revoked' });
    expect(kept.size).toBe(0);
    expect(second.state).toEqual({ status: 'signed_out' });
  });

  it('never repeat a refused call of one user with the token of another', async () => {
    leave = () => undefined;
    const kept = new Map<string, string>();
    const storage = {
      get: (key: string) => kept.get(key),
      set: (key: string, value: string) => kept.set(key, value),
      remove: (key: string) => kept.delete(key),
    };
    const sent: string[] = [];
    const server = fakeTraffy('bearer');
    const client = tab(server, {
      baseUrl: ORIGIN,
      storage,
      fetch: (input, init) => {
        if (init?.method !== 'DELETE') return server.fetch(input, init);
        sent.push((init.headers as Record<string, string>)['authorization'] ?? '');
        // Meanwhile, another tab signs in another user.
        for (const [key, value] of kept)
          kept.set(key, value.replace('at1', 'other').replace(EMAIL, 'other@example.com'));
        const body = { code: 'credential_revoked', action: 'login' };
        return Promise.resolve(Response.json(body, { status: sent.length === 1 ? 401 : 200 }));
      },
    });
    await client.signIn({ email: EMAIL, password: 'a long passphrase' });
    await expect(client.account.delete()).rejects.toMatchObject({ code: 'credential_revoked' });
    expect(sent).toEqual(['Bearer at1']);
  });

  it('have different keys for servers whose names differ in letters that a key cannot have', async () => {
    leave = () => undefined;
    const keys = new Set<string>();
    const storage = {
      get: (key: string) => void keys.add(key),
      set: () => undefined,
      remove: () => undefined,
    };
    const server = fakeTraffy('bearer');
    for (const host of ['ä.example', 'ö.example', 'example:8443', 'example-8443'])
      await tab(server, { baseUrl: `https://${host}`, storage }).accessToken();
    expect(keys.size).toBe(4);
  });

  it.each(['', '.', '..'])('refuse %j as an id: it would be another path', async (id) => {
    leave = () => undefined;
    const server = fakeTraffy('bearer');
    const client = tab(server, { baseUrl: ORIGIN });
    await expect(client.sessions.end(id)).rejects.toThrow(TypeError);
    expect(server.calls).toEqual([]);
  });

  it('follow no redirect, which would pass passwords on', async () => {
    leave = () => undefined;
    const server = fakeTraffy('bearer');
    const client = tab(server, {
      baseUrl: ORIGIN,
      fetch: (_input, init) => {
        expect(init?.redirect).toBe('manual');
        return Promise.resolve(
          new Response(null, { status: 307, headers: { location: 'https://evil.example' } }),
        );
      },
    });
    await expect(client.signIn({ email: EMAIL, password: 'a long passphrase' })).rejects.toMatchObject({
      code: 'unexpected_reply',
      status: 307,
    });
  });

  it('renew a token that is about to expire before they hand it out', async () => {
    leave = () => undefined;
    const server = fakeTraffy('bearer');
    const client = tab(server, { baseUrl: ORIGIN });
    await client.signIn({ email: EMAIL, password: 'a long passphrase' });
    expect(await client.accessToken()).toBe('at1');
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 590_000);
    expect(await client.accessToken()).toBe('at2');
    expect(server.count('POST /refresh')).toBe(1);
  });
});
