import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startApp, TEST_SECRET } from '../support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { signIn } from '../support/strategies.js';

/** Runs a command of the command line to its end. */
async function traffy(args: string[], env: Readonly<Record<string, string>>) {
  const program = startProgram({ args: ['traffy', ...args], env: { AUTH_SECRETS: TEST_SECRET, ...env } });
  const { code } = await program.exit;
  return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
}

describe('command line and processes', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await endAllPrograms();
    await database.drop();
  });

  const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);

  it('traffy strategy status lists credentials by kind without running nodes', async () => {
    const app = await startApp({ database, env: { AUTH_STRATEGY: 'jwt,session' } });
    await signIn(app);
    await signIn(app);
    await app.close();
    const { code, out, err } = await traffy(['strategy', 'status', '--json'], {
      ...database.env,
      SESSION_IDLE_TTL: '2d',
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { credentials, ...rest } = JSON.parse(out);
    expect(rest).toEqual({
      configuration: { AUTH_STRATEGY: 'session', SESSION_IDLE_TTL: '2d' },
      nodes: [],
      values: [],
      nodes_fit: true,
      next_steps: [
        { strategy: 'session', sessions_lost: 2 },
        { strategy: 'jwt', sessions_lost: 0 },
        { strategy: 'session,jwt', sessions_lost: 0 },
        { strategy: 'jwt,session', sessions_lost: 0 },
      ],
      ways_out: [],
      differing_settings: [],
    });
    expect(credentials).toEqual([
      {
        kind: 'session',
        sessions: 0,
        last_used_at: null,
        issued_by: [],
        accepted: false,
        safe_to_drop: true,
        reasons: [],
        safe_if_unused_at: null,
        safe_at: null,
      },
      {
        kind: 'jwt',
        sessions: 2,
        last_used_at: TIME,
        issued_by: [],
        accepted: false,
        safe_to_drop: false,
        reasons: ['2 live sessions hold one'],
        safe_if_unused_at: TIME,
        safe_at: TIME,
      },
    ]);
    const days = (time: string) => Math.round((Date.parse(time) - Date.now()) / 86_400_000);
    expect([days(credentials[1].safe_if_unused_at), days(credentials[1].safe_at)]).toEqual([2, 30]);
    const { out: text } = await traffy(['strategy', 'status'], database.env);
    // Without a node nothing is accepted or refused.
    expect(text).toMatch(/^session +0 +never +yes$/m);
    expect(text).toMatch(/^jwt +2 .* no: 2 live sessions hold one; from /m);
    expect(text).toContain('can start with: session (ends 2 sign-ins) or jwt or session,jwt or jwt,session.');
  });

  (onServer ? describe : describe.skip)('on a server', () => {
    it('traffy strategy status lists the nodes, and exits with 1 for incompatible ones', async () => {
      const app = await startApp({ database, env: { AUTH_STRATEGY: 'session,jwt' } });
      const other = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt,session' } });
      await signIn(app);
      const fitting = await traffy(['strategy', 'status', '--json'], database.env);
      expect({ code: fitting.code, err: fitting.err }).toEqual({ code: 0, err: '' });
      const status = JSON.parse(fitting.out);
      const row = {
        id: expect.any(String),
        public_url: 'http://localhost:8000',
        audience: 'http://localhost:8000',
        host: expect.any(String),
        port: null,
        pid: process.pid,
        version: JSON.parse(readFileSync('package.json', 'utf8')).version,
      };
      expect(status.nodes).toEqual([
        { ...row, strategy: 'session,jwt', started_at: TIME, seen_at: TIME },
        { ...row, strategy: 'jwt,session', started_at: TIME, seen_at: TIME },
      ]);
      expect(status).toMatchObject({
        values: ['session,jwt', 'jwt,session'],
        nodes_fit: true,
        next_steps: [
          { strategy: 'session,jwt', sessions_lost: 0 },
          { strategy: 'jwt,session', sessions_lost: 0 },
        ],
        credentials: [
          {
            kind: 'session',
            sessions: 1,
            issued_by: [status.nodes[0].id],
            safe_to_drop: false,
            reasons: [expect.stringContaining(`(pid ${process.pid}) issues it`), '1 live session holds one'],
            safe_at: null,
          },
          { kind: 'jwt', sessions: 0, issued_by: [status.nodes[1].id], safe_to_drop: false, safe_at: null },
        ],
      });
      const forced = await startApp({ sibling: app, env: { AUTH_STRATEGY: 'jwt' }, force: true });
      const stranger = await startApp({
        sibling: app,
        env: { AUTH_STRATEGY: 'jwt,session', PORT: '8003', PUBLIC_URL: 'http://localhost:8003' },
      });
      const { code, out, err } = await traffy(['strategy', 'status'], database.env);
      expect(code).toBe(1);
      expect(err).toMatch(
        /^traffy: nodes run incompatible values of AUTH_STRATEGY.*; nodes differ in PUBLIC_URL/,
      );
      for (const text of [
        'session,jwt ',
        'not while a node issues it',
        'AUTH_STRATEGY=session and',
        'Nodes are incompatible: some refuse what others issue. To fix it:\n  Stop the nodes that run jwt; then a node can start with session,jwt or jwt,session.',
        `:8003 (pid ${process.pid}) has http://localhost:8003`,
      ])
        expect(out).toContain(text);
      for (const node of [stranger, forced, other, app]) await node.close();
    });

    it('a start that skips a step is refused, possible with --force, and allowed 30 s after a SIGKILL', async () => {
      const env = { ...database.env, AUTH_SECRETS: TEST_SECRET };
      const jwt = { ...env, AUTH_STRATEGY: 'jwt' };
      const killed = startProgram({ env: { ...env, AUTH_STRATEGY: 'session' } });
      await killed.ready();
      await killed.kill('SIGKILL');
      const refused = startProgram({ env: jwt });
      expect((await refused.exit).code).toBe(1);
      expect(refused.stderr()).toMatch(/^Traffy cannot start: AUTH_STRATEGY=jwt is incompatible/m);
      expect(refused.stderr()).toContain(`(pid ${killed.pid}) runs session`);
      const forced = startProgram({ args: ['traffy', 'serve', '--port', '0', '--force'], env: jwt });
      await forced.ready();
      expect((await forced.kill('SIGTERM')).code).toBe(0);
      expect(forced.stdout()).toContain('"event":"strategy_step_forced"');
      const client = new pg.Client({ connectionString: database.env['DATABASE_URL'] });
      await client.connect();
      const { rowCount } = await client.query("update nodes set seen_at = now() - interval '31 seconds'");
      await client.end();
      expect(rowCount).toBe(1);
      const free = startProgram({ env: jwt });
      await free.ready();
      expect((await free.kill('SIGTERM')).code).toBe(0);
    });
  });

  (onServer ? describe.skip : describe)('on the embedded database', () => {
    it('a killed process no longer counts on the embedded database', async () => {
      const env = { ...database.env, AUTH_SECRETS: TEST_SECRET };
      const killed = startProgram({ env: { ...env, AUTH_STRATEGY: 'session' } });
      await killed.ready();
      await killed.kill('SIGKILL');
      const next = startProgram({ env: { ...env, AUTH_STRATEGY: 'jwt' }, args: ['--force'] });
      await next.ready();
      expect((await next.kill('SIGTERM')).code).toBe(0);
      expect(next.stdout()).not.toContain('strategy_step_forced');
    });
  });
});
