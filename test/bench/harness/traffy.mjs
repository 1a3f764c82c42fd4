import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { root } from './server.mjs';

const START = join(root, 'src', 'cli', 'start.mjs');
const PUBLIC_URL = 'https://auth.example.com';

/** What a reverse proxy adds to a request that came by TLS from outside. Every target gets it. */
export const FORWARDED = {
  accept: 'application/json',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
};

/** Builds the service if its sources changed, as a start does. */
export function buildTraffy() {
  const { status, stderr } = spawnSync(process.execPath, [START, 'traffy', '--help'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
}

/**
 * The service as it runs in production: behind one proxy, with a PostgreSQL server, everything on. Limits that would end
 * the measurement are so high that they never do, and count all the same.
 *
 * @param settings environment variables that differ.
 */
export function traffyInProduction(databaseUrl, settings = {}) {
  return {
    // As the Dockerfile does.
    args: ['--max-semi-space-size=32', join(root, 'dist', 'src', 'main.js')],
    ready: '/health/ready',
    env: {
      APP_ENV: 'production',
      HOST: '127.0.0.1',
      PUBLIC_URL,
      TRUST_PROXY: '1',
      AUTH_SECRETS: randomBytes(48).toString('base64'),
      DATABASE_URL: databaseUrl,
      RATE_LIMIT_DEFAULT: '100000000/1m',
      RATE_LIMIT_LOGIN: '100000000/1m',
      RATE_LIMIT_SIGNUP: '100000000/1m',
      ...settings,
    },
  };
}

/** The service as `npm start` runs it: development, on an embedded database. */
export function traffyEmbedded(dataDir) {
  return {
    args: ['--liftoff-only', START],
    ready: '/health/ready',
    env: { DATA_DIR: dataDir, RATE_LIMIT_DEFAULT: '100000000/1m' },
  };
}

/** Sends JSON to a server and gives back the reply, read to its end. */
export async function post(origin, path, body, headers = {}) {
  const reply = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { ...FORWARDED, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`POST ${path} answered ${reply.status}: ${text.slice(0, 300)}`);
  return { headers: reply.headers, body: JSON.parse(text) };
}

/** The Cookie header that a browser would send back. */
export const cookiesOf = ({ headers }) =>
  headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
