import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { makeStale } from '../support/account.js';
import { startApp, type TestApp } from '../support/app.js';
import { openPage, type WatchedPage } from '../support/browser.js';
import { installExample, type RunningExample, runIn, startIn } from '../support/examples.js';
import { buildPackages, emptyFolder } from '../support/installed-packages.js';
import { freePort, until } from '../support/process.js';
import { accessTokenOf, freshEmail, PASSWORD, signIn } from '../support/strategies.js';

const folder = emptyFolder();
let tarball: (name: string) => string;
let port: number;
/** The address that the examples are configured with; one Traffy after the other has it. */
let traffyUrl: string;
beforeAll(async () => {
  tarball = await buildPackages();
  port = await freePort();
  traffyUrl = `http://localhost:${port}`;
});
afterAll(() => folder.remove());

async function startTraffy(env: Record<string, string>): Promise<TestApp> {
  const app = await startApp({ env: { PORT: String(port), PUBLIC_URL: traffyUrl, ...env } });
  await app.running.app.listen({ host: '127.0.0.1', port });
  return app;
}

async function signUpOn({ page }: WatchedPage): Promise<string> {
  const email = freshEmail();
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText(`Signed in as ${email}`).waitFor();
  return email;
}

async function signInOn({ page }: WatchedPage, email: string, password: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

describe('examples/react-spa', () => {
  let place: string;
  beforeAll(async () => {
    place = await installExample(folder.path, 'react-spa', tarball('traffy-client'));
    await build('dist');
    // What the guide says for another site.
    const file = join(place, 'src', 'SignIn.jsx');
    const code = readFileSync(file, 'utf8');
    const bearer = code.replace('createClient({ ', "createClient({ transport: 'bearer', ");
    if (bearer === code) throw new Error('SignIn.jsx creates its client in another way');
    writeFileSync(file, bearer);
    await build('dist-bearer');
  });

  function build(output: string): Promise<void> {
    const args = ['node_modules/vite/bin/vite.js', 'build', '--outDir', output];
    return runIn(place, args, { VITE_TRAFFY_URL: traffyUrl });
  }

  // Pages of another site get no cookies.
  it.each([
    { strategy: 'session', host: 'localhost', output: 'dist' },
    { strategy: 'jwt', host: 'localhost', output: 'dist' },
    { strategy: 'jwt', host: '127.0.0.1', output: 'dist-bearer' },
  ])('signs up, in and out from $host: $strategy, $output', async ({ strategy, host, output }) => {
    const sitePort = await freePort();
    const origin = `http://${host}:${sitePort}`;
    const app = await startTraffy({ AUTH_STRATEGY: strategy, TRUSTED_ORIGINS: origin });
    const vite = ['node_modules/vite/bin/vite.js', 'preview', '--strictPort', '--outDir', output];
    const site = await startIn(place, [...vite, '--host', host, '--port', String(sitePort)], origin);
    const watched = await openPage();
    try {
      await watched.page.goto(origin);
      const email = await signUpOn(watched);
      await watched.page.getByText('Devices: 1').waitFor();
      if (output === 'dist') {
        await watched.page.reload();
        await watched.page.getByText(`Signed in as ${email}`).waitFor();
      }
      await watched.page.getByRole('button', { name: 'Sign out' }).click();
      await signInOn(watched, email, `${PASSWORD}!`);
      const alert = watched.page.getByRole('alert');
      await alert.filter({ hasText: 'password' }).waitFor();
      await signInOn(watched, email, PASSWORD);
      await watched.page.getByText(`Signed in as ${email}`).waitFor();
      // Only the refusal of the wrong password.
      expect(watched.complaints).toEqual([expect.stringContaining('401')]);
    } finally {
      await watched.close();
      await site.stop();
      await app.close();
    }
  });
});

describe('examples/express-api', () => {
  let app: TestApp;
  let api: RunningExample;
  let apiUrl: string;
  beforeAll(async () => {
    const place = await installExample(folder.path, 'express-api', tarball('traffy-verify'));
    app = await startTraffy({ AUTH_STRATEGY: 'jwt' });
    const apiPort = await freePort();
    apiUrl = `http://localhost:${apiPort}`;
    const env = { TRAFFY_URL: traffyUrl, PORT: String(apiPort) };
    api = await startIn(place, ['server.mjs'], apiUrl, env);
  });
  afterAll(async () => {
    await api?.stop();
    await app?.close();
  });

  async function send(method: string, path: string, token?: string) {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), connection: 'close' };
    const reply = await fetch(apiUrl + path, { method, headers });
    const challenge = reply.headers.get('www-authenticate');
    return { status: reply.status, challenge, body: (await reply.json()) as unknown };
  }

  it('accepts a token, and refuses none and a tampered one', async () => {
    const token = accessTokenOf(await signIn(app));
    const { sub } = decodeJwt(token);
    expect(await send('GET', '/orders', token)).toMatchObject({ status: 200, body: { owner: sub } });
    expect(await send('GET', '/orders')).toMatchObject({ status: 401, challenge: 'Bearer realm="traffy"' });
    const [header, claims, signature] = token.split('.');
    const changed = { ...decodeJwt(token), sub: '00000000-0000-7000-8000-000000000000' };
    const forged = Buffer.from(JSON.stringify(changed)).toString('base64url');
    expect(claims).not.toBe(forged);
    const reply = await send('GET', '/orders', `${header}.${forged}.${signature}`);
    expect(reply).toMatchObject({ status: 401, body: { code: 'credential_invalid' } });
  });

  it('requires a step-up after five minutes, and accepts the token that follows it', async () => {
    const signedIn = await signIn(app);
    const { sub } = decodeJwt(accessTokenOf(signedIn));
    let refreshToken = signedIn.reply.body['refresh_token'] as string;
    const refresh = async () => {
      const { body } = await app.client.post('/refresh', { refresh_token: refreshToken });
      refreshToken = body['refresh_token'] as string;
      return body['access_token'] as string;
    };
    const pay = (token: string) => send('POST', '/payments', token);
    expect((await pay(accessTokenOf(signedIn))).status).toBe(200);
    await makeStale(app, signedIn.sessionId);
    const stale = await refresh();
    expect(await pay(stale)).toEqual({
      status: 401,
      challenge: 'Bearer error="insufficient_user_authentication", max_age="300"',
      body: { code: 'step_up_required', action: 'step_up' },
    });
    expect((await send('GET', '/orders', stale)).status).toBe(200);
    const headers = { authorization: `Bearer ${stale}` };
    const proven = await app.client.post('/reauthenticate', { password: PASSWORD }, headers);
    expect(proven.status).toBe(204);
    expect(await pay(await refresh())).toMatchObject({ status: 200, body: { payer: sub } });
  });
});

