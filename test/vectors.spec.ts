import { createHmac, createPublicKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { sql } from 'kysely';
import { SIGNING_ALGORITHMS } from '../config/auth.config.js';
import { run } from '../src/cli/program.js';
import { Forge } from '../src/vectors/forge.js';
import { type RunningIssuer, serveIssuer } from '../src/vectors/issuer.server.js';
import { makeDocument } from '../src/vectors/make.document.js';
import { type VectorDocument, vectorDocumentSchema } from '../src/vectors/vector.document.js';
import { runVectors } from '../src/vectors/vector.runner.js';
import { createVerifier, type TokenRefused, type Undecided } from '../src/verify/verify.entry.js';
import { startApp, type TestApp } from './support/app.js';
import { onServer } from './support/database.js';
import { decodeToken, storeKey } from './support/jwt.js';
import { endAllPrograms, freePort, startProgram } from './support/process.js';
import { RECIPES, type RunningRecipe, startRecipe } from './support/recipes.js';

const AUDIENCE = 'https://api.example.com';
// What follows needs no database: once is enough.
const once = onServer ? describe.skip : describe;

const folder = mkdtempSync(join(tmpdir(), 'traffy-vectors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whose tokens these are, on a free port of this machine. */
async function newForge(algorithm: (typeof SIGNING_ALGORITHMS)[number] = 'ES256'): Promise<Forge> {
  return new Forge(`http://localhost:${await freePort()}`, AUDIENCE, algorithm);
}

/** Serves the keys of a document, as the commands do. */
async function serveKeys(document: VectorDocument): Promise<RunningIssuer> {
  const result = await serveIssuer(document);
  if (result.state !== 'serving') throw new Error(`${document.issuer} is ${result.state}`);
  return result.issuer;
}

function idsOf(document: VectorDocument, expected: string): string[] {
  return document.vectors.filter((vector) => vector.expected === expected).map(({ id }) => id);
}

const servers = new Set<Server>();
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  servers.clear();
});

/** A service that answers each token with the status that `judge` gives, and 401 where there is none. */
async function startService(
  judge: (token: string) => number | Promise<number>,
  readToken = ({ headers }: IncomingMessage) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1],
): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const token = readToken(request);
    response.writeHead(token === undefined ? 401 : await judge(token)).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

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

/** Builds what is started as processes of their own, and runs a command as one. */
async function traffyProcess(...args: string[]) {
  const program = startProgram({ args: ['traffy', 'vectors', ...args] });
  const { code } = await program.exit;
  return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
}
afterEach(endAllPrograms);

describe('the verdicts of the vectors', () => {
  const issuer = 'http://localhost:9000';
  const forges = new Map(
    SIGNING_ALGORITHMS.map((name) => [name, new Forge(issuer, AUDIENCE, name)] as const),
  );
  let app: TestApp;
  let url: URL;
  beforeAll(async () => {
    app = await startApp({
      env: { AUTH_STRATEGY: 'jwt', PUBLIC_URL: issuer, AUTH_AUDIENCE: AUDIENCE, RATE_LIMIT_DEFAULT: 'off' },
    });
    for (const { current, next, other } of forges.values()) {
      for (const key of [current, next, other]) await storeKey(app, key, 'previous');
    }
    url = new URL(`${await app.listen()}/users/me`);
  });
  afterAll(() => app.close());

  it.each([...forges])(
    'J1 to J13, incidents 7 to 11 and 32: are those of Traffy itself, %s',
    async (_algorithm, forge) => {
      const document = await makeDocument(forge);
      await signInAs(app, document);
      const { sent, wrong, not_counted } = await runVectors(document, { url, header: null });
      expect({ wrong }).toEqual({ wrong: [] });
      expect(sent).toBeGreaterThan(70);
      expect(not_counted.map(({ id, got }) => `${id} ${got}`)).toEqual([
        'kid-missing refused',
        'typ-upper-case accepted',
        'iat-future accepted',
        'claim-twice accepted',
        'signature-stray-bits refused',
      ]);
    },
  );
});

/** Makes the account and the session that the tokens of a document are about. */
async function signInAs(app: TestApp, { vectors }: VectorDocument): Promise<void> {
  const { sub, sid } = decodeToken(vectors[0]?.token ?? '').claims as { sub: string; sid: string };
  const email = `${sub}@example.com`;
  await app.query(
    sql`insert into users (id, email, email_canonical, password_hash) values (${sub}, ${email}, ${email}, '')`,
  );
  await app.query(
    sql`insert into sessions (id, user_id, strategy, methods, created_at, authenticated_at, expires_at)
      values (${sid}, ${sub}, 'jwt', '{pwd}', now() - interval '1 hour', now() - interval '1 hour', now() + interval '1 day')`,
  );
}

