import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cookiesOf, FORWARDED, post, traffyInProduction } from './traffy.mjs';

const bench = join(import.meta.dirname, '..');
export const PEERS = join(bench, 'peers');
/** Users never need them: `npm ci` of the project leaves them out. */
export const INSTALL_PEERS = 'npm ci --prefix test/bench/peers';
export const arePeersInstalled = () => existsSync(join(PEERS, 'node_modules', '.package-lock.json'));

/** Whose request it is, everywhere. */
export const ACCOUNT = { email: 'person@example.com', password: randomBytes(16).toString('base64') };

/** The one that all others are compared with. */
export const YARDSTICK = 'bare';

/**
 * What is measured. `needs` says what has to be there; `program` how it is started; `signUp` makes the account, once;
 * `signIn` gives the request with a live credential; `emailOf` finds in its answer who is signed in.
 */
export const TARGETS = {
  bare: yardstick('bare.mjs', 'node:http, the limit'),
  'nest-fastify': yardstick('nest-fastify.mjs', 'Nest on Fastify, nothing else'),
  'traffy-session': traffy('session cookie, all on', 'session', withCookies),
  'traffy-jwt': traffy('access token as Bearer, all on', 'jwt', withBearer),
  'traffy-jwt-cookie': traffy('access token in a cookie, all on', 'jwt', withCookies),
  'express-session': peer('express-session.mjs', 'connect-pg-simple, bare', withCookies),
  'express-session-loaded': peer(
    'express-session.mjs',
    'with helmet, rate limit, log',
    withCookies,
    '--loaded',
  ),
  'passport-jwt': peer('passport-jwt.mjs', 'jsonwebtoken, bare', withBearer),
  'passport-jwt-loaded': peer('passport-jwt.mjs', 'with helmet, rate limit, log', withBearer, '--loaded'),
  'better-auth': betterAuth('get-session'),
  'better-auth-cookie-cache': betterAuth('get-session with cookie cache', '--cookie-cache'),
};

function emailOfMe(body) {
  return body['logged_in'] === true ? body['email'] : undefined;
}

/** Signs in by `POST /login` and uses the returned cookies. Targets without a choice of transport ignore it. */
async function withCookies(origin) {
  const reply = await post(origin, '/login', { ...ACCOUNT, transport: 'cookie' });
  return { path: '/me', headers: { ...FORWARDED, cookie: cookiesOf(reply) } };
}

/** Signs in by `POST /login` and asks with the access token that came back. */
async function withBearer(origin) {
  const { body } = await post(origin, '/login', ACCOUNT);
  return { path: '/me', headers: { ...FORWARDED, authorization: `Bearer ${body['access_token']}` } };
}

function yardstick(file, about) {
  return {
    about,
    needs: 'nothing',
    program: () => ({
      args: [join(bench, 'yardsticks', file)],
      ready: '/me',
      env: { BENCH_EMAIL: ACCOUNT.email },
    }),
    signUp: async () => undefined,
    signIn: async () => ({ path: '/me', headers: FORWARDED }),
    emailOf: emailOfMe,
  };
}

function traffy(about, strategy, signIn) {
  return {
    about,
    needs: 'build',
    program: (databaseUrl, settings) =>
      traffyInProduction(databaseUrl, { AUTH_STRATEGY: strategy, ...settings }),
    signUp: (origin) => post(origin, '/signup', ACCOUNT),
    signIn,
    emailOf: emailOfMe,
  };
}

function peer(file, about, signIn, ...flags) {
  return {
    about,
    needs: 'peers',
    program: (databaseUrl) => ({
      args: [join(PEERS, file), ...flags],
      ready: '/ready',
      env: { DATABASE_URL: databaseUrl },
    }),
    signUp: (origin) => post(origin, '/signup', ACCOUNT),
    signIn,
    emailOf: emailOfMe,
  };
}

function betterAuth(about, ...flags) {
  const origin = { origin: 'https://auth.example.com' };
  return {
    about,
    needs: 'peers',
    program: (databaseUrl) => ({
      args: [join(PEERS, 'better-auth.mjs'), '--migrate', ...flags],
      ready: '/api/auth/ok',
      env: { DATABASE_URL: databaseUrl },
    }),
    signUp: (server) => post(server, '/api/auth/sign-up/email', { ...ACCOUNT, name: 'Person' }, origin),
    signIn: async (server) => {
      const reply = await post(server, '/api/auth/sign-in/email', ACCOUNT, origin);
      return { path: '/api/auth/get-session', headers: { ...FORWARDED, cookie: cookiesOf(reply) } };
    },
    emailOf: (body) => body?.user?.email,
  };
}
