import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { openPage } from '../support/browser.js';
import {
  buildPackages,
  compileStrictly,
  emptyFolder,
  installNode,
  installTarball,
  run,
} from '../support/installed-packages.js';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { decodeToken } from '../support/jwt.js';
import { freePort, until } from '../support/process.js';
import { startSite } from '../support/static-site.js';
import { freshEmail, PASSWORD } from '../support/strategies.js';

const CLIENT = `
  import { createClient, type SignInState, TraffyError } from 'traffy-client';
  const [baseUrl = '', email = '', password = ''] = process.argv.slice(2);
  const client = createClient({ baseUrl });
  const states: SignInState['status'][] = [];
  client.onChange(({ status }) => void states.push(status));
  const refused: unknown = await client.account.get().catch((error: unknown) => error);
  if (!(refused instanceof TraffyError)) throw refused;
  await client.signUp({ email, password });
  const result = await client.signIn({ email, password });
  if (result.status === 'mfa_required') throw new Error(result.factors.join());
  const { id }: { id: string } = result.session;
  const devices = await client.sessions.list();
  const { users } = await client.call('GET /admin/users', { query: { limit: 1 } }).catch(() => ({ users: [] }));
  // @ts-expect-error -- a field is missing
  const incomplete = () => client.signIn({ email });
  // @ts-expect-error -- no such call
  const unknown = () => client.call('GET /nothing');
  await client.signOut();
  const { logged_in } = await client.me();
  console.log(JSON.stringify([refused.code, devices[0]?.id === id, users, logged_in, states, typeof incomplete, typeof unknown]));
`;

const VERIFY = `
  import { type AccessTokenClaims, createVerifier, TokenRefused } from 'traffy-verify';
  const [issuer = '', audience = '', token = ''] = process.argv.slice(2);
  const verifier = createVerifier({ issuer, audience, revocations: true });
  const claims: AccessTokenClaims = await verifier.verify(token);
  const refusal: unknown = await verifier.verify(token + 'A').catch((error: unknown) => error);
  console.log(JSON.stringify([claims.sub, refusal instanceof TokenRefused && refusal.code]));
`;

/** As in `tsc --strict`; the packages have no types of Node.js. */
const PROCESS = 'declare const process: { argv: string[] };';

describe('the packages', () => {
  const folder = emptyFolder();
  let tarball: (name: string) => string;
  let app: TestApp;
  let origin: string;
  let issuer: TestIssuer;
  beforeAll(async () => {
    tarball = await buildPackages();
    issuer = await startIssuer();
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    origin = await app.listen();
  });
  afterAll(async () => {
    folder.remove();
    await app.close();
    await issuer.close();
  });

  it.each(['traffy-client', 'traffy-verify'])('have less than 100 KB: %s', async (name) => {
    expect(statSync(tarball(name)).size).toBeLessThan(100_000);
    const { stdout } = await run('tar', ['--list', '--file', tarball(name)]);
    const files = stdout.trim().split('\n');
    for (const file of ['LICENSE', 'README.md', 'package.json']) expect(files).toContain(`package/${file}`);
    expect(files.some((file) => file.endsWith('.d.ts'))).toBe(true);
  });

  describe.each([20, 22, 24])('on Node.js %d', (major) => {
    let node: string;
    beforeAll(async () => {
      node = await installNode(folder.path, major);
    });

    /** Compiles a program beside the installed package, runs it, and returns what it prints. */
    async function outputOf(name: string, source: string, args: string[]): Promise<unknown> {
      const place = await installTarball(folder.path, tarball(name), node);
      writeFileSync(join(place, 'consumer.ts'), `${source}\n${PROCESS}`);
      expect(await compileStrictly(place, 'consumer.ts', '--lib', 'es2022,dom')).toBe('');
      const { stdout } = await run(node, ['consumer.js', ...args], { cwd: place });
      expect((await run(node, ['--version'])).stdout).toMatch(new RegExp(`^v${major}\\.`));
      const listed = await run('npm', ['ls', '--all', '--parseable'], { cwd: place });
      const installed = listed.stdout.split(/[\\/]node_modules[\\/]/).slice(1);
      expect(installed.map((line) => line.split('\n')[0]).toSorted()).toEqual(
        name === 'traffy-client' ? [name] : ['jose', name],
      );
      return JSON.parse(stdout);
    }

    it('the client signs in and out', async () => {
      const output = await outputOf('traffy-client', CLIENT, [origin, freshEmail(), PASSWORD]);
      const states = ['signed_out', 'signed_in', 'signed_out'];
      expect(output).toEqual(['authentication_required', true, [], false, states, 'function', 'function']);
    });

    it('the verifier verifies', async () => {
      const token = issuer.token();
      const { sub } = decodeToken(token).claims;
      const output = await outputOf('traffy-verify', VERIFY, [issuer.origin, issuer.audience, token]);
      expect(output).toEqual([sub, 'bad_signature']);
    });
  });

  it('the client signs in from a plain module script of another origin, in Chromium', async () => {
    const place = await installTarball(folder.path, tarball('traffy-client'), process.execPath);
    let publicUrl = '';
    const site = await startSite(join(place, 'node_modules', 'traffy-client', 'dist'), () => {
      const values = JSON.stringify([publicUrl, freshEmail(), PASSWORD]);
      return `<!doctype html><link rel="icon" href="data:,"><output></output><script type="module">
        import { createClient } from '/client.entry.js';
        import { createPasskeys } from '/passkeys.entry.js';
        const [baseUrl, email, password] = ${values};
        const client = createClient({ baseUrl });
        await client.signUp({ email, password });
        const { status } = await client.signIn({ email, password });
        const [device] = await client.sessions.list();
        const passkeys = createPasskeys(client);
        const text = JSON.stringify([status, device.current, passkeys.isSupported(), await client.accessToken()]);
        document.querySelector('output').textContent = text;
      </script>`;
    });
    const port = await freePort();
    publicUrl = `http://localhost:${port}`;
    const env = { AUTH_STRATEGY: 'jwt', PORT: String(port), PUBLIC_URL: publicUrl };
    const other = await startApp({ env: { ...env, TRUSTED_ORIGINS: site.origin } });
    await other.running.app.listen({ host: '127.0.0.1', port });
    const watched = await openPage();
    try {
      await watched.page.goto(site.origin);
      const output = watched.page.locator('output');
      const text = await until(async () => (await output.textContent()) || undefined, 15_000);
      expect(JSON.parse(text)).toEqual(['signed_in', true, true, null]);
      expect(await watched.page.evaluate('document.cookie')).toBe('');
      expect(watched.complaints).toEqual([]);
    } finally {
      await watched.close();
      await other.close();
      await site.close();
    }
  });
});
