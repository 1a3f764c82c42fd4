import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { root, withClient } from './databases.mjs';
import { processorTime } from './processor-time.mjs';

/** The same for every run: a database that is kept has keys that were encrypted under it. */
const SECRET = createHash('sha512').update('the secret of the growth benchmark').digest('base64');
const ORIGIN = 'https://auth.example.com';

async function freePort() {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Starts the built service as production runs it, on the loopback address. Limits of rates are on and out of reach; what
 * has ended is kept, so that the purge does not work beside what is measured.
 */
export async function startService(databaseUrl, settings = {}) {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'dist', 'src', 'main.js')], {
    cwd: root,
    env: {
      APP_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLIC_URL: ORIGIN,
      TRUST_PROXY: '0',
      AUTH_SECRETS: SECRET,
      AUTH_STRATEGY: 'jwt,session',
      DATABASE_URL: databaseUrl,
      RATE_LIMIT_LOGIN: '1000000/1m',
      RATE_LIMIT_SIGNUP: '1000000/1m',
      RATE_LIMIT_DEFAULT: '10000000/1m',
      SESSION_RETENTION: '400d',
      ...settings,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the service ended with exit code ${child.exitCode}`);
    const answer = await fetch(`${origin}/health/ready`).catch(() => null);
    if (answer?.ok) break;
    if (attempt === 600) throw new Error('the service did not come up');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    origin,
    pid: child.pid,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/**
 * Reads how much CPU time the service had, and the processes that PostgreSQL runs for its pool, in nanoseconds since the
 * last reading. Processes that came in between count from their beginning; one that left does not count.
 */
export async function openMeter(service, databaseUrl) {
  const seen = new Map();
  const backends = () =>
    withClient(databaseUrl, async (client) => {
      const { rows } = await client.query(
        `select pid from pg_stat_activity where datname = current_database() and application_name = 'traffy'`,
      );
      return rows.map(({ pid }) => pid);
    });
  const since = (pid) => {
    const now = processorTime(pid) ?? seen.get(pid) ?? 0;
    const spent = now - (seen.get(pid) ?? 0);
    seen.set(pid, now);
    return spent;
  };
  const read = async () => {
    const spent = since(service.pid);
    let database = 0;
    for (const pid of await backends()) database += since(pid);
    return { service: spent, database };
  };
  await read();
  return read;
}
