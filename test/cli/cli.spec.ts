import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, TEST_SECRET } from '../support/app.js';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.js';
import { endAllPrograms, type ProgramOptions, startProgram } from '../support/process.js';
import { signUp } from '../support/strategies.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createEmptyDatabase();
});
afterEach(endAllPrograms);
afterAll(() => database.drop());

/** Runs a command of the command line to its end. */
async function traffy(
  args: string[],
  env: Record<string, string> = {},
  options: Pick<ProgramOptions, 'output'> = {},
) {
  const program = startProgram({ args: ['traffy', ...args], env: { ...database.env, ...env }, ...options });
  const { code } = await program.exit;
  // The first start after a change of the sources builds, and says so.
  return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
}

describe('traffy migrate', () => {
  it('creates the schema, and has nothing to do the second time', async () => {
    expect(await traffy(['migrate', '--json'])).toEqual({ code: 0, out: '{"migrated":true}\n', err: '' });
    expect(await traffy(['migrate'])).toEqual({ code: 0, out: 'The schema is up to date.\n', err: '' });
  });

  it('exits with 1 and one line if the database is unavailable', async () => {
    const { code, out, err } = await traffy(['migrate'], {
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^traffy: the database is unreachable \([^\n]+\n$/);
  });
});

describe('traffy config', () => {
  it('shows every effective value, and masks secrets', async () => {
    const secret = 'mR7xQ2vK9pT4wZ1nB6yH3jL8sD5fG0aUcEiO';
    const env = { AUTH_SECRETS: secret, AUTH_STRATEGY: 'jwt,session', RATE_LIMIT_LOGIN: '7/2m' };
    const { code, out } = await traffy(['config', '--json'], env);
    expect(code).toBe(0);
    const settings = JSON.parse(out).settings as { name: string; value: string }[];
    const valueOf = (wanted: string) => settings.find(({ name }) => name === wanted)?.value;
    expect(valueOf('AUTH_STRATEGY')).toBe('jwt,session');
    expect(valueOf('RATE_LIMIT_LOGIN')).toBe('7/2m');
    expect(valueOf('ACCESS_TOKEN_TTL')).toBe('10m');
    expect(valueOf('SESSION_IDLE_TTL')).toBe('14d');
    expect(valueOf('AUTH_SECRETS')).toBe('(1 secret)');
    expect(out).not.toContain(secret);
  });

  it('exits with 1 for a bad value and names it', async () => {
    const { code, err } = await traffy(['config'], { AUTH_STRATEGY: 'magic' });
    expect(code).toBe(1);
    expect(err).toContain('AUTH_STRATEGY: given "magic"');
  });
});

describe('command line', () => {
  it.each([[['nonsense']], [['config', '--nonsense']], [['config', 'more']]])(
    'exits with 2 for %j and prints the usage',
    async (args) => {
      const { code, out, err } = await traffy(args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('Usage: traffy');
    },
  );

  it('serves, and exits with 0 on SIGTERM', async () => {
    const program = startProgram({ args: ['traffy', 'serve', '--port', '0'], env: { ...database.env } });
    const origin = await program.ready();
    expect((await fetch(`${origin}/health/ready`)).status).toBe(200);
    expect((await program.kill('SIGTERM')).code).toBe(0);
  });
});

describe('broken pipe', () => {
  let filled: TestDatabase;
  beforeAll(async () => {
    filled = await createTestDatabase();
    const app = await startApp({ database: filled });
    await signUp(app);
    await app.close();
  });
  afterAll(() => filled.drop());

  it.each([[['config']], [['audit', 'list']], [['users', 'list', '--json']], [['users', 'export']]])(
    '%j exits with 0 and without output',
    async (args) => {
      const ended = await traffy(args, { ...filled.env, AUTH_SECRETS: TEST_SECRET }, { output: 'closed' });
      expect(ended).toEqual({ code: 0, out: '', err: '' });
    },
  );
});
