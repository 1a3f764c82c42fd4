import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { makeStale } from '../support/account.js';
import { startApp, type TestApp } from '../support/app.js';
import { openPage, type WatchedPage } from '../support/browser.js';
import { emptyFolder, run } from '../support/installed-packages.js';
import { freePort, until } from '../support/process.js';
import { startSite } from '../support/static-site.js';
import { freshEmail, PASSWORD, STRATEGIES } from '../support/strategies.js';

const root = join(import.meta.dirname, '..', '..');

describe.each(STRATEGIES)('pages of a browser with AUTH_STRATEGY=$strategy', ({ strategy, issues }) => {
  const folder = emptyFolder();
  let site: Awaited<ReturnType<typeof startSite>>;
  let app: TestApp;
  let watched: WatchedPage;
  let publicUrl = '';
  beforeAll(async () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const project = join(root, 'tools', 'packages', 'tsconfig.client.json');
    await run(process.execPath, [tsc, '-p', project, '--outDir', folder.path]);
    site = await startSite(
      folder.path,
      () => `<!doctype html><link rel="icon" href="data:,"><script type="module">
        import { createClient } from '/client.entry.js';
        import { createPasskeys } from '/passkeys.entry.js';
        const onChallenge = ({ mfaToken }) => passkeys.prove(mfaToken);
        window.client = createClient({ baseUrl: ${JSON.stringify(publicUrl)}, onChallenge });
        window.passkeys = createPasskeys(client);
      </script>`,
    );
    const port = await freePort();
    publicUrl = `http://localhost:${port}`;
    const env = {
      AUTH_STRATEGY: strategy,
      ACCESS_TOKEN_TTL: '1s',
      PORT: String(port),
      PUBLIC_URL: publicUrl,
    };
    app = await startApp({ env: { ...env, TRUSTED_ORIGINS: site.origin } });
    await app.running.app.listen({ host: '127.0.0.1', port });
    watched = await openPage();
  });
  afterAll(async () => {
    await watched?.close();
    await app.close();
    await site.close();
    folder.remove();
  });

  const stateOf = (page: Page) => page.evaluate<string>('client.state.status');

  it('share one refresh, the sign-in and the sign-out', async () => {
    const first = watched.page;
    const second = await first.context().newPage();
    for (const page of [first, second]) {
      await page.goto(site.origin);
      await until(async () => (await stateOf(page)) === 'signed_out' || undefined);
    }
    const body = JSON.stringify({ email: freshEmail(), password: PASSWORD });
    await first.evaluate(`client.signUp(${body}).then(() => client.signIn(${body}))`);
    await until(async () => (await stateOf(second)) === 'signed_in' || undefined);

    const refreshes: string[] = [];
    first.context().on('request', (request) => {
      if (request.url() === `${publicUrl}/refresh`) refreshes.push(request.method());
    });
    const cookies = await first.context().cookies(publicUrl);
    expect(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax')).toBe(true);
    if (issues === 'jwt') {
      const token = cookies.find(({ name }) => name === 'access_token')?.value ?? '';
      const headers = { authorization: `Bearer ${token}` };
      await until(
        async () => (await app.client.get('/users/me', headers)).status === 401 || undefined,
        15_000,
      );
    }
    const calls =
      'Promise.all([client.account.get(), client.sessions.list()]).then(([account]) => account.email)';
    const emails = await Promise.all([first, second].map((page) => page.evaluate<string>(calls)));
    expect(emails).toEqual([JSON.parse(body).email, JSON.parse(body).email]);
    expect(refreshes.filter((method) => method === 'POST')).toHaveLength(issues === 'jwt' ? 1 : 0);

    await second.evaluate('client.signOut()');
    await until(async () => (await stateOf(first)) === 'signed_out' || undefined);
    expect(await first.evaluate('client.me()')).toEqual({ logged_in: false });
    expect(await first.context().cookies(publicUrl)).toEqual([]);
  });

  it('add a passkey and use it to sign in, by autofill, as second factor and for a step-up', async () => {
    const { page } = watched;
    // Browsers refuse ceremonies in pages without focus.
    await page.bringToFront();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    const email = freshEmail();
    const body = JSON.stringify({ email, password: PASSWORD });
    const signedIn = { status: 'signed_in', email };
    const failure = 'then(() => undefined, ({ code }) => code)';
    expect(await page.evaluate(`passkeys.signIn().${failure}`)).toBe('passkey_cancelled');
    await page.evaluate(`client.signUp(${body}).then(() => client.signIn(${body}))`);
    const added = await page.evaluate<{ id: string }>("passkeys.add({ name: 'Test key' })");
    expect(added).toMatchObject({ name: 'Test key' });
    expect(await page.evaluate(`passkeys.add().${failure}`)).toBe('passkey_exists');

    await page.evaluate('client.signOut()');
    expect(await page.evaluate('passkeys.signIn()')).toMatchObject(signedIn);
    await page.evaluate('client.signOut()');
    expect(await page.evaluate('passkeys.autofill()')).toMatchObject(signedIn);
    await page.evaluate('client.signOut()');
    // The password is not enough any more: `onChallenge` proves the passkey.
    const result = await page.evaluate<{ session: { id: string } }>(`client.signIn(${body})`);
    expect(result).toMatchObject(signedIn);
    await makeStale(app, result.session.id);
    expect(await page.evaluate(`passkeys.rename('${added.id}', 'Renamed').then(({ name }) => name)`)).toBe(
      'Renamed',
    );
    expect(await page.evaluate('passkeys.list()')).toMatchObject([{ id: added.id, name: 'Renamed' }]);
    await page.evaluate(`passkeys.remove('${added.id}')`);
    expect(await page.evaluate('passkeys.list()')).toEqual([]);
  });

  it('report passkeys to password managers, where the browser can', async () => {
    const { page } = watched;
    const reports = {
      accepted: ['signalAllAcceptedCredentials', { rpId: 'a', userId: 'b', allAcceptedCredentialIds: ['c'] }],
      unknown: ['signalUnknownCredential', { rpId: 'a', credentialId: 'c' }],
      user: ['signalCurrentUserDetails', { rpId: 'a', userId: 'b', name: 'c', displayName: 'd' }],
    } as const;
    for (const [name, [method, options]] of Object.entries(reports)) {
      const call = `passkeys.signal.${name}(${JSON.stringify(options)})`;
      const taken = `PublicKeyCredential.${method} = async (options) => void (window.taken = options)`;
      expect(await page.evaluate(`(${taken}, ${call}.then(() => window.taken))`)).toEqual(options);
      const refused = `PublicKeyCredential.${method} = () => Promise.reject(new TypeError('refused'))`;
      expect(await page.evaluate(`(${refused}, ${call})`)).toBeUndefined();
      expect(await page.evaluate(`(PublicKeyCredential.${method} = undefined, ${call})`)).toBeUndefined();
    }
  });
});
