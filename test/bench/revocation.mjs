/**
 * How long a revoked credential lives on other nodes: three real processes on one PostgreSQL server, credentials that
 * every node remembers, a sign-out on the first, and the other two asked again and again until they refuse.
 *
 *     npm run build && BENCH_DATABASE_URL=postgres://user@127.0.0.1:5432/postgres npm run bench:revocation
 *
 * Prints p50, p99 and the longest, in milliseconds from the arrival of the reply, with NOTIFY and (as behind a pooler)
 * without. Everything is on the loopback address and ends by itself.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase } from './harness/database.mjs';
import { freePort, root } from './harness/server.mjs';

const server = process.env['BENCH_DATABASE_URL'];
if (!server) {
  process.stderr.write('BENCH_DATABASE_URL names no PostgreSQL server\n');
  process.exit(2);
}
const ROUNDS = { notify: 300, poll: 20 };

async function startNode(strategy, databaseUrl, secret) {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'dist', 'src', 'main.js')], {
    env: {
      APP_ENV: 'test',
      AUTH_STRATEGY: strategy,
      AUTH_SECRETS: secret,
      DATABASE_URL: databaseUrl,
      LOG_LEVEL: 'warn',
      PORT: String(port),
      PUBLIC_URL: 'http://localhost:8000',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`${origin}/health/ready`).catch(() => null);
    if (answer?.ok) return { origin, child };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('a node did not come up');
}

async function post(origin, path, body, headers = {}) {
  const reply = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}: ${await reply.text()}`);
  return { cookie: reply.headers.get('set-cookie'), body: await reply.json() };
}

async function isLive(origin, headers) {
  const reply = await fetch(`${origin}/me`, { headers });
  return (await reply.json())['logged_in'];
}

/** Milliseconds until a node refuses; the time of the last answer that was still good counts. */
async function diesAfter(origin, headers, since) {
  while (await isLive(origin, headers));
  return performance.now() - since;
}

async function measure(nodes, email, password, rounds) {
  const [first, ...others] = nodes;
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    const { cookie, body } = await post(first.origin, '/login', { email, password });
    const headers = body['access_token']
      ? { authorization: `Bearer ${body['access_token']}` }
      : { cookie: cookie.split(';')[0] };
    for (const { origin } of nodes) {
      if (!(await isLive(origin, headers))) throw new Error('it is not even live');
    }
    await post(first.origin, '/logout', null, headers);
    const since = performance.now();
    if (await isLive(first.origin, headers)) throw new Error('it lives on where it was revoked');
    times.push(...(await Promise.all(others.map(({ origin }) => diesAfter(origin, headers, since)))));
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1);
  return `n ${String(sorted.length).padStart(4)}   p50 ${at(0.5).padStart(7)}   p99 ${at(0.99).padStart(7)}   max ${at(1).padStart(7)} ms`;
}

const { url: databaseUrl, drop } = await createDatabase(server);
const secret = randomBytes(48).toString('base64');
const children = [];
try {
  for (const strategy of ['session', 'jwt']) {
    const nodes = [];
    for (let index = 0; index < 3; index += 1) {
      const node = await startNode(strategy, databaseUrl, secret);
      nodes.push(node);
      children.push(node.child);
    }
    const [email, password] = [`bench-${strategy}@example.com`, randomBytes(16).toString('hex')];
    await post(nodes[0].origin, '/signup', { email, password });
    const database = new pg.Client({ connectionString: databaseUrl });
    await database.connect();
    for (const [how, rounds] of Object.entries(ROUNDS)) {
      const state = how === 'notify' ? 'enable' : 'disable';
      await database.query(`alter table revocations ${state} trigger revocations_are_told`);
      const result = await measure(nodes, email, password, rounds);
      process.stdout.write(`${strategy.padEnd(8)} ${how.padEnd(7)} ${result}\n`);
    }
    await database.query('alter table revocations enable trigger revocations_are_told');
    await database.end();
    await Promise.all(
      nodes.map(({ child }) => {
        child.kill('SIGTERM');
        return once(child, 'exit');
      }),
    );
  }
} finally {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await drop();
}
