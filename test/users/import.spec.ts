import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import argon2 from 'argon2';
import { sql } from 'kysely';
import type { BadLine, ImportOptions } from '../../src/users/import/user-import.js';
import { importUsers } from '../../src/users/import/user-import.js';
import { readFirebaseKey } from '../../src/users/import/firebase-key.js';
import { AnswerFloor } from '../../src/users/passwords/answer-floor.service.js';
import type { PasswordHash } from '../../src/users/passwords/formats/hash-format.js';
import { readPasswordHash } from '../../src/users/passwords/formats/password-hash.js';
import { PasswordHasher } from '../../src/users/passwords/password-hasher.service.js';
import { HashCosts } from '../../src/users/passwords/hash-costs.js';
import { costOf, hashParameters } from '../../src/users/passwords/new-hash.js';
import { startApp, type TestApp } from '../support/app.js';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { BCRYPT_OF_72, FOREIGN_HASHES, FOREIGN_PASSWORD, OF_DECOMPOSED } from '../support/foreign-hashes.js';
import { endAllPrograms, startProgram, until } from '../support/process.js';
import { freshEmail, PASSWORD, signUp } from '../support/strategies.js';
import { given } from '../support/given.js';

const folder = mkdtempSync(join(tmpdir(), 'traffy-import-'));
let app: TestApp;
beforeAll(async () => {
  app = await startApp({ hashing: 'production' });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

let files = 0;
/** A file of these lines; what is no text is written as JSON. */
function fileOf(lines: readonly (object | string)[]): string {
  const path = join(folder, `${(files += 1)}.jsonl`);
  writeFileSync(
    path,
    lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  );
  return path;
}

async function load(path: string, options: Partial<ImportOptions> = {}) {
  const bad: BadLine[] = [];
  const report = await importUsers(path, {
    database: app.running.database.database,
    firebaseKey: null,
    own: costOf(hashParameters(app.config.password)),
    floorMaxMs: null,
    costs: new HashCosts(),
    onBadLine: (line) => bad.push(line),
    onProgress: () => undefined,
    ...options,
  });
  return { ...report, badLines: bad };
}

const login = (email: string, password: string) => app.client.post('/login', { email, password });

async function hashOf(email: string): Promise<string | null> {
  const [user] = await app.query(
    sql<{ password_hash: string | null }>`select password_hash from users where email = ${email}`,
  );
  return user?.password_hash ?? null;
}

describe('hashes of other systems', () => {
  const accounts = FOREIGN_HASHES.map((foreign) => ({ ...foreign, email: freshEmail() }));
  let report: Awaited<ReturnType<typeof load>>;
  beforeAll(async () => {
    report = await load(fileOf(accounts.map(({ email, hash }) => ({ email, password_hash: hash }))));
  });

  it('are recognised and counted by format [pain 22]', () => {
    expect(report).toMatchObject({ imported: accounts.length, bad: 0, duplicates: 0 });
    expect(Object.keys(report.formats)).toEqual(
      [...new Set(accounts.map(({ format }) => format))].toSorted(),
    );
  });

  it.each(accounts)(
    '$format of $by signs in and is rehashed with current parameters [P12, pain 22]',
    async ({ email, hash, password = FOREIGN_PASSWORD }) => {
      expect(await hashOf(email)).toBe(hash);
      const stored = readPasswordHash(hash) as PasswordHash;
      for (const wrong of ['', `${password}x`, ` ${password}`, password.toUpperCase()]) {
        expect(await stored.matches(wrong)).toBe(false);
      }
      expect((await login(email, password)).status).toBe(200);
      const renewed = (await hashOf(email)) ?? '';
      expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,/);
      expect(await argon2.verify(renewed, password)).toBe(true);
    },
  );

  it('bcrypt refuses passwords over 72 bytes; bcrypt over SHA-256 accepts them [incident 37]', async () => {
    const email = freshEmail();
    await load(fileOf([{ email, password_hash: BCRYPT_OF_72 }]));
    expect((await login(email, `${'x'.repeat(72)}y`)).status).toBe(401);
    expect(await hashOf(email)).toBe(BCRYPT_OF_72);
    expect((await login(email, 'x'.repeat(72))).status).toBe(200);
  });

  it('a password that was hashed decomposed works as typed before, and in any form after its rehash [P7]', async () => {
    const email = freshEmail();
    await load(fileOf([{ email, password_hash: OF_DECOMPOSED }]));
    expect((await login(email, 'café au lait à six'.normalize('NFD'))).status).toBe(200);
    expect((await login(email, 'café au lait à six'.normalize('NFC'))).status).toBe(200);
  });

  it('of concurrent sign-ins, one rehashes, and all succeed [pain 22]', async () => {
    const email = freshEmail();
    await load(fileOf([{ email, password_hash: OF_DECOMPOSED }]));
    const password = 'café au lait à six'.normalize('NFD');
    const replies = await Promise.all([1, 2, 3].map(() => login(email, password)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('a password change during a rehash is kept', async () => {
    const email = freshEmail();
    await load(fileOf([{ email, password_hash: OF_DECOMPOSED }]));
    const hasher = app.running.app.get(PasswordHasher, { strict: false });
    const compute = hasher.hash.bind(hasher);
    const chosen = await compute(PASSWORD);
    jest.spyOn(hasher, 'hash').mockImplementationOnce(async (password) => {
      await given.passwordHash(app, email, chosen);
      return compute(password);
    });
    expect((await login(email, 'café au lait à six'.normalize('NFD'))).status).toBe(401);
    expect(await hashOf(email)).toBe(chosen);
    expect((await login(email, PASSWORD)).status).toBe(200);
  });

  it('Firebase hashes are completed with the project key, named as in the Firebase console', async () => {
    const { hash, password = '' } = FOREIGN_HASHES.find(({ format }) => format.includes('firebase')) ?? {
      hash: '',
    };
    const [, , separator, signer, salt, digest] = hash.split('$');
    const firebaseKey = readFirebaseKey(
      `hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: ${signer},\n  base64_salt_separator: ${separator},\n  rounds: 8,\n  mem_cost: 14,\n}`,
    );
    const email = freshEmail();
    const short = `firebase-scrypt$${salt?.replaceAll('+', '-').replaceAll('/', '_')}$${digest}`;
    await load(fileOf([{ email, password_hash: short }]), { firebaseKey });
    expect((await login(email, password)).status).toBe(200);
    expect(readFirebaseKey('rounds: 8, mem_cost: 14')).toBeNull();
  });
});

describe('response time of negative answers', () => {
  // How long that is in milliseconds is what `npm run bench:timing` looks at.
  it('respects the floor for bcrypt, older argon2 parameters, no password and no account [L5]', async () => {
    const older = await argon2.hash(PASSWORD, { timeCost: 4, memoryCost: 19_456, parallelism: 1 });
    const slow = BCRYPT_OF_72.replace('$04$', '$10$');
    const [bcrypt, aged, none] = [freshEmail(), freshEmail(), freshEmail()];
    await load(
      fileOf([
        { email: bcrypt, password_hash: slow },
        { email: aged, password_hash: older },
        { email: none, password_hash: null },
      ]),
    );
    const floor = app.running.app.get(AnswerFloor, { strict: false });
    const opened = Promise.withResolvers<undefined>();
    const held: number[] = [];
    const hold = jest.spyOn(floor, 'hold').mockImplementation(async ({ hashes }) => {
      held.push(hashes);
      await opened.promise;
    });
    try {
      let left = 0;
      const answers = [bcrypt, aged, none, freshEmail()].map(async (email) => {
        const { status } = await login(email, 'not the password of anybody');
        left += 1;
        return status;
      });
      await until(() => held.length === answers.length || undefined);
      expect(left).toBe(0);
      opened.resolve(undefined);
      expect(await Promise.all(answers)).toEqual([401, 401, 401, 401]);
      expect(held).toEqual([1, 1, 1, 1]);
    } finally {
      opened.resolve(undefined);
      hold.mockRestore();
    }
    // They leave at moments that the slowest kind can make.
    const read = readPasswordHash(slow) as PasswordHash;
    await until(async () => {
      const startedAt = performance.now();
      await read.matches('not the password of anybody');
      return performance.now() - startedAt < (await floor.slot()) || undefined;
    });
  });

  it('waits for the slow format after a slow hash missed its slot [L5]', async () => {
    // A node that has not seen any load yet.
    const node = await startApp({ sibling: app, hashing: 'production' });
    try {
      const floor = node.running.app.get(AnswerFloor, { strict: false });
      const slot = await floor.slot();
      expect(slot).toBeGreaterThan(0);
      /** How long after its beginning an answer leaves for which this much of a slot was computed. */
      const leaves = async (share: number, hashes = 1) => {
        const endedAt = performance.now();
        const startedAt = endedAt - share * slot * hashes;
        await floor.hold({ startedAt, hashes, endedAt });
        return (performance.now() - startedAt) / (slot * hashes);
      };
      // A timer that fires late, on a busy machine, is not believed at once.
      const asLate = (one: () => Promise<number>, other: () => Promise<number>) =>
        until(async () => {
          const [quick, slow] = await Promise.all([one(), other()]);
          return quick > 0.95 * slow || undefined;
        });
      await asLate(
        () => leaves(0.1),
        () => leaves(1.3),
      );
      // A password that is compared in two forms takes twice the time, whatever kind of hash it is compared with.
      await asLate(
        () => leaves(0.1, 2),
        () => leaves(0.1),
      );
    } finally {
      await node.close();
    }
  });

  it('is bounded: an import states what a format costs everybody, and refuses more unless it is forced [fault 31]', async () => {
    const email = freshEmail();
    const file = fileOf([{ email, password_hash: BCRYPT_OF_72.replace('$04$', '$14$') }]);
    const bounded = await load(file, { floorMaxMs: 50, database: null });
    expect(bounded).toMatchObject({ imported: 0, bad: 1 });
    expect(bounded.badLines[0]?.reason).toMatch(
      /^password_hash: bcrypt would slow every negative answer down to \d+\.\d s, and ANSWER_FLOOR_MAX is 0\.1 s; --force/,
    );
    const forced = await load(file);
    expect(forced).toMatchObject({ imported: 1, bad: 0 });
    expect(forced.floorMs['bcrypt']).toBeGreaterThan(1000);

    const node = await startApp({ sibling: app, env: { ANSWER_FLOOR_MAX: '1s' } });
    try {
      expect(await node.running.app.get(AnswerFloor, { strict: false }).slot()).toBe(1000);
      const line = await until(() => node.logs.find(({ event }) => event === 'answer_floor_exceeded'));
      expect(line['formats']).toEqual([expect.stringMatching(/^bcrypt: \d+\.\d s$/)]);
      expect(node.logs.filter(({ event }) => event === 'answer_floor_exceeded')).toHaveLength(1);
    } finally {
      await node.close();
    }
    await app.query(sql`delete from users where email = ${email}`);
    await app.query(sql`update password_formats set seen_at = now() - interval '2 hours'`);
    const after = await startApp({ sibling: app, env: { ANSWER_FLOOR_MAX: '1s' } });
    try {
      await until(async () => {
        const kinds = await app.query(sql`select 1 from password_formats where format like '$2b$14$%'`);
        return kinds.length === 0 || undefined;
      });
    } finally {
      await after.close();
    }
    expect(after.logs.filter(({ event }) => event === 'answer_floor_exceeded')).toEqual([]);
  });

  it('is not prolonged by a measurement on a busy machine [fault 31]', async () => {
    const costs = new HashCosts();
    const hash = { algorithm: 'bcrypt', work: 2 ** 10 } as const;
    const busy = jest.spyOn(process, 'cpuUsage').mockReturnValue({ user: 9e9, system: 0 });
    const clock = performance.now.bind(performance);
    let added = 0;
    const late = jest.spyOn(performance, 'now').mockImplementation(() => clock() + (added += 5_000));
    const slow = await costs.of(hash);
    busy.mockRestore();
    late.mockRestore();
    expect(slow).toBeGreaterThan(5_000);
    await costs.measureAgain();
    const quiet = await costs.of(hash);
    expect(quiet).toBeLessThan(slow / 2);
    await costs.measureAgain();
    expect(await costs.of(hash)).toBeLessThanOrEqual(quiet);
  });

  it('follows the dearest hash of a format, whatever the order of the lines [L5]', async () => {
    const pbkdf2 = (iterations: number) =>
      `$pbkdf2-sha512$i=${iterations}$${Buffer.alloc(16).toString('base64').slice(0, 22)}$${Buffer.alloc(64).toString('base64').slice(0, 86)}`;
    const lines = [1_000, 7_000, 2_000].map((iterations) => ({
      email: freshEmail(),
      password_hash: pbkdf2(iterations),
    }));
    await app.query(sql`delete from password_formats where format = '$pbkdf2-sha512$%'`);
    await load(fileOf(lines));
    const [row] = await app.query(
      sql<{ work: string }>`select work::text from password_formats where format = '$pbkdf2-sha512$%'`,
    );
    expect(row).toEqual({ work: '7000' });
  });

  it('follows the stored formats, and forgets those that are gone [L5]', async () => {
    const kinds = () => app.query(sql<{ format: string }>`select format from password_formats`);
    expect((await kinds()).length).toBeGreaterThan(2);
    await app.query(sql`update password_formats set seen_at = now() - interval '2 hours'`);
    await app.query(
      sql`delete from users where password_hash not like '$argon2id$v=19$m=19456,%t=2%' or password_hash is null`,
    );
    const node = await startApp({ sibling: app, hashing: 'production' });
    try {
      await until(async () => ((await kinds()).length === 1 ? true : undefined));
      const email = await signUp(node);
      expect((await node.client.post('/login', { email, password: PASSWORD })).status).toBe(200);
    } finally {
      await node.close();
    }
  });
});

describe('import lines', () => {
  it('accept every field, and never create an administrator', async () => {
    const [email, other] = [freshEmail(), freshEmail()];
    const id = '0192d3a4-5b6c-7d8e-9f00-112233445566';
    const full = {
      id,
      email,
      password_hash: null,
      created_at: '2019-03-04T05:06:07.123456+02:00',
      email_verified: true,
      name: 'Ada',
      role: 'user',
      disabled: true,
      password_compromised: true,
    };
    const report = await load(fileOf([full, '', { email: other, password_hash: null, role: 'admin' }]));
    expect(report).toMatchObject({ lines: 2, imported: 1, bad: 1, formats: { none: 1 } });
    expect(report.badLines).toEqual([{ line: 3, reason: expect.stringContaining('role') }]);
    const [row] = await app.query(
      sql`select id, name, role, email_verified_at is not null as verified, disabled_at is not null as disabled,
          password_compromised_at is not null as compromised, password_hash,
          created_at = '2019-03-04T03:06:07.123456Z' as as_given from users where email = ${email}`,
    );
    expect(row).toEqual({
      id,
      name: 'Ada',
      role: 'user',
      verified: true,
      disabled: true,
      compromised: true,
      password_hash: null,
      as_given: true,
    });
  });

  it('with errors are listed with number and reason, without secrets, and the others are imported', async () => {
    const good = freshEmail();
    const line = (hash: string | null, more: object = {}) => ({
      email: freshEmail(),
      password_hash: hash,
      ...more,
    });
    const zeros = Buffer.alloc(32).toString('base64');
    const lines = [
      '{"email": "half',
      'null',
      line(null, { email: ' spaced@example.com' }),
      line(null, { 'o\u001b[31mdd': 1 }),
      line('5f4dcc3b5aa765d61d8327deb882cf99'),
      line('$2b$04$tooshort'),
      line('$2x$05$76lVwnaxsjiqhLPTfWoCi.TbUP3qVQCOiqiOVvC7PoK0EhnrAGaT.'),
      line('$2b$15$76lVwnaxsjiqhLPTfWoCi.TbUP3qVQCOiqiOVvC7PoK0EhnrAGaT.'),
      line(`pbkdf2_sha256$9000000$saltsalt$${zeros}`),
      line(`$scrypt$ln=20,r=8,p=1$c2FsdHNhbHQ$${zeros.slice(0, 43)}`),
      line(`$argon2id$v=19$m=2000000,t=3,p=1$c2FsdHNhbHQ$${zeros.slice(0, 43)}`),
      // Quick enough, but 293 MiB.
      line(`$argon2id$v=19$m=300000,t=1,p=1$c2FsdHNhbHQ$${zeros.slice(0, 43)}`),
      line(`$argon2id$v=19$m=65536,t=3,p=1,keyid=AA$c2FsdHNhbHQ$${zeros.slice(0, 43)}`),
      line('firebase-scrypt$c2FsdHNhbHQ=$AAAA'),
      // RFC 7914 has no such N for r = 1: nothing could compute it, and no wrong password would be answered any more.
      line(`$scrypt$ln=16,r=1,p=1$c2FsdHNhbHQ$${zeros.slice(0, 43)}`),
      line(`scrypt$131072$saltsalt$1$1$${zeros}`),
      line(`firebase-scrypt$ln=16,r=1$$${zeros}$c2FsdHNhbHQ=$${zeros}`),
      line(null, { created_at: '0000-01-01T00:00:00Z' }),
      line(null, { name: 'x'.repeat(101) }),
      line(null, { name: 'x'.repeat(20_000) }),
      line(null, { email: good }),
    ];
    const { badLines, imported, bad } = await load(fileOf(lines));
    expect({ imported, bad }).toEqual({ imported: 1, bad: lines.length - 1 });
    expect(badLines.map((entry) => entry.line)).toEqual(lines.slice(1).map((_, index) => index + 1));
    const text = JSON.stringify(badLines);
    for (const { hash } of FOREIGN_HASHES) expect(text).not.toContain(hash);
    expect(text).not.toContain('76lVwnaxsj');
    expect(badLines.some(({ reason }) => /\p{Cc}/u.test(reason))).toBe(false);
    expect(badLines[7]?.reason).toContain('is too expensive');
  });

  it('with several errors are listed with all of them, in the words of the documentation', async () => {
    const { badLines } = await load(
      fileOf([
        {
          email: 'a@localhost',
          password_hash: 'plain',
          role: 'admin',
          id: 7,
          what: 1,
          else: 2,
          name: 'n'.repeat(101),
        },
        [],
        { email: freshEmail() },
      ]),
    );
    expect(badLines.map(({ reason }) => reason.split('; ').toSorted())).toEqual([
      [
        'else: is not a known field',
        'email: must have a domain with a dot after the @, as in example.com',
        'id: must be a UUID',
        'name: must have 1 to 100 characters',
        'password_hash: has an unknown format',
        'role: must be user: create administrators one by one',
        'what: is not a known field',
      ],
      ['line: must be an object'],
      ['password_hash: must be a string, or null for none'],
    ]);
  });

  it('never change an existing account, and are counted', async () => {
    const email = await signUp(app);
    const before = await hashOf(email);
    const newcomer = freshEmail();
    const lines = [email.toUpperCase(), newcomer, newcomer].map((address) => ({
      email: address.replace('EXAMPLE.COM', 'example.com'),
      password_hash: OF_DECOMPOSED,
    }));
    expect(await load(fileOf(lines))).toMatchObject({ lines: 3, imported: 1, duplicates: 2, bad: 0 });
    expect(await hashOf(email)).toBe(before);
  });
});

describe('import files', () => {
  const many = (count: number) => {
    const tag = freshEmail();
    return Array.from({ length: count }, (_, index) => ({
      email: `${index}.${tag}`,
      password_hash: index % 2 === 0 ? OF_DECOMPOSED : null,
    }));
  };
  const countOf = async (lines: readonly { email: string }[]) => {
    const [row] = await app.query(
      sql<{
        count: string;
      }>`select count(*)::text as count from users where email = any(${lines.map(({ email }) => email)})`,
    );
    return Number(row?.count);
  };

  it('continue after an interruption without losing or repeating a line [pain 22]', async () => {
    const lines = many(3_000);
    const path = fileOf(lines);
    let batches = 0;
    const cut = load(path, {
      onProgress: () => {
        if ((batches += 1) === 3) throw new Error('the machine went down');
      },
    });
    await expect(cut).rejects.toThrow('went down');
    expect(await countOf(lines)).toBe(1_500);
    expect(await load(path)).toMatchObject({
      lines: 1_500,
      imported: 1_500,
      duplicates: 0,
      resumedAfter: 1_500,
    });
    expect(await countOf(lines)).toBe(3_000);
    await expect(load(path)).rejects.toThrow('already imported');
    expect(await load(path, { again: true })).toMatchObject({ lines: 3_000, imported: 0, duplicates: 3_000 });
  });

  it('of two concurrent imports of one file, one gives up and no account is lost', async () => {
    const lines = many(2_000);
    const path = fileOf(lines);
    const outcomes = await Promise.allSettled([load(path), load(path)]);
    const done = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(done).toHaveLength(1);
    expect(await countOf(lines)).toBe(2_000);
  });

  it('are recorded in the audit trail at begin and end', async () => {
    await load(fileOf(many(1)));
    const events = await app.query(
      sql<{ actor: string; details: Record<string, unknown> }>`select actor, details from audit_events
          where kind = 'users_imported' order by id desc limit 2`,
    );
    expect(events).toEqual([
      { actor: 'operator', details: expect.objectContaining({ step: 'finished', imported: 1 }) },
      { actor: 'operator', details: expect.objectContaining({ step: 'begun' }) },
    ]);
  });

  it('are counted by format in a dry run, which writes nothing', async () => {
    const lines = many(10);
    const path = fileOf([...lines, 'nonsense']);
    const report = await load(path, { database: null });
    expect(report).toMatchObject({
      lines: 11,
      imported: 10,
      bad: 1,
      formats: { none: 5, 'pbkdf2-sha256 (passlib)': 5 },
    });
    expect(await countOf(lines)).toBe(0);
  });
});

describe('traffy users', () => {
  let database: TestDatabase;
  let target: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    target = await createTestDatabase();
  });
  afterEach(endAllPrograms);
  afterAll(async () => {
    await database.drop();
    await target.drop();
  });

  async function traffy(args: string[], on: TestDatabase = database) {
    const program = startProgram({ args: ['traffy', 'users', ...args], env: { ...on.env } });
    const { code } = await program.exit;
    return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
  }

  it('import and export round-trip', async () => {
    const path = fileOf([
      ...FOREIGN_HASHES.map(({ hash }, index) => ({ email: `p${index}@example.com`, password_hash: hash })),
      { email: 'Ada@example.com', password_hash: null, name: 'Ada', email_verified: true, disabled: true },
      { email: 'Grace@example.com', password_hash: null, password_compromised: true },
    ]);
    const imported = await traffy(['import', path]);
    expect({ code: imported.code, err: imported.err }).toEqual({ code: 0, err: '' });
    expect(imported.out).toContain(`${FOREIGN_HASHES.length + 2} imported, 0 existed already, 0 bad`);

    const out = join(folder, 'out.jsonl');
    expect((await traffy(['export', '--out', out])).code).toBe(0);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect((await traffy(['import', out], target)).code).toBe(0);
    expect(await traffy(['export'], target)).toEqual({ code: 0, out: readFileSync(out, 'utf8'), err: '' });
    expect(readFileSync(out, 'utf8').trim().split('\n')).toHaveLength(FOREIGN_HASHES.length + 2);
  }, 150_000);

  it('export states how many administrators an import would make users', async () => {
    const [one, two] = ['one@example.com', 'two@example.com'];
    const made = (email: string) =>
      startProgram({
        args: ['traffy', 'users', 'create-admin', email],
        env: { ...database.env },
        input: `${PASSWORD}\n`,
      }).exit;
    await made(one);
    const single = await traffy(['export']);
    await made(two);
    const both = await traffy(['export']);
    expect([single.err, both.err]).toEqual([
      'traffy: 1 of the accounts is an administrator; an import makes it an ordinary user\n',
      'traffy: 2 of the accounts are administrators; an import makes them ordinary users\n',
    ]);
  }, 60_000);

  it('import exits with 1 for bad lines, shows twenty, and reports all in a file', async () => {
    const path = fileOf(Array.from({ length: 25 }, () => 'nonsense'));
    const report = join(folder, 'report.jsonl');
    const { code, out, err } = await traffy(['import', path, '--dry-run', '--report', report]);
    expect({ code, err }).toEqual({ code: 1, err: 'traffy: 25 lines cannot be imported\n' });
    expect(out.match(/line \d+: it is not JSON/g)).toHaveLength(20);
    expect(out).toContain('and 5 more');
    expect(readFileSync(report, 'utf8').trim().split('\n')).toHaveLength(25);
    const missing = await traffy(['import', join(folder, 'nothing.jsonl'), '--dry-run', '--json']);
    expect({ code: missing.code, out: missing.out }).toEqual({ code: 1, out: '' });
    expect(missing.err).toMatch(/^traffy: cannot use .*ENOENT\)\n$/);
    const taken = await traffy(['import', path, '--dry-run', '--report', report]);
    expect(taken.err).toContain('already exists');
  });

  // oxlint-disable jest/no-standalone-expect -- it is a test, where it can run
  // The embedded database is held by the one process, so that nobody can see how far it is.
  (onServer ? it : it.skip)(
    'a killed import keeps its progress, and the next one continues [pain 22]',
    async () => {
      const lines = Array.from({ length: 20_000 }, (_, index) => ({
        email: `killed${index}@example.com`,
        password_hash: null,
      }));
      const path = fileOf(lines);
      const other = await startApp({ database: target, hashing: 'production' });
      try {
        const program = startProgram({ args: ['traffy', 'users', 'import', path], env: { ...target.env } });
        await until(async () => {
          const rows = await other.query(
            sql`select 1 from imports where lines_done > 1000 and finished_at is null`,
          );
          return rows.length > 0 ? true : undefined;
        });
        await program.kill('SIGKILL');
        const again = await traffy(['import', path, '--json'], target);
        expect(again.code).toBe(0);
        const { resumed_after: resumed, imported, duplicates } = JSON.parse(again.out);
        expect(resumed).toBeGreaterThan(1_000);
        expect({ sum: resumed + imported, duplicates }).toEqual({ sum: 20_000, duplicates: 0 });
      } finally {
        await other.close();
      }
    },
  );
});
