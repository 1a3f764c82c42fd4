import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { run } from '../../src/cli/program.js';
import { type VectorDocument, vectorDocumentSchema } from '../../src/vectors/vector.document.js';
import { onServer } from '../support/database.js';
import { decodeToken } from '../support/jwt.js';
import { freePort, startProgram } from '../support/process.js';
import { AUDIENCE, endServices, startService, traffyProcess } from '../support/vectors.js';

endServices();

// What follows needs no database: once is enough.
const once = onServer ? describe.skip : describe;

const folder = mkdtempSync(join(tmpdir(), 'traffy-vectors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command in this process, as the program does. */
async function traffy(...args: string[]) {
  const written = { out: '', err: '' };
  const catchInto = (name: 'out' | 'err') => (text: unknown) => {
    written[name] += String(text);
    return true;
  };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(catchInto('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(catchInto('err')),
  ];
  const code = await run(['vectors', ...args]);
  for (const spy of spies) spy.mockRestore();
  return { code, ...written };
}

once('traffy vectors', () => {
  const file = join(folder, 'vectors.json');
  let document: VectorDocument;
  let made: Awaited<ReturnType<typeof traffyProcess>>;
  beforeAll(async () => {
    const args = ['--audience', AUDIENCE, '--jwks', join(folder, 'jwks.json'), '--out', file, '--json'];
    made = await traffyProcess('--issuer', `http://localhost:${await freePort()}`, ...args);
    document = vectorDocumentSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  });

  it('prints what it wrote', () => {
    const { vectors, jwks: _jwks, revocations: _revocations, attacker: _attacker, ...about } = document;
    expect({ ...made, out: JSON.parse(made.out) }).toEqual({
      code: 0,
      out: { out: file, ...about, tokens: vectors.length, not_counted: 5 },
      err: '',
    });
  });

  it('writes the key set to a file, lists the tokens, and prints the document with --json', async () => {
    expect(JSON.parse(readFileSync(join(folder, 'jwks.json'), 'utf8'))).toEqual(document.jwks);
    const list = await traffy();
    const json = await traffy('--algorithm', 'RS256', '--json');
    const out = join(folder, 'said.json');
    expect((await traffy('--out', out)).out).toMatch(
      /^82 tokens of \S+ for \S+ are in \S+, valid until \S+Z\. 5 of them do not count \(verdict may\)\.\n$/,
    );
    expect(list.out).toMatch(/^EXPECTED +TOKEN +WHAT IT IS\naccept +plain +an access token/);
    expect(vectorDocumentSchema.parse(JSON.parse(json.out))).toMatchObject({
      issuer: 'http://localhost:9000',
      audience: 'http://localhost:8000',
      algorithm: 'RS256',
    });
  });

  it('run: exits with 0 if all verdicts are right, and releases the port', async () => {
    const good = new Map(document.vectors.map(({ token, expected }) => [token, expected]));
    let isServed = false;
    const url = await startService(async (token) => {
      isServed ||= (await fetch(`${document.issuer}/.well-known/jwks.json`)).ok;
      return good.get(token) === 'accept' ? 200 : 401;
    });
    const { code, out, err } = await traffy('run', url, '--file', file);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^Not counted \(verdict may\), .*kid-missing refused.*\n\n77 tokens sent to \S+: 77 right, 0 wrong\. 5 more are not counted\.\n$/,
    );
    expect(isServed).toBe(true);
    await expect(fetch(document.issuer)).rejects.toThrow('fetch failed');
  });

  it('run: exits with 1 and a table if a verdict is wrong or a URL of a token was fetched [J4]', async () => {
    const url = await startService(async (token) => {
      const { jku } = token.includes('.') ? headerOf(token) : {};
      if (typeof jku === 'string') await fetch(jku);
      return 401;
    });
    const table = await traffy('run', url, '--file', file);
    const json = await traffy('run', url, '--file', file, '--json');
    expect({ code: table.code, err: table.err }).toEqual({
      code: 1,
      err: `traffy: ${url} got 7 of 77 tokens wrong\n`,
    });
    expect(table.out).toMatch(
      /^WRONG +EXPECTED +GOT +WHAT IT IS +STANDARD\nplain +accept +refused +an access/,
    );
    expect(table.out).toContain(`Does it expect the issuer ${document.issuer} and the audience ${AUDIENCE}`);
    expect(table.out).toContain('It fetched /attacker/jwks.json');
    expect(json.code).toBe(1);
    const report = JSON.parse(json.out);
    expect(report).toMatchObject({ url, sent: 77, fetched_from_tokens: ['/attacker/jwks.json'] });
    expect(report.wrong[0]).toEqual({
      id: 'plain',
      expected: 'accept',
      got: 'refused',
      answer: 'status 401',
      description: 'an access token as Traffy issues it',
      reason: 'nothing is wrong with it',
      standard: 'RFC 9068 §4',
    });
    expect(report.not_counted).toHaveLength(5);
  });

  it('run: sends the bare token in another header', async () => {
    const good = new Set(
      document.vectors.filter(({ expected }) => expected === 'accept').map(({ token }) => token),
    );
    const url = await startService(
      (token) => (good.has(token) ? 204 : 400),
      ({ headers }) => headers['x-access-token'] as string | undefined,
    );
    expect((await traffy('run', url, '--file', file, '--header', 'X-Access-Token')).code).toBe(0);
    expect((await traffy('run', url, '--file', file)).code).toBe(1);
  });

  it('run: exits with 1 and a reason if a verdict would be meaningless', async () => {
    const open = await startService(
      () => 200,
      () => 'always',
    );
    const lost = await startService(
      () => 404,
      () => 'always',
    );
    const stale = join(folder, 'stale.json');
    writeFileSync(stale, JSON.stringify({ ...document, good_until: '2020-01-01T00:00:00.000Z' }));
    const broken = join(folder, 'broken.json');
    writeFileSync(broken, '{"issuer":1}');
    const results = [
      await traffy('run', `http://127.0.0.1:${await freePort()}/`, '--file', file),
      await traffy('run', open, '--file', file),
      await traffy('run', lost, '--file', file),
      await traffy('run', open, '--file', join(folder, 'none.json')),
      await traffy('run', open, '--file', stale),
      await traffy('run', open, '--file', broken),
      await traffy('--out', join(folder, 'none', 'vectors.json')),
    ];
    expect(results.map(({ code, out }) => `${code}${out}`)).toEqual(results.map(() => '1'));
    const [unreachable, unprotected, elsewhere, absent, expired, malformed, unwritable] = results.map(
      ({ err }) => err,
    );
    expect(unreachable).toMatch(/^traffy: http:\S+ cannot be reached: ECONNREFUSED\n$/);
    expect(unprotected).toBe(`traffy: ${open} answers 200 without a token: it is not protected\n`);
    expect(elsewhere).toMatch(/answers status 404 without a token, but a protected URL answers 401\n$/);
    expect(absent).toMatch(/none\.json cannot be read \(ENOENT\): create tokens with traffy vectors --out/);
    expect(expired).toMatch(/the tokens in \S+ expired at 2020-01-01T00:00:00\.000Z: create/);
    expect(malformed).toMatch(/broken\.json does not contain tokens of this version: create/);
    expect(unwritable).toMatch(/vectors\.json cannot be written \(ENOENT\)\n$/);
  });

  it('serve: serves keys and metadata until SIGINT, and reports fetches of URLs in forged tokens', async () => {
    const program = startProgram({ args: ['traffy', 'vectors', 'serve', '--file', file] });
    const served = await waitFor(() => fetch(`${document.issuer}/.well-known/jwks.json`));
    expect(served.headers.get('content-type')).toBe('application/jwk-set+json');
    expect(await served.json()).toEqual(document.jwks);
    const metadata = {
      issuer: document.issuer,
      jwks_uri: `${document.issuer}/.well-known/jwks.json`,
      revocations_uri: `${document.issuer}/.well-known/revocations`,
    };
    for (const path of ['oauth-authorization-server', 'openid-configuration']) {
      expect(await (await fetch(`${document.issuer}/.well-known/${path}`)).json()).toEqual(metadata);
    }
    expect(await (await fetch(`${document.issuer}/attacker/jwks.json`)).json()).toEqual(
      document.attacker.jwks,
    );
    expect((await fetch(`${document.issuer}/attacker/certificate.pem`)).status).toBe(200);
    // A run finds the keys served, and leaves them be.
    const url = await startService(() => 401);
    expect((await traffy('run', url, '--file', file)).err).toContain('got 7 of 77 tokens wrong');
    expect((await program.kill('SIGINT')).code).toBe(0);
    expect(program.stdout()).toBe(`Serving ${document.issuer}/.well-known/jwks.json until Ctrl+C.\n`);
    expect(program.stderr()).toContain('a client fetched /attacker/jwks.json');
  });

  it('run: exits with 1 if another program has the port of the issuer', async () => {
    const { port: takenPort } = new URL(await startService(() => 200));
    const taken = join(folder, 'taken.json');
    const issuer = `http://localhost:${takenPort}`;
    writeFileSync(taken, JSON.stringify({ ...document, issuer }));
    const { code, err } = await traffy('run', 'http://127.0.0.1:1/', '--file', taken);
    expect(code).toBe(1);
    expect(err).toContain(`another server answers at ${issuer}, without the keys of these tokens`);
  });

  it.each([
    [['run']],
    [['run', 'nonsense']],
    [['run', 'ftp://127.0.0.1/']],
    [['run', 'http://127.0.0.1/', '--header', 'two words']],
    [['--issuer', 'http://localhost:9000/path']],
    [['--algorithm', 'HS256']],
    [['nonsense']],
  ])('exits with 2 for %j', async (args) => {
    const { code, out, err } = await traffy(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: traffy vectors');
  });
});

function headerOf(token: string): Record<string, unknown> {
  try {
    return decodeToken(token).header;
  } catch {
    return {};
  }
}

/** Asks again until there is an answer. */
async function waitFor<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 500) throw error;
      await pause(20);
    }
  }
}