describe('examples/nextjs', () => {
  const next = 'node_modules/next/dist/bin/next';
  let place: string;
  let site: RunningExample;
  let origin: string;
  let sitePort: number;
  beforeAll(async () => {
    place = await installExample(folder.path, 'nextjs', tarball('traffy-client'));
    await runIn(place, [next, 'build'], { TRAFFY_URL: traffyUrl });
    sitePort = await freePort();
    origin = `http://localhost:${sitePort}`;
    site = await startIn(place, [next, 'start', '--port', String(sitePort)], origin, {
      TRAFFY_URL: traffyUrl,
    });
  }, 300_000);
  afterAll(() => site?.stop());

  /** What the server renders for this cookie, without a script. */
  async function rendered(cookie: string, address = '198.51.100.1') {
    const headers = { cookie, 'x-forwarded-for': address, connection: 'close' };
    const reply = await fetch(origin, { headers });
    return { status: reply.status, html: (await reply.text()).replaceAll('<!-- -->', '') };
  }

  it.each(['session', 'jwt'])('renders on the server who is signed in: %s', async (strategy) => {
    const app = await startTraffy({ AUTH_STRATEGY: strategy, TRUSTED_ORIGINS: origin, TRUST_PROXY: '1' });
    const watched = await openPage();
    try {
      const { page } = watched;
      await page.goto(origin);
      const email = await signUpOn(watched);
      const cookies = await page.context().cookies(origin);
      expect(cookies.length).toBeGreaterThan(0);
      expect(cookies.every(({ httpOnly }) => httpOnly)).toBe(true);
      const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
      expect((await rendered(cookie)).html).toContain(`Signed in as ${email}`);
      expect((await rendered('')).html).toContain('Signed out');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByText('Signed out').waitFor();
      expect((await rendered(cookie)).html).toContain('Signed out');
      expect(watched.complaints).toEqual([]);
    } finally {
      await watched.close();
      await app.close();
    }
  });

  it('renews an expired token, and renders the page again', async () => {
    const app = await startTraffy({
      AUTH_STRATEGY: 'jwt',
      ACCESS_TOKEN_TTL: '5s',
      TRUSTED_ORIGINS: origin,
      TRUST_PROXY: '1',
    });
    const watched = await openPage();
    try {
      const { page } = watched;
      await page.goto(origin);
      const email = await signUpOn(watched);
      const cookies = await page.context().cookies(origin);
      const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
      await until(async () => (await rendered(cookie)).html.includes('Signed out') || undefined);
      await page.reload();
      await page.getByText(`Signed in as ${email}`).waitFor();
      expect(watched.complaints).toEqual([]);
    } finally {
      await watched.close();
      await app.close();
    }
  });

  it('has one rate limit for each user, whose address a proxy appends', async () => {
    const limits = { RATE_LIMIT_DEFAULT: '3/1m', RATE_LIMIT_LOGIN: '2/1m' };
    const app = await startTraffy({ TRUSTED_ORIGINS: origin, TRUST_PROXY: '1', ...limits });
    const login = async (address: string) => {
      const body = JSON.stringify({ email: freshEmail(), password: PASSWORD });
      const headers = {
        'content-type': 'application/json',
        'x-forwarded-for': address,
        connection: 'close',
      };
      return (await fetch(`${origin}/auth/login`, { method: 'POST', headers, body })).status;
    };
    try {
      // A client can send the field itself; the proxy appends the address that it sees.
      const statuses = [];
      for (const invented of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
        statuses.push(await login(`${invented}, 203.0.113.1`));
      expect([...statuses, await login('203.0.113.2')]).toEqual([401, 401, 429, 401]);
      const pages = [];
      for (let count = 0; count < 4; count += 1) pages.push((await rendered('', '203.0.113.3')).status);
      expect([...pages, (await rendered('', '203.0.113.4')).status]).toEqual([200, 200, 200, 500, 200]);
    } finally {
      await app.close();
    }
  });
});
