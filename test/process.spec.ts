import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ENTITIES } from '../src/entities.js';
import { DataDirectoryHeld } from '../src/platform/database/data-directory.lock.js';
import { openDatabase } from '../src/platform/database/open.database.js';
import { nodeVersionProblem } from '../src/node-version.js';
import { createEmptyDatabase, createTestDatabase, onServer, type TestDatabase } from './support/database.js';
import {
  endAllPrograms,
  freePort,
  holdPort,
  startProgram,
  until,
  type ProgramOptions,
} from './support/process.js';
import { freshEmail, PASSWORD } from './support/strategies.js';

const NO_LIMITS = { RATE_LIMIT_LOGIN: 'off', RATE_LIMIT_SIGNUP: 'off', RATE_LIMIT_DEFAULT: 'off' };
/** A sign-in that takes long enough to be stopped in its middle. */
const SLOW_HASHES = { ARGON2_MEMORY_KIB: '65536', ARGON2_PASSES: '6' };
/** A port where no database answers: the discard service, which nobody runs. */
const NO_DATABASE = 'postgres://nobody:hunter2hunter2@127.0.0.1:9/nothing';

const MIGRATIONS = readdirSync(
  join(import.meta.dirname, '..', 'src', 'platform', 'database', 'migrations'),
).toSorted();

let database: TestDatabase | undefined;

async function usingDatabase(create = createTestDatabase): Promise<Readonly<Record<string, string>>> {
  database = await create();
  return { ...NO_LIMITS, ...database.env };
}

afterEach(async () => {
  await endAllPrograms();
  await database?.drop();
  database = undefined;
});

// The first start builds, which is not what is tested here. With an argument that is refused it ends after that.
beforeAll(async () => {
  await startProgram({ args: ['--only-build'] }).exit;
});

/** What a start that fails tells, and how it ends. */
async function failure(options: ProgramOptions) {
  const program = startProgram(options);
  const { code, ms } = await program.exit;
  return { code, ms, stderr: program.stderr(), lines: program.stderr().trimEnd().split('\n') };
}