once('a document of vectors', () => {
  it('is complete: good ones, bad ones, debatable ones, each with a reason and a standard', async () => {
    const document = await makeDocument(await newForge());
    expect(vectorDocumentSchema.parse(document)).toEqual(document);
    const ids = document.vectors.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(document.vectors.map(({ token }) => token)).size).toBe(ids.length);
    expect(idsOf(document, 'accept').length).toBeGreaterThanOrEqual(7);
    expect(idsOf(document, 'refuse').length).toBeGreaterThanOrEqual(70);
    for (const { description, reason, standard, token } of document.vectors) {
      expect({ description, reason, standard }).toEqual({
        description: expect.stringMatching(/\w/),
        reason: expect.stringMatching(/\w/),
        standard: expect.stringMatching(/^RFC \d{4}/),
      });
      // What every server takes in a header field.
      expect(token).toMatch(/^[\x21-\x7e]{1,7000}$/);
    }
    expect(Date.parse(document.good_until) - Date.parse(document.created_at)).toBe(4 * 3600 * 1000);
  });

  it('J15: shows public keys only, three of them with ids of their own, and makes new ones each time', async () => {
    const [first, second] = [await makeDocument(await newForge()), await makeDocument(await newForge())];
    const { keys } = first.jwks;
    expect(keys.map(({ kty, alg, use }) => `${kty} ${String(alg)} ${String(use)}`)).toEqual([
      'RSA PS256 sig',
      'EC ES256 sig',
      'EC ES256 sig',
    ]);
    const members = [...keys, ...first.attacker.jwks.keys].flatMap((key) => Object.keys(key));
    expect(new Set(members)).toEqual(new Set(['kty', 'kid', 'alg', 'use', 'crv', 'x', 'y', 'n', 'e']));
    const kids = [first, second].flatMap(({ jwks }) => jwks.keys.map(({ kid }) => kid));
    expect(new Set(kids).size).toBe(6);
  });
});

once('a bad verifier', () => {
  it('that accepts everything gets every bad token wrong, and no good one', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService(() => 200));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id, got }) => `${id} ${got}`)).toEqual(
      idsOf(document, 'refuse').map((id) => `${id} accepted`),
    );
  });

  it('that refuses everything gets every good token wrong, and no bad one', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService(() => 403));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id, got }) => `${id} ${got}`)).toEqual(
      idsOf(document, 'accept').map((id) => `${id} refused`),
    );
  });

  it('incidents 7 and 8: that believes "alg" is caught by the ids that name it', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService((token) => believingAlg(token, document)));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id }) => id)).toEqual([
      'alg-none',
      'alg-none-capital',
      'alg-none-mixed',
      'alg-none-signed',
      'hmac-pem',
    ]);
  });

  it('incident 9: that trims the key before it looks for a PEM is caught', async () => {
    const document = await makeDocument(await newForge());
    const url = new URL(await startService((token) => believingAlg(token, document, '\n')));
    const { wrong } = await runVectors(document, { url, header: null });
    expect(wrong.map(({ id }) => id)).toContain('hmac-pem-leading-space');
  });

  it('that breaks, redirects or hangs has given no verdict', async () => {
    const document = await makeDocument(await newForge());
    const tokenOf = (wanted: string) => document.vectors.find(({ id }) => id === wanted)?.token;
    const verdicts = new Map([
      [tokenOf('plain'), 200],
      [tokenOf('second-key'), 429],
      [tokenOf('kid-list'), 500],
      [tokenOf('aud-wrong'), 302],
    ]);
    const hang = tokenOf('kid-long');
    const judge = (token: string) =>
      token === hang ? new Promise<number>(() => undefined) : (verdicts.get(token) ?? 401);
    const url = new URL(await startService(judge));
    const { wrong } = await runVectors(document, { url, header: null });
    const answers = Object.fromEntries(wrong.map(({ id, got, answer }) => [id, `${got}: ${answer}`]));
    expect(answers).toMatchObject({
      'second-key': 'no verdict: status 429',
      'kid-list': 'no verdict: status 500',
      'aud-wrong': 'no verdict: status 302',
      'kid-long': 'no verdict: no answer in 5 s',
    });
    expect(answers).not.toHaveProperty('plain');
  });
});

