import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import {
  expectClean,
  type PageOptions,
  type SharedBrowser,
  startBrowser,
  type WatchedPage,
} from '../../support/browser.js';
import { freePort, until } from '../../support/process.js';

const root = join(import.meta.dirname, '..', '..', '..');
/** A folder for pictures of the pages; none by default. */
const PICTURES = process.env['DEV_PAGES_PICTURES'];
const PASSWORD = 'yourlongpassphrase';
/** How the console reports a call that the network does not answer. */
const NO_NETWORK = 'net::ERR_FAILED';

/** Starts `npm run dev:pages` in a process group of its own. */
async function startPages(): Promise<{ readonly origin: string; stop(): Promise<void> }> {
  const port = await freePort();
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('npm', ['run', 'dev:pages', '--', '--port', String(port)], {
    cwd: root,
    env: { PATH, HOME, BRAND_NAME: 'Acme' },
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('npm did not start');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = new Promise((resolve) => child.once('close', resolve));
  const origin = await until(() => {
    if (child.exitCode !== null) throw new Error(output);
    return /mocked API: (http:\/\/localhost:\d+)\//.exec(output)?.[1];
  });
  return {
    origin,
    stop: async () => {
      process.kill(-pid, 'SIGTERM');
      await exit;
    },
  };
}

const press = (page: Page, name: string) =>
  page.locator('.dev-badge').getByRole('button', { name, exact: true }).click();

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

describe('npm run dev:pages', () => {
  let server: Awaited<ReturnType<typeof startPages>>;
  let browser: SharedBrowser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([startPages(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(path: string, options?: PageOptions): Promise<WatchedPage> {
    const watched = await browser.open(options);
    await watched.page.goto(server.origin + path);
    await watched.page.locator('h1').waitFor();
    await watched.page.locator('.dev-badge summary').click();
    await watched.page.locator('.dev-badge details[open]').waitFor();
    return watched;
  }

  it.each(['/', '/login', '/signup', '/forgot', '/reset-password', '/verify-email'])(
    'shows %s in both languages',
    async (path) => {
      const watched = await open(path);
      const { page } = watched;
      const english = await page.locator('h1').innerText();
      await press(page, 'de');
      await page.locator('html[lang=de] h1').waitFor();
      expect(await page.locator('h1').innerText()).not.toBe(english);
      expect(await page.title()).toContain('Acme');
      await press(page, 'en');
      await page.locator('html[lang=en] h1').filter({ hasText: english }).waitFor();
      expectClean(watched);
      await watched.close();
    },
  );

  it('writes the language of the request, the brand and the target as the server does', async () => {
    const watched = await open('/login?return_to=%2Fadmin', { locale: 'de-DE' });
    const { page } = watched;
    expect(await page.locator('html').getAttribute('lang')).toBe('de');
    const site = JSON.parse((await page.locator('meta[name=site]').getAttribute('content')) ?? '') as object;
    expect(site).toMatchObject({ brand: 'Acme', strategy: 'session', returnTo: '/admin', passwordMin: 15 });
    await page.locator('.dev-badge input[type=color]').fill('#aa0000');
    await page.waitForFunction(() =>
      getComputedStyle(document.documentElement).getPropertyValue('--brand').includes('#aa0000'),
    );
    expectClean(watched);
    await watched.close();
  });

  it('signs in, out and as an administrator with one click, and a reload keeps it', async () => {
    const watched = await open('/');
    const { page } = watched;
    await press(page, 'Signed in');
    await page.getByText('ada@example.com').waitFor();
    await page.reload();
    await page.getByText('ada@example.com').waitFor();
    await page.goto(`${server.origin}/admin`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await page.locator('table').count()).toBe(0);
    await press(page, 'Administrator');
    await page.locator('table').waitFor();
    await picture(page, 'admin');
    await page.goto(`${server.origin}/account`);
    await page.getByText('This device').waitFor();
    await picture(page, 'account');
    await press(page, 'Signed out');
    await page.waitForURL(/\/login\?return_to=%2Faccount/);
    await page.locator('[name=password]').waitFor();
    await picture(page, 'login');
    await page.reload();
    await page.locator('[name=password]').waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('leaves for the sign-in where the answer precedes the first frame of the page', async () => {
    for (const path of ['/account', '/admin']) {
      const watched = await browser.open();
      const { page, context } = watched;
      await context.addInitScript(() => {
        const { setTimeout: original } = globalThis;
        const late = (run: TimerHandler, wait = 0) => original(run, wait + 500);
        Object.assign(globalThis, { setTimeout: late, requestAnimationFrame: late });
      });
      await page.goto(server.origin + path);
      await page.waitForURL(`${server.origin}/login?return_to=${encodeURIComponent(path)}`);
      expectClean(watched, [401]);
      await watched.close();
    }
  });

  it('asks for the second factor with one click', async () => {
    const watched = await open('/');
    const { page } = watched;
    await press(page, 'Second factor');
    await page.waitForURL(`${server.origin}/login`);
    await page.locator('[name=code]').fill('000000');
    await page.locator('[type=submit]').click();
    await page.getByText('That code did not work').waitFor();
    await page.reload();
    await page.locator('[name=code]').fill('123456');
    await picture(page, 'second-factor');
    await page.locator('[type=submit]').click();
    await page.getByText('This device').waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('asks for step-up with one click, on the account and for administrators', async () => {
    const watched = await open('/login');
    const { page } = watched;
    await press(page, 'Step-up');
    await page.getByRole('dialog').waitFor();
    await picture(page, 'step-up');
    const download = page.waitForEvent('download');
    await page.getByRole('dialog').locator('[name=password]').fill(PASSWORD);
    await page.getByRole('dialog').locator('[type=submit]').click();
    await download;
    await press(page, 'Administrator');
    await page.getByText('grace@example.com').first().waitFor();
    await page.goto(`${server.origin}/admin`);
    await page.locator('table').waitFor();
    await press(page, 'Step-up');
    await page.getByRole('dialog').locator('[name=password]').fill(PASSWORD);
    await page.getByRole('dialog').locator('[name=code]').fill('123456');
    await page.getByRole('dialog').locator('[type=submit]').click();
    await page.locator('table').waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('limits the rate with a countdown, with one click', async () => {
    const watched = await open('/signup');
    const { page } = watched;
    await press(page, 'Rate limited');
    const countdown = page.locator('.countdown').first();
    await countdown.waitFor();
    const first = await countdown.innerText();
    expect(first).toContain('Try again in');
    await until(async () => ((await countdown.innerText()) === first ? undefined : true));
    await picture(page, 'rate-limited');
    await press(page, 'Signed in');
    await page.locator('.dev-badge summary').filter({ hasText: 'Signed in' }).waitFor();
    await page.goto(`${server.origin}/account`);
    await page.getByText('This device').waitFor();
    await press(page, 'Rate limited');
    await page.locator('.countdown').first().waitFor();
    expectClean(watched, [429]);
    await watched.close();
  });

  it('locks a user out with one click', async () => {
    const watched = await open('/forgot');
    const { page } = watched;
    await press(page, 'Locked out');
    await page.getByText('We may pause sign-in after several attempts.').waitFor();
    await picture(page, 'locked-out');
    expectClean(watched, [401]);
    await watched.close();
  });

  it('is offline with one click, and online again with another', async () => {
    const watched = await open('/login');
    const { page } = watched;
    await press(page, 'Offline');
    await page.getByRole('alert').filter({ hasText: 'offline' }).first().waitFor();
    await picture(page, 'offline');
    expect(await page.getByText("You're offline.").count()).toBe(1);
    await press(page, 'Signed in');
    await page.getByText('You are signed in as ada@example.com.').waitFor();
    expectClean(watched, [NO_NETWORK]);
    await watched.close();
  });

  it('keeps what a person does: sign-up, profile, devices, second factor, sign-in', async () => {
    const watched = await open('/signup');
    const { page } = watched;
    await page.fill('[name=email]', 'new@example.com');
    await page.fill('[name=password]', 'short');
    await page.locator('[type=submit]').click();
    await page.getByText('Use at least 15 characters.').waitFor();
    await page.fill('[name=password]', PASSWORD);
    await page.locator('[type=submit]').click();
    await page.getByText('This device').waitFor();

    await page.fill('#profile [name=name]', 'Emmy');
    await page.locator('#profile [type=submit]').click();
    await page.locator('#profile [role=status]').filter({ hasText: /\w/ }).waitFor();
    await page.locator('#authenticator-app button').click();
    await page.locator('#authenticator-app [name=code]').fill('123456');
    await page.locator('#authenticator-app [type=submit]').click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('.codes li').nth(9).waitFor();
    await dialog.locator('[type=checkbox]').check();
    await dialog.locator('button.primary').click();
    await page.reload();
    expect(await page.locator('#profile [name=name]').inputValue()).toBe('Emmy');

    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/\/login/);
    await page.fill('[name=email]', 'new@example.com');
    await page.fill('[name=password]', PASSWORD);
    await page.locator('[type=submit]').click();
    await page.locator('[name=code]').fill('123456');
    await page.locator('[type=submit]').click();
    await page.getByText('This device').waitFor();
    expectClean(watched, [400, 401]);
    await watched.close();
  });

  it('signs devices out, and answers mailed links with any token', async () => {
    const watched = await open('/account');
    const { page } = watched;
    await press(page, 'Signed in');
    await page.goto(`${server.origin}/account`);
    const devices = page.locator('#devices li');
    await devices.filter({ hasText: 'Safari on iPhone' }).locator('button').click();
    await page.getByRole('dialog').locator('button.danger').click();
    await page.locator('#devices [role=status]').filter({ hasText: /\w/ }).waitFor();
    expect(await devices.filter({ hasText: 'Safari on iPhone' }).count()).toBe(0);

    await press(page, 'Signed out');
    await page.waitForURL(/\/login/);
    await page.goto(`${server.origin}/forgot`);
    await page.fill('[name=email]', 'ada@example.com');
    await page.locator('[type=submit]').click();
    await page.locator('.notice[role=status]').waitFor();
    await page.goto(`${server.origin}/reset-password#token=any`);
    await page.fill('[name=new_password]', PASSWORD);
    await page.locator('[type=submit]').click();
    await page.locator('.notice[role=status]').waitFor();
    await page.goto(`${server.origin}/verify-email#token=wrong`);
    await page.locator('[type=submit]').click();
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    await page.goto(`${server.origin}/verify-email#token=any`);
    await page.reload();
    await page.fill('[name=code]', 'any');
    await page.locator('[type=submit]').click();
    await page.locator('.notice[role=status]').waitFor();
    expectClean(watched, [400, 401]);
    await watched.close();
  });

  it('finds, shows and disables accounts for an administrator', async () => {
    const watched = await open('/login');
    const { page } = watched;
    await press(page, 'Administrator');
    await page.getByText('You are signed in as grace@example.com.').waitFor();
    await page.goto(`${server.origin}/admin`);
    await page.fill('[name=email_prefix]', 'ada');
    await page.locator('[type=submit]').click();
    await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'ada@example.com' }).click();
    await page.locator('#facts button.dangerous').click();
    await page.getByRole('dialog').locator('button.danger').click();
    await page.locator('#facts .badge.warning').waitFor();
    await press(page, 'Signed out');
    await page.waitForURL(/\/login/);
    await page.fill('[name=email]', 'ada@example.com');
    await page.fill('[name=password]', PASSWORD);
    await page.locator('[type=submit]').click();
    await page.getByText('Incorrect e-mail address or password.').waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });
});

describe('the build', () => {
  it('has no file of the mock, and the packages do not need its library', () => {
    const names = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(names).toContain(join('src', 'site', 'site-page.js'));
    expect(names.filter((name) => /[\\/]mock[\\/]|\.mocks\.|mockServiceWorker/.test(name))).toEqual([]);
    const manifest = readFileSync(join(root, 'package.json'), 'utf8');
    const { dependencies, files } = JSON.parse(manifest) as { dependencies: object; files: string[] };
    expect(dependencies).not.toHaveProperty('msw');
    expect(files.filter((name) => /^(?:src|tools)/.test(name))).toEqual([]);
  });

  it('contains nothing of the mock', () => {
    const folder = join(root, 'dist', 'pages');
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(?:js|css|json)$/.test(name),
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names)
      expect(readFileSync(join(folder, name), 'utf8')).not.toMatch(
        /msw|mockServiceWorker|traffy mock|ada@example\.com|Rate limited/i,
      );
  });
});
