import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { signIn } from '../support/strategies.js';
import { asOwner, recordNasty, recordSome, sealAll } from '../support/audit-events.js';

const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

describe('traffy audit', () => {
  let database: TestDatabase;
  let email: string;
  let noted: string;
  let app: TestApp | undefined;
  beforeAll(async () => {
    database = await createTestDatabase();
    const first = await startApp({ database });
    ({ email } = await signIn(first));
    await recordNasty(first, email);
    await recordSome(first, 5);
    await sealAll(first);
    // The embedded database belongs to one process; on a server the node goes on beside the command.
    if (onServer) app = first;
    else await first.close();
  });
  afterEach(endAllPrograms);
  afterAll(async () => {
    await app?.close();
    await database.drop();
  });

  async function traffy(...args: string[]) {
    const program = startProgram({
      args: ['traffy', 'audit', ...args],
      env: { ...database.env, AUTH_SECRETS: TEST_SECRET },
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('verify reports a complete chain, list the events, head the place to note elsewhere', async () => {
    const head = await traffy('head');
    expect(head.out).toMatch(/^\d+:[0-9a-f]{64}\n$/);
    noted = head.out.trim();
    const { code, out } = await traffy('verify', '--json', '--head', noted);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ intact: true, broken: null, first: 1, head: noted });
    const shown = await traffy('list', '--user', email);
    expect(shown.out).toMatch(/\n\S+Z +login +\S+ +user +127\.0\.0\.1 +\{"device/);
    expect(shown.out.split('\n').filter((line) => line.includes('evil'))).toHaveLength(1);
    expect(shown.out).toContain('\\u001b[2J\\u009b31m\\u2028');
    expect(shown.out).not.toMatch(CONTROLS);
  });

  it('verify reports a complete chain that lacks a foreign head, and no break', async () => {
    const { code, out, err } = await traffy('verify', '--head', `2:${'0'.repeat(64)}`);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'traffy: the audit trail does not have the given head at 2: it holds another event than the one that was noted\n',
    });
    expect(out).toMatch(/^\d+ valid events, from 1 to (\d+); the head is \1:[0-9a-f]{64}\.\n$/);
  });

  it('verify exits with 1 and names the place of a change', async () => {
    const tampered = app ?? (await startApp({ database }));
    await asOwner(tampered, sql`update audit_events set actor = 'nobody' where seq = 3`);
    if (!app) await tampered.close();
    const { code, out, err } = await traffy('verify', '--head', noted);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'traffy: the audit trail is broken at 3: the event was changed\n',
    });
    expect(out).toContain('2 valid events, from 1 to 2; the chain breaks after that.');
  });
});