/** A verifier that checks everything, but takes the algorithm from the header. */
async function believingAlg(token: string, document: VectorDocument, before = ''): Promise<number> {
  const parts = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token);
  if (!parts) return 401;
  const { header, claims } = decodeToken(token) as Record<'header' | 'claims', Record<string, unknown>>;
  const now = Date.now() / 1000;
  const isFine =
    /^(application\/)?at\+jwt$/.test(String(header['typ'])) &&
    !('crit' in header) &&
    typeof header['kid'] === 'string' &&
    claims['iss'] === document.issuer &&
    [claims['aud']].flat().includes(AUDIENCE) &&
    typeof claims['exp'] === 'number' &&
    claims['exp'] > now &&
    Number(claims['nbf']) <= now &&
    typeof claims['sub'] === 'string';
  return isFine && (await isSignedAsItSays(token, header, document, before)) ? 200 : 401;
}

async function isSignedAsItSays(
  token: string,
  { alg, kid }: Record<string, unknown>,
  { jwks }: VectorDocument,
  before: string,
): Promise<boolean> {
  const jwk = jwks.keys.find((key) => key.kid === kid);
  if (String(alg).toLowerCase() === 'none') return true;
  if (alg === 'HS256' && jwk) {
    const pem = before + createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
    const [, input = '', signature] = /^(.+)\.(.*)$/.exec(token) ?? [];
    return createHmac('sha256', pem).update(input).digest('base64url') === signature;
  }
  const keys = createLocalJWKSet(jwks as JSONWebKeySet);
  return compactVerify(token, keys).then(
    () => true,
    () => false,
  );
}

once('a verifier of traffy/verify that reads revocations', () => {
  it.each(SIGNING_ALGORITHMS)(
    'gets no token wrong, with the feed of the test issuer, %s',
    async (algorithm) => {
      const forge = await newForge(algorithm);
      const document = await makeDocument(forge);
      const { issuer, audience } = document;
      const errors: Error[] = [];
      const verifier = createVerifier({
        issuer,
        audience,
        revocations: true,
        onError: (error) => errors.push(error),
      });
      const url = await startService((token) =>
        verifier.verify(token).then(
          () => 200,
          ({ status }: TokenRefused | Undecided) => status,
        ),
      );
      const running = await serveKeys(document);
      const { sent, wrong } = await runVectors(document, { url: new URL(url), header: null });
      const feed = await fetch(`${issuer}/.well-known/revocations`);
      await running.close();
      // Two ways of being bad are of elliptic curves alone.
      expect({ sent, wrong, errors }).toEqual({
        sent: algorithm === 'ES256' ? 77 : 75,
        wrong: [],
        errors: [],
      });
      expect(feed.headers.get('content-type')).toBe('application/revocations+jwt');
      const { iat: _iat, exp, ...told } = decodeToken(await feed.text()).claims as Record<string, unknown>;
      expect(told).toEqual({ iss: issuer, since: null, cursor: expect.any(String), entries: [] });
      // It is believed for as long as the document is good.
      expect(Number(exp) * 1000).toBeGreaterThanOrEqual(Date.parse(document.good_until));
    },
  );
});

