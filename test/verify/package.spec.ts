import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { onServer } from '../support/database.js';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { decodeToken } from '../support/jwt.js';

// No database takes part.
(onServer ? describe.skip : describe)('the package', () => {
  const root = join(import.meta.dirname, '..', '..');
  const run = promisify(execFile);
  let issuer: TestIssuer;
  let folder: string;
  beforeAll(async () => {
    issuer = await startIssuer();
    // What `npm pack` would ship of the library, made by what `npm run build` runs.
    folder = mkdtempSync(join(tmpdir(), 'traffy-consumer-'));
    const modules = join(folder, 'node_modules');
    const own = join(modules, 'traffy');
    mkdirSync(join(modules, '@types'), { recursive: true });
    mkdirSync(own);
    cpSync(join(root, 'package.json'), join(own, 'package.json'));
    for (const name of ['jose', 'fastify', '@types/node', 'undici-types'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
    const swc = ['@swc/cli/bin/swc.js', 'src/verify', '--config-file', '.swcrc', '-d', join(own, 'dist')];
    const tsc = ['typescript/bin/tsc', '-p', 'tsconfig.verify.json', '--outDir', join(own, 'dist')];
    for (const [script = '', ...args] of [swc, tsc])
      await run(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await issuer.close();
  });

  /** What the compiler says of a file of a consumer. */
  async function compile(file: string, source: string, ...options: string[]): Promise<string> {
    writeFileSync(join(folder, file), source);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const all = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--target',
      'es2022',
    ];
    const module = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
    return run(process.execPath, [tsc, ...all, ...module, ...options, file], { cwd: folder }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
  }

  it('has types that compile strictly in a Fastify server, and runs', async () => {
    const source = `
      import { createServer } from 'node:http';
      import { fastify } from 'fastify';
      import { type AccessTokenClaims, claimsOf, createVerifier, TokenRefused, Undecided } from 'traffy/verify';

      const [issuer = '', audience = '', token = ''] = process.argv.slice(2);
      const verifier = createVerifier({ issuer, audience, revocations: true });
      const app = fastify();
      app.addHook('onRequest', verifier.fastify());
      app.get('/', (request) => claimsOf(request).sub);
      const handler = verifier.protect((request, { sub }, context: { region: string }) => Response.json({ sub, context }));
      const protect = verifier.express();
      createServer((request, response) => protect(request, response, () => response.end(claimsOf(request).sub)));

      const claims: AccessTokenClaims = await verifier.verify(token);
      const refusal = await verifier.verify(token + 'A').catch((error: unknown) => error);
      if (!(refusal instanceof TokenRefused) || refusal instanceof Undecided) throw refusal;
      const code: 'malformed' | 'bad_signature' | string = refusal.code;
      const headers = { authorization: 'Bearer ' + token };
      const inFastify = await app.inject({ url: '/', headers });
      const inFetch = await handler(new Request(issuer, { headers }), { region: 'eu' });
      process.stdout.write(JSON.stringify([claims.sub, code, inFastify.body, await inFetch.json()]));
    `;
    expect(await compile('server.ts', source, '--skipLibCheck', '--types', 'node')).toBe('');
    const token = issuer.token();
    const { sub } = decodeToken(token).claims;
    const args = ['server.js', issuer.origin, issuer.audience, token];
    const { stdout } = await run(process.execPath, args, { cwd: folder });
    expect(JSON.parse(stdout)).toEqual([sub, 'bad_signature', sub, { sub, context: { region: 'eu' } }]);
  });

  it('has types that need no Node.js types and reject misuse', async () => {
    const source = `
      import { createVerifier, type RefusalCode } from 'traffy/verify';
      const verifier = createVerifier({ issuer: 'https://a.example', audience: 'b', fetch });
      export const code: RefusalCode = 'revoked';
      export const serve = verifier.protect((_request, claims) => new Response(claims.sid));
      // @ts-expect-error -- claims are for reading
      export const change = async () => ((await verifier.verify('')).sub = 'x');
      // @ts-expect-error -- no such algorithm
      createVerifier({ issuer: 'https://a.example', audience: 'b', algorithms: ['HS256'] });
      // @ts-expect-error -- no such option
      createVerifier({ issuer: 'https://a.example', audience: 'b', clockTolerance: 5 });
    `;
    expect(await compile('edge.ts', source, '--noEmit', '--lib', 'es2022,dom,dom.iterable')).toBe('');
  });

  it('exports nothing else, and needs only jose', async () => {
    const inside = await run(process.execPath, ['-e', "import('traffy/dist/src/verify/verifier.js')"], {
      cwd: folder,
    }).catch((error: { stderr: string }) => error);
    expect(inside.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
    rmSync(join(folder, 'node_modules', 'fastify'));
    const script = "import('traffy/verify').then((all) => console.log(Object.keys(all).toSorted().join()))";
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: folder });
    expect(stdout.trim()).toBe(
      'KeysUnavailable,RevocationsUnavailable,TokenRefused,Undecided,claimsOf,createVerifier',
    );
  });
});