async function send(origin: string, path: string, body?: unknown) {
  const response = await fetch(origin + path, {
    method: body ? 'POST' : 'GET',
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function signUp(origin: string): Promise<{ email: string; password: string }> {
  const person = { email: freshEmail(), password: PASSWORD };
  expect((await send(origin, '/signup', person)).status).toBe(201);
  return person;
}

async function keyIds(origin: string): Promise<unknown[]> {
  const { body } = await send(origin, '/.well-known/jwks.json');
  return (body['keys'] as { kid: string }[]).map((key) => key.kid);
}

describe('start', () => {
  it('prints the documentation URL and the strategy, and finds the same data again', async () => {
    const env = { ...(await usingDatabase(createEmptyDatabase)), AUTH_STRATEGY: 'jwt,session' };
    const first = startProgram({ env });
    const firstOrigin = await first.ready();
    expect(first.stdout()).toMatch(
      onServer ? /connecting to PostgreSQL/ : /opening the embedded PostgreSQL in /,
    );
    expect(first.stdout()).toMatch(/migrating the database/);
    expect(first.stdout()).toMatch(/ready on http:\/\/localhost:\d+ in [\d.]+ s, strategy: jwt,session\n/);
    // A line of its own, which may come a moment after that.
    await until(() => first.stdout().includes(`API docs: ${firstOrigin}/docs\n`) || undefined);
    const person = await signUp(firstOrigin);
    const keys = await keyIds(firstOrigin);
    expect(keys).toHaveLength(1);
    expect(await first.kill('SIGTERM')).toMatchObject({ code: 0 });

    const second = startProgram({ env });
    const secondOrigin = await second.ready();
    expect(second.stdout()).not.toMatch(/migrating/);
    expect((await send(secondOrigin, '/login', person)).status).toBe(200);
    expect(await keyIds(secondOrigin)).toEqual(keys);
    expect(second.stderr()).toBe('');
  });

  it('listens on PORT, and on --port with precedence', async () => {
    const env = await usingDatabase();
    const [byVariable, byArgument] = [await freePort(), await freePort()];
    const first = startProgram({ env: { ...env, PORT: String(byVariable) } });
    expect(await first.ready()).toBe(`http://localhost:${byVariable}`);
    await first.kill('SIGTERM');
    const second = startProgram({
      env: { ...env, PORT: String(byVariable) },
      args: ['--port', String(byArgument)],
    });
    expect(await second.ready()).toBe(`http://localhost:${byArgument}`);
    expect((await send(`http://127.0.0.1:${byArgument}`, '/health/ready')).status).toBe(200);
  });

  it('works without Redis and says so', async () => {
    const env = { ...(await usingDatabase()), REDIS_URL: 'redis://127.0.0.1:9' };
    const program = startProgram({ env });
    const origin = await program.ready();
    await until(() => (program.stdout().includes('"event":"redis_unavailable"') ? true : undefined));
    expect((await send(origin, '/health/ready')).status).toBe(200);
  });

  it('heals immediately after SIGKILL without losing an acknowledged sign-up [fault 11]', async () => {
    const env = await usingDatabase();
    const killed = startProgram({ env });
    const origin = await killed.ready();
    const acknowledged: string[] = [];
    const keepSigningUp = async () => {
      for (;;) acknowledged.push((await signUp(origin)).email);
    };
    const clients = [keepSigningUp(), keepSigningUp(), keepSigningUp()];
    await until(() => (acknowledged.length >= 9 ? true : undefined));
    killed.kill('SIGKILL').catch(() => undefined);
    const healed = startProgram({ env });
    await Promise.allSettled(clients);
    const healedOrigin = await healed.ready();
    const found = await Promise.all(
      acknowledged.map((email) => send(healedOrigin, '/login', { email, password: PASSWORD })),
    );
    expect(found.map(({ status }) => status)).toEqual(acknowledged.map(() => 200));
  });
});

describe('failed starts', () => {
  it('name a port in use', async () => {
    const taken = await holdPort();
    const { code, lines } = await failure({
      env: { ...(await usingDatabase()), PORT: String(taken.port) },
    });
    await taken.release();
    expect(lines).toEqual([
      `Traffy cannot start: port ${taken.port} is in use; stop the other process or choose another port: npm start -- --port 8001`,
    ]);
    expect(code).toBe(1);
  });

  it('name an unreachable database within 10 s without its password', async () => {
    const { code, lines, stderr, ms } = await failure({
      env: { ...(await usingDatabase()), DATABASE_URL: NO_DATABASE },
    });
    expect(lines).toEqual([
      expect.stringMatching(/^Traffy cannot start: the database is unreachable \(.*\); check DATABASE_URL$/),
    ]);
    expect(stderr).not.toContain('hunter2');
    expect(code).toBe(1);
    expect(ms).toBeLessThan(10_000);
  });
});

// Once is enough for what has nothing to do with the database.
(onServer ? describe.skip : describe)('what keeps it from starting on any database', () => {
  it('name an address that is not local, and a host name without address', async () => {
    const env = await usingDatabase();
    // An address for documentation (RFC 5737), and a name that never resolves (RFC 6761).
    for (const HOST of ['192.0.2.1', 'host.invalid']) {
      const { code, lines } = await failure({ env: { ...env, HOST } });
      expect(lines).toEqual([expect.stringContaining(`Traffy cannot start: HOST ${HOST} `)]);
      expect(code).toBe(1);
    }
  });

  it('name a data directory that is not writable', async () => {
    const DATA_DIR = join(import.meta.filename, 'data');
    const { code, lines } = await failure({ env: { DATA_DIR } });
    expect(lines).toEqual([
      'Traffy cannot start: one setting is wrong:',
      expect.stringMatching(/^ {2}DATA_DIR: given ".*"; allowed is a writable folder \(E\w+\)$/),
    ]);
    expect(code).toBe(1);
  });

  it('name every bad setting with the given and the allowed values', async () => {
    const { code, lines } = await failure({
      env: { PORT: '80000', AUTH_STRATEGY: 'jwt,cookie', DATABASE_URI: 'x', AUTH_SECRETS: 'tooshort' },
    });
    expect(lines).toEqual([
      'Traffy cannot start: 4 settings are wrong:',
      '  DATABASE_URI: unknown setting; the nearest known name is DATABASE_URL',
      '  PORT: given "80000"; allowed is a whole number from 0 to 65535',
      expect.stringContaining('  AUTH_STRATEGY: given "jwt,cookie"; allowed is an ordered,'),
      expect.stringContaining('  AUTH_SECRETS: given (a secret of 8 bytes); allowed is secrets of 32'),
    ]);
    expect(code).toBe(1);
  });

  it('refuse an unknown argument with exit code 2', async () => {
    const { code, lines } = await failure({ args: ['--bogus'] });
    expect(lines).toEqual([
      "Traffy cannot start: Unknown option '--bogus'",
      'Usage: npm start [-- [--port 8001] [--force]]',
    ]);
    expect(code).toBe(2);
  });
});

(onServer ? describe.skip : describe)('the embedded database', () => {
  it('name the process that holds the data directory', async () => {
    const env = await usingDatabase();
    const holder = startProgram({ env });
    await holder.ready();
    const { code, lines } = await failure({ env });
    expect(lines).toEqual([
      `Traffy cannot start: the data directory ${env['DATA_DIR']} is in use by another process (pid ${holder.pid}); stop that one, or choose another with DATA_DIR`,
    ]);
    expect(code).toBe(1);
  });

  it('keep the data directory closed to other users, and closing is idempotent', async () => {
    for (const create of [createEmptyDatabase, createTestDatabase]) {
      const { dataDir, drop } = await create();
      const folder = join(dataDir, 'postgres');
      chmodSync(dataDir, 0o755);
      if (existsSync(folder)) chmodSync(folder, 0o755);
      const settings = {
        DATABASE_URL: undefined,
        DATABASE_DIRECT_URL: undefined,
        DATABASE_POOL_SIZE: 2,
        DATA_DIR: dataDir,
      };
      const first = await openDatabase(settings, ENTITIES, () => undefined);
      // Windows has no such modes.
      const mode = process.platform === 'win32' ? 0o700 : statSync(folder).mode & 0o777;
      expect(mode).toBe(0o700);
      await Promise.all([first.close(), first.close()]);
      const second = await openDatabase(settings, ENTITIES, () => undefined);
      await first.close();
      await expect(openDatabase(settings, ENTITIES, () => undefined)).rejects.toThrow(DataDirectoryHeld);
      await second.close();
      await drop();
    }
  });
});

(onServer ? describe : describe.skip)('a PostgreSQL server', () => {
  it.each([
    ['a database that does not exist', '/traffy_not_there', /refuses DATABASE_URL: .*"traffy_not_there"/],
    // MikroORM by itself would leave out what stands behind the question mark.
    [
      'a certificate authority that is not there',
      '?sslmode=verify-full&sslrootcert=/no/ca.pem',
      /DATABASE_URL names a file that cannot be read: .*\/no\/ca\.pem/,
    ],
  ])('report %s in one line', async (_what, change, message) => {
    const env = await usingDatabase();
    const url = new URL(change, env['DATABASE_URL']).href;
    const { code, lines } = await failure({ env: { ...env, DATABASE_URL: url } });
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect(code).toBe(1);
  });

  it.each([[1], [2]])(
    'do not happen for five concurrent starts on an empty database (round %i)',
    async () => {
      const env = await usingDatabase(createEmptyDatabase);
      const nodes = Array.from({ length: 5 }, () => startProgram({ env }));
      const origins = await Promise.all(nodes.map((node) => node.ready()));
      const keys = await Promise.all(origins.map((origin) => keyIds(origin)));
      expect(new Set(keys.flat()).size).toBe(1);
      const client = new pg.Client({ connectionString: env['DATABASE_URL'] });
      await client.connect();
      const current = await client.query(`select kid from signing_keys where state = 'current'`);
      const migrations = await client.query<{ name: string }>(
        'select name from traffy_migrations order by name',
      );
      await client.end();
      expect(current.rowCount).toBe(1);
      expect(migrations.rows.map(({ name }) => `${name}.migration.ts`)).toEqual(MIGRATIONS);
      const person = await signUp(origins[0] ?? '');
      for (const origin of origins) expect((await send(origin, '/login', person)).status).toBe(200);
      const exits = await Promise.all(nodes.map((node) => node.kill('SIGTERM')));
      expect(exits.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    },
  );

  it('lets a command end that took long enough for the probe of the database to connect', async () => {
    const env = await usingDatabase();
    const open = async () => {
      const client = new pg.Client({ connectionString: env['DATABASE_URL'] });
      await client.connect();
      return client;
    };
    const [holder, observer] = await Promise.all([open(), open()]);
    await holder.query('begin; lock table users in exclusive mode');
    const args = ['traffy', 'users', 'create-admin', freshEmail()];
    const program = startProgram({ args, env, input: `${PASSWORD}\n` });
    await until(async () => {
      const { rowCount } = await observer.query(
        `select distinct application_name from pg_stat_activity
         where datname = current_database() and (application_name = 'traffy-probe' or wait_event_type = 'Lock')`,
      );
      return rowCount === 2 || undefined;
    });
    await holder.query('commit');
    await Promise.all([holder.end(), observer.end()]);
    const { code } = await program.exit;
    expect(code).toBe(0);
  });
});

// Windows has no signals that a process could answer.
(process.platform === 'win32' ? describe.skip : describe)('stopping', () => {
  it.each([
    ['SIGINT', 'the process', 'node', [0]],
    ['SIGTERM', 'the whole process group', 'group', [0]],
    // Of npm itself: null where its shell is one that the signal ends (dash), however well the service stops.
    ['SIGTERM', 'the whole group of npm start', 'npm', [0, null]],
  ] as const)(
    'answers a sign-in in flight at %s to %s, and exits [fault 11]',
    async (signal, _target, by, codes) => {
      const env = { ...(await usingDatabase()), ...SLOW_HASHES };
      const program = startProgram({ env, by });
      const origin = await program.ready();
      const person = await signUp(origin);
      const body = JSON.stringify(person);
      const login = await openSocket(origin);
      let reply = '';
      login.on('data', (chunk) => (reply += chunk.toString()));
      login.write(
        `POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      // Answered after the request before it was taken up.
      await send(origin, '/health/live');
      const exit = program.kill(signal);
      await new Promise((resolve) => login.once('close', resolve));
      expect(reply).toMatch(/^HTTP\/1\.1 200 [^]*"success":true/);
      const { code, ms } = await exit;
      expect(program.stdout()).toContain('"event":"stopping"');
      expect(codes).toContain(code);
      expect(ms).toBeLessThan(10_000);
    },
  );

  it('exits when npm start ends without its process group', async () => {
    const program = startProgram({ env: await usingDatabase(), by: 'npm' });
    const origin = await program.ready();
    process.kill(program.pid, 'SIGTERM');
    await program.exit;
    await expect(fetch(`${origin}/health/live`)).rejects.toThrow('fetch failed');
  });

  it('does not wait for idle connections', async () => {
    const program = startProgram({ env: await usingDatabase() });
    const origin = await program.ready();
    const used = await openSocket(origin);
    used.write('GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => used.once('data', resolve));
    const unused = await openSocket(origin);
    const { code, ms } = await program.kill('SIGTERM');
    unused.destroy();
    used.destroy();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(4_000);
  });

  it('waits for an unfinished request for a limited time', async () => {
    const program = startProgram({ env: await usingDatabase() });
    const slow = await openSocket(await program.ready());
    slow.write(
      'POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    );
    await send(await program.ready(), '/health/live');
    const { code, ms } = await program.kill('SIGTERM');
    slow.destroy();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  it('turns readiness red first, closes connections by their replies, then the port [fault 11]', async () => {
    const env = { ...(await usingDatabase()), SHUTDOWN_DELAY: '5s' };
    const program = startProgram({ env });
    const origin = await program.ready();
    const kept = await openSocket(origin);
    const ask = async (path: string) => {
      const reply = new Promise<string>((resolve) => kept.once('data', (chunk) => resolve(String(chunk))));
      kept.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
      return reply;
    };
    expect(await ask('/me')).not.toMatch(/connection: close/i);
    const exit = program.kill('SIGTERM');
    await until(() => (program.stdout().includes('"event":"stopping"') ? true : undefined));
    const ready = await send(origin, '/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.body).toMatchObject({ code: 'not_ready', checks: { stopping: { status: 'down' } } });
    // Also in answer to what is not routed, cannot be decoded, or is a page.
    const paths = [
      '/health/ready',
      '/health/live',
      '/me',
      '/nothing',
      '/users/%zz',
      '/docs',
      '/openapi.json',
    ];
    const replies = await Promise.all(paths.map((path) => fetch(origin + path)));
    expect(replies.map(({ headers }) => headers.get('connection'))).toEqual(paths.map(() => 'close'));
    const person = await signUp(origin);
    expect((await send(origin, '/login', person)).status).toBe(200);
    // The kept connection loses no request: its reply says that it ends.
    expect(await ask('/me')).toMatch(/^HTTP\/1\.1 200 [^]*connection: close/i);
    const { code, ms } = await exit;
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(4_900);
    expect(ms).toBeLessThan(10_000);
    await expect(fetch(`${origin}/me`)).rejects.toThrow('fetch failed');
  });

  it('drains at SIGHUP of the terminal that it was started in [fault 11]', async () => {
    const port = await freePort();
    const env = { ...(await usingDatabase()), PORT: String(port), PATH: process.env['PATH'] ?? '' };
    const start = `exec '${process.execPath}' --liftoff-only src/cli/start.mjs`;
    const terminal = spawn('script', ['-q', '-f', '-e', '-c', start, '/dev/null'], {
      cwd: join(import.meta.dirname, '..'),
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    terminal.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const closed = new Promise<number | null>((resolve) => terminal.once('close', resolve));
    await until(() => (output.includes('ready on') ? true : undefined));
    const children = execFileSync('pgrep', ['-P', String(terminal.pid)], { encoding: 'utf8' });
    process.kill(Number(children.trim().split('\n')[0]), 'SIGHUP');
    expect(await closed).toBe(0);
    expect(output).toContain('"event":"stopping","signal":"SIGHUP"');
    expect(output).toContain('"event":"stopped"');
  });

  it('exits with 0 during a start', async () => {
    const program = startProgram({ env: await usingDatabase(createEmptyDatabase) });
    await until(() => (/opening|connecting/.test(program.stdout()) ? true : undefined));
    expect((await program.kill('SIGTERM')).code).toBe(0);
  });
});

(process.platform === 'linux' ? describe : describe.skip)('standard output', () => {
  it.each([
    ['on a full disk', 'full'],
    ['that is not read', 'unread'],
    ['whose reader is gone', 'closed'],
  ] as const)('%s stops nothing, at the start, in service and at the end [O4]', async (_what, output) => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const program = startProgram({ env: { ...(await usingDatabase()), PORT: String(port) }, output });
    await until(async () => ((await isServing(origin)) ? true : undefined));
    const person = await signUp(origin);
    // More lines than a pipe and a block hold.
    for (let round = 0; round < 20; round += 1)
      await Promise.all(Array.from({ length: 50 }, () => send(origin, '/me')));
    expect((await send(origin, '/login', person)).status).toBe(200);
    expect((await send(origin, '/health/live')).status).toBe(200);
    const { code, ms } = await program.kill('SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  async function isServing(origin: string): Promise<boolean> {
    try {
      return (await send(origin, '/health/ready')).status === 200;
    } catch {
      return false;
    }
  }
});

describe('outdated Node.js', () => {
  it('is reported with the required version; 22.17 is enough', () => {
    expect(nodeVersionProblem('22.16.0')).toBe(
      'it needs Node.js 22.17 or newer, this is 22.16.0; in a clone, npm start brings its own',
    );
    expect(nodeVersionProblem('20.20.2')).toMatch(/22\.17/);
    expect(nodeVersionProblem('22.17.0')).toBeNull();
    expect(nodeVersionProblem('24.0.0-nightly')).toBeNull();
  });

  // npm start meets it where the packages were installed without their scripts.
  const system = systemNode();
  const isOld = system !== null && nodeVersionProblem(system.version) !== null;
  (isOld ? describe : describe.skip)('as the system has it', () => {
    it('ends npm start with one line', async () => {
      const { code, lines } = await failure({ node: [system?.path ?? ''] });
      expect(lines).toEqual([
        expect.stringMatching(/^Traffy cannot start: it needs Node\.js 22\.17 or newer, this is \d/),
      ]);
      expect(code).toBe(1);
    });
  });
});

function systemNode(): { path: string; version: string } | null {
  const path = '/usr/bin/node';
  try {
    return { path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().slice(1) };
  } catch {
    return null;
  }
}

async function openSocket(origin: string): Promise<Socket> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}
