import { emailOf, PASSWORD, refreshTokenOf } from './seeded.mjs';

/**
 * The calls that are measured. `prepare` runs before the clock: it gives what `send` needs for one request, each for another
 * account or session, but for those that ask again.
 */
export function callsOf(database) {
  return [
    {
      name: 'POST /login',
      share: 0.1,
      prepare: () => ({ email: emailOf(database.nextAccount()), password: PASSWORD }),
      send: (client, body) => client.send('POST', '/login', {}, body),
    },
    {
      name: 'GET /me, not yet known',
      share: 1,
      prepare: () => database.nextCookie(),
      send: (client, n) => client.send('GET', '/me', database.cookieHeader(n)),
      check: ({ body }) => body.logged_in === true,
    },
    {
      name: 'GET /me, known',
      share: 1,
      prepare: () => database.oneCookie,
      send: (client, n) => client.send('GET', '/me', database.cookieHeader(n)),
      check: ({ body }) => body.logged_in === true,
    },
    {
      name: 'POST /refresh',
      share: 0.5,
      prepare: () => database.nextRefreshToken(),
      send: (client, n) => client.send('POST', '/refresh', {}, { refresh_token: refreshTokenOf(n) }),
    },
    {
      name: 'GET /sessions',
      share: 0.5,
      prepare: () => database.nextCookie(),
      send: (client, n) => client.send('GET', '/sessions', database.cookieHeader(n)),
      check: ({ body }) => body.sessions.length > 0,
    },
    {
      name: 'DELETE /sessions/:id',
      share: 0.5,
      prepare: () => database.nextOwned(),
      send: (client, { n, id }) => client.send('DELETE', `/sessions/${id}`, database.cookieHeader(n)),
      status: 204,
    },
  ];
}
