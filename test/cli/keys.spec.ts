import { describe, expect, it } from '@jest/globals';
import { TEST_SECRET } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { endAllPrograms, startProgram } from '../support/process.js';
import { signIn } from '../support/strategies.js';
import { closeStarted, kidOf, makeDue, start, started, stored, tokenOf } from '../support/signing-keys.js';

closeStarted();

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';
const FOREIGN_SECRET = 'pW3kN8vR5xT1qY7mB9zC2fH6jL4dS0gAuEiOaXwQcVbM';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('traffy keys', () => {
  /** Runs a command of the command line to its end. */
  async function traffy(database: TestDatabase, args: string[], env: Record<string, string> = {}) {
    const program = startProgram({
      args: ['traffy', 'keys', ...args],
      env: { ...database.env, AUTH_SECRETS: TEST_SECRET, ...env },
    });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('lists, rotates, revokes and rewraps, and explains refusals', async () => {
    const database = await createTestDatabase();
    started.push(() => database.drop(), endAllPrograms);
    expect(await traffy(database, ['rotate'])).toEqual({
      code: 1,
      out: '',
      err: 'traffy: no key signs with JWT_ALGORITHM=ES256 yet: the first start with this setting creates one\n',
    });
    const node = await start({ database });
    await makeDue(node);
    const [first, second] = (await stored(node)).map(({ kid }) => kid);
    await node.close();

    const rotated = await traffy(database, ['rotate', '--json']);
    expect(rotated).toMatchObject({ code: 0, err: '' });
    const { next: third, ...rest } = JSON.parse(rotated.out);
    expect(rest).toEqual({ current: second, previous: first });
    const early = await traffy(database, ['rotate']);
    expect({ ...early, err: '' }).toEqual({ code: 1, out: '', err: '' });
    expect(early.err).toMatch(
      new RegExp(`^traffy: too early: .* the next key, ${third}; it may sign from \\d{4}-\\S+Z\\n$`),
    );

    const text = (await traffy(database, ['list'], { AUTH_SECRETS: `${OTHER_SECRET},${TEST_SECRET}` })).out;
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows).toEqual([
      [
        'kid',
        'algorithm',
        'state',
        'published since',
        'signs since',
        'may sign',
        'kept until',
        'encrypted under',
      ],
      [third, 'ES256', 'next', TIME, '-', expect.stringMatching(/^from \d{4}-/), '-', '2 of 2'],
      [second, 'ES256', 'current', TIME, TIME, 'signs', '-', '2 of 2'],
      [first, 'ES256', 'previous', TIME, TIME, '-', TIME, '2 of 2'],
    ]);

    const foreign = { AUTH_SECRETS: FOREIGN_SECRET };
    for (const args of [['rotate'], ['revoke', String(second)]]) {
      const refused = await traffy(database, args, foreign);
      expect([refused.code, refused.out]).toEqual([1, '']);
      expect(refused.err).toMatch(
        /^traffy: AUTH_SECRETS: none of the secrets decrypts the signing keys [^\n]*\n$/,
      );
    }
    expect(await traffy(database, ['revoke', 'nonsense'])).toEqual({
      code: 1,
      out: '',
      err: 'traffy: no key has the id nonsense; traffy keys list shows all keys\n',
    });
    const revoked = await traffy(database, ['revoke', String(second), '--json']);
    expect(revoked).toEqual({ code: 0, out: `{"revoked":"${second}","current":"${third}"}\n`, err: '' });

    const rewrapped = await traffy(database, ['rewrap'], { AUTH_SECRETS: `${OTHER_SECRET},${TEST_SECRET}` });
    expect(rewrapped.out).toMatch(
      /^Re-encrypted 3 keys under the first of AUTH_SECRETS\.\nRemove the other secrets from AUTH_SECRETS after \S+Z if all nodes use this list now, but not during a change/,
    );
    const alone = await traffy(database, ['rewrap'], { AUTH_SECRETS: OTHER_SECRET });
    expect(alone.out).toMatch(/^Re-encrypted 0 keys .*\nAll keys are encrypted under the first secret\.\n$/);
    const sealed = await traffy(database, ['list'], { AUTH_SECRETS: OTHER_SECRET });
    expect(sealed.code).toBe(0);
    expect(sealed.out).toMatch(new RegExp(`^${second} +ES256 +revoked \\d{4}-\\S+Z `, 'm'));
    const listed = await traffy(database, ['list', '--json']);
    expect(listed.code).toBe(1);
    expect(listed.err).toMatch(
      new RegExp(`^traffy: none of AUTH_SECRETS decrypts \\S+, ${third}, ${first}: `),
    );
    expect(JSON.parse(listed.out)).toMatchObject({
      secrets: 1,
      keys: [
        { state: 'next', may_sign: false, may_sign_from: TIME, sealed_under: null },
        {
          kid: third,
          state: 'current',
          may_sign: false,
          may_sign_from: null,
          signs_since: TIME,
          sealed_under: null,
        },
        {
          kid: second,
          state: 'retired',
          retired_at: TIME,
          revoked_at: TIME,
          signed_until: TIME,
          sealed_under: null,
        },
        {
          kid: first,
          state: 'previous',
          kept_until: TIME,
          signed_until: TIME,
          retired_at: null,
          revoked_at: null,
        },
      ],
    });
    const after = await start({ database, env: { AUTH_SECRETS: OTHER_SECRET } });
    expect(kidOf(tokenOf(await signIn(after)))).toBe(third);
  });
});