once('traffy vectors', () => {
  const file = join(folder, 'vectors.json');
  let document: VectorDocument;
  let made: Awaited<ReturnType<typeof traffyProcess>>;
  beforeAll(async () => {
    const args = ['--audience', AUDIENCE, '--jwks', join(folder, 'jwks.json'), '--out', file, '--json'];
    made = await traffyProcess('--issuer', `http://localhost:${await freePort()}`, ...args);
    document = vectorDocumentSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  });

  it('says what it wrote', () => {
    const { vectors, jwks: _jwks, revocations: _revocations, attacker: _attacker, ...about } = document;
    expect({ ...made, out: JSON.parse(made.out) }).toEqual({
      code: 0,
      out: { out: file, ...about, tokens: vectors.length, not_counted: 5 },
      err: '',
    });
  });

  it('writes the key set apart, lists the tokens, and prints the document with --json', async () => {
    expect(JSON.parse(readFileSync(join(folder, 'jwks.json'), 'utf8'))).toEqual(document.jwks);
    const list = await traffy();
    const json = await traffy('--algorithm', 'RS256', '--json');
    const out = join(folder, 'said.json');
    expect((await traffy('--out', out)).out).toMatch(
      /^82 tokens of \S+ for \S+ are in \S+, good until \S+Z\. 5 of them are not counted \(verdict may\)\.\n$/,
    );
    expect(list.out).toMatch(/^EXPECTED +TOKEN +WHAT IT IS\naccept +plain +an access token/);
    expect(vectorDocumentSchema.parse(JSON.parse(json.out))).toMatchObject({
      issuer: 'http://localhost:9000',
      audience: 'http://localhost:8000',
      algorithm: 'RS256',
    });
  });

  it('run: ends with 0 where all is right, having served the keys, and leaves the port', async () => {
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

  it('J4: run: ends with 1 and a table where a token is wrong, or where a URL of a token was followed', async () => {
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

  it('run: sends the token alone in another header', async () => {
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

  it('run: ends with 1 and a reason where a verdict would mean nothing', async () => {
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
    expect(elsewhere).toMatch(/answers status 404 without a token, where a protected URL answers 401\n$/);
    expect(absent).toMatch(/none\.json cannot be read \(ENOENT\): make tokens with traffy vectors --out/);
    expect(expired).toMatch(/the tokens in \S+ were good until 2020-01-01T00:00:00\.000Z: make/);
    expect(malformed).toMatch(/broken\.json does not hold tokens of this version: make/);
    expect(unwritable).toMatch(/vectors\.json cannot be written \(ENOENT\)\n$/);
  });

  it('serve: serves the keys and the metadata until SIGINT, and tells who fetches what forged tokens name', async () => {
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
    expect(program.stderr()).toContain('somebody fetched /attacker/jwks.json');
  });

  it('run: ends with 1 where something else has the port of the issuer', async () => {
    const { port: takenPort } = new URL(await startService(() => 200));
    const taken = join(folder, 'taken.json');
    const issuer = `http://localhost:${takenPort}`;
    writeFileSync(taken, JSON.stringify({ ...document, issuer }));
    const { code, err } = await traffy('run', 'http://127.0.0.1:1/', '--file', taken);
    expect(code).toBe(1);
    expect(err).toContain(`something else answers at ${issuer}, without the keys of these tokens`);
  });

  it.each([
    [['run']],
    [['run', 'nonsense']],
    [['run', 'ftp://127.0.0.1/']],
    [['run', 'http://127.0.0.1/', '--header', 'two words']],
    [['--issuer', 'http://localhost:9000/path']],
    [['--algorithm', 'HS256']],
    [['nonsense']],
  ])('ends with 2 for %j', async (args) => {
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

// Where everything is required, a skipped test would look like a kept promise.
const mustRun = process.env['TEST_TOOLS'] === 'required';
const missing = onServer ? [] : RECIPES.filter(({ isHere }) => !isHere());
if (missing.length > 0) {
  const packages = missing.map((recipe) => recipe.packages).join(' ');
  process.stderr.write(
    `\nWARNING: ${mustRun ? 'failing' : 'SKIPPING'} the recipes ${missing.map(({ file }) => file).join(', ')} (on Debian: apt-get install ${packages})\n\n`,
  );
}
const recipes = RECIPES.filter((recipe) => mustRun || !missing.includes(recipe));

once('the recipes of docs/verifying-tokens.md', () => {
  /** Milliseconds until the recipes read the keys again for an id that they do not know. */
  const COOL_DOWN = 5500;
  const followers = recipes.filter(({ followsRotation }) => followsRotation).map(({ file }) => file);
  const running = new Map<string, RunningRecipe>();
  let withoutKeys: Readonly<Record<string, number>>;
  let issuer: RunningIssuer;
  let forge: Forge;
  let document: VectorDocument;
  beforeAll(async () => {
    // What is built for the command line is what node-traffy.mjs imports.
    await traffyProcess('--json');
    forge = await newForge();
    document = await makeDocument(forge);
    const start = (list: typeof recipes) =>
      Promise.all(list.map(async (recipe) => running.set(recipe.file, await startRecipe(recipe, forge))));
    await start(recipes.filter(({ followsRotation }) => followsRotation));
    withoutKeys = await askAll(forge.token(), followers);
    issuer = await serveKeys(document);
    await start(recipes.filter(({ followsRotation }) => !followsRotation));
    await pause(COOL_DOWN);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([...running.values()].map((recipe) => recipe.stop()));
    await issuer.close();
  });

  function recipeOf(file: string): RunningRecipe {
    const recipe = running.get(file);
    if (!recipe) throw new Error(`${file} does not run`);
    return recipe;
  }

  /** The status that a recipe answers a token with, and what it says. */
  async function ask(file: string, token: string) {
    const reply = await fetch(recipeOf(file).url, {
      headers: { authorization: `bearer ${token}`, connection: 'close' },
    });
    return { status: reply.status, text: await reply.text() };
  }

  /** What every recipe answers to a token. */
  async function askAll(token: string, files = recipes.map(({ file }) => file)) {
    return Object.fromEntries(
      await Promise.all(files.map(async (file) => [file, (await ask(file, token)).status] as const)),
    );
  }

  function same(status: number, files = recipes.map(({ file }) => file)) {
    return Object.fromEntries(files.map((file) => [file, status]));
  }

  it('answer 503 where the keys cannot be had: no verdict is not a refusal', () => {
    expect(withoutKeys).toEqual(same(503, followers));
  });

  it.each(recipes.map(({ file }) => file))(
    'J1 to J13, incidents 7 to 11 and 32, pain 12: %s gets no token wrong',
    async (file) => {
      const { url, stderr } = recipeOf(file);
      const { sent, wrong } = await runVectors(document, { url, header: null });
      expect({ wrong, stderr: stderr() }).toEqual({ wrong: [], stderr: '' });
      expect(sent).toBe(77);
    },
  );

  it('J4: none of them followed a URL of a token', () => {
    expect(issuer.fetchedFromTokens).toEqual([]);
  });

  it('tell the service who it is, and ask for a bearer token where there is none', async () => {
    const token = forge.token();
    const { sub } = decodeToken(token).claims;
    for (const { file } of recipes) {
      expect({ file, ...(await ask(file, token)) }).toEqual({ file, status: 200, text: `Hello ${sub}\n` });
      const reply = await fetch(recipeOf(file).url);
      expect({ file, status: reply.status }).toEqual({ file, status: 401 });
      expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });

  it('J6: bear with a clock that is 8 s ahead or 3 s behind, not with 30 s (clock skew)', async () => {
    const stamped = (offset: number, life = 600) => {
      const iat = Math.floor(Date.now() / 1000) + offset;
      return forge.token({ claims: { iat, nbf: iat - 5, exp: iat + life } });
    };
    expect(await askAll(stamped(8))).toEqual(same(200));
    expect(await askAll(stamped(30))).toEqual(same(401));
    expect(await askAll(stamped(-63, 60))).toEqual(same(200));
    expect(await askAll(stamped(-90, 60))).toEqual(same(401));
  });

  it('pain 11: those that read keys by themselves take a new key, and drop one that is gone', async () => {
    const rotated = new Forge(forge.issuer, AUDIENCE, 'ES256');
    await issuer.close();
    issuer = await serveKeys(await makeDocument(rotated));
    await pause(COOL_DOWN);
    expect(await askAll(rotated.token(), followers)).toEqual(same(200, followers));
    expect(await askAll(forge.token(), followers)).toEqual(same(401, followers));
  });
});

once('docs/verifying-tokens.md', () => {
  const root = join(import.meta.dirname, '..');
  const page = readFileSync(join(root, 'docs', 'verifying-tokens.md'), 'utf8');

  const shown = ['node-traffy.mjs', 'node-jose.mjs', 'python_pyjwt.py'];

  it.each(shown)('shows %s as the file has it', (file) => {
    expect(page).toContain(readFileSync(join(root, 'docs', 'recipes', file), 'utf8'));
  });

  it('shows or links every recipe', () => {
    const linked = [...page.matchAll(/\]\(recipes\/([\w.-]+)\)/g)].map(([, file]) => file);
    expect([...shown, ...new Set(linked)].toSorted()).toEqual(
      readdirSync(join(root, 'docs', 'recipes')).toSorted(),
    );
  });

  it('says of every option of the verifier what it does', () => {
    const { all } = /not an option; there are (?<all>.+)$/.exec(messageOf({ nonsense: 1 }))?.groups ?? {};
    const inner = /there are (?<all>.+)$/.exec(messageOf({ revocations: { nonsense: 1 } }))?.groups ?? {};
    const names = [
      ...(all?.split(', ') ?? []),
      ...(inner['all']?.split(', ') ?? []).map((name) => `revocations.${name}`),
    ];
    expect(names).toHaveLength(11);
    expect(names.filter((name) => !page.includes(`\n| \`${name}\``))).toEqual([]);
  });

  it('says how many tokens there are', async () => {
    const { vectors } = await makeDocument(await newForge());
    expect(page).toContain(`${vectors.filter(({ expected }) => expected !== 'may').length} tokens`);
  });
});

/** What the verifier says of options that it does not take. */
function messageOf(options: object): string {
  try {
    createVerifier({ issuer: 'https://a.example', audience: AUDIENCE, ...options });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
