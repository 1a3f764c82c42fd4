/**
 * `npm run screenshots`: pictures of every page in both themes, wide and on a phone, in the folder `screenshots`. Those
 * of the README go to docs/images. CHROMIUM_PATH names a Chromium that is not at /usr/bin/chromium.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const root = join(import.meta.dirname, '..', '..');
const target = join(root, 'screenshots');
const start = ['--liftoff-only', join(root, 'src', 'cli', 'start.mjs')];
const ADMIN = 'grace@example.com';
const USER = 'ada@example.com';
const PASSWORD = 'yourlongpassphrase';

/** The pictures of the README, by the names of their sources. */
const FOR_README = {
  'sign-in-light': 'sign-in',
  'account-light': 'account',
  'account-dark-phone': 'account-dark-phone',
};
const THEMES = ['light', 'dark'];
const SIZES = { wide: { width: 1100, height: 760 }, phone: { width: 390, height: 760 } };
const PHONE = { viewport: SIZES.phone, deviceScaleFactor: 1 };

const folder = mkdtempSync(join(tmpdir(), 'traffy-screenshots-'));
const port = await freePort();
const origin = `http://localhost:${port}`;
const env = {
  ...process.env,
  APP_ENV: 'development',
  DATA_DIR: folder,
  PORT: String(port),
  RATE_LIMIT_LOGIN: 'off',
};

const made = spawnSync(process.execPath, [...start, 'traffy', 'users', 'create-admin', ADMIN], {
  env,
  input: PASSWORD,
  encoding: 'utf8',
});
if (made.status !== 0) throw new Error(made.stderr);
const server = spawn(process.execPath, start, { env, stdio: 'ignore' });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  await answering();
  await post('/signup', { email: USER, password: PASSWORD });
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  for (const theme of THEMES)
    for (const [size, viewport] of Object.entries(SIZES))
      await takeAll(`${theme}${size === 'phone' ? '-phone' : ''}`, {
        ...(size === 'phone' && PHONE),
        viewport,
        colorScheme: theme,
        locale: 'en-GB',
      });
  const images = join(root, 'docs', 'images');
  mkdirSync(images, { recursive: true });
  for (const [source, name] of Object.entries(FOR_README))
    copyFileSync(join(target, `${source}.png`), join(images, `${name}.png`));
} finally {
  await browser.close();
  server.kill();
  await new Promise((resolve) => {
    server.once('exit', resolve);
  });
  rmSync(folder, { recursive: true, force: true });
}

async function takeAll(suffix, options) {
  const context = await browser.newContext(options);
  // The badge of the development controls is on no page of a user.
  await context.route('**/dev/assets/badge*', (route) => route.abort());
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const take = async (name, isWhole = true) => {
    await page.screenshot({ path: join(target, `${name}-${suffix}.png`), fullPage: isWhole });
  };
  const open = async (path) => {
    await page.goto(origin + path);
    await page.locator('h1').waitFor();
  };
  await open('/');
  await page.getByRole('link', { name: 'Sign in' }).waitFor();
  await take('home');
  await open('/signup');
  await page.fill('[name=password]', 'short');
  await take('sign-up');
  await open('/forgot');
  await take('forgot');
  await page.fill('[name=email]', USER);
  await page.click('[type=submit]');
  await page.getByRole('status').waitFor();
  await take('forgot-sent');
  await open('/reset-password');
  await take('reset-password');
  await open('/verify-email#token=none');
  await take('verify-email');
  await open('/login');
  await take('sign-in', false);
  await page.fill('[name=email]', USER);
  await page.fill('[name=password]', 'a wrong passphrase');
  await page.click('[type=submit]');
  await page.locator('form .alert p').first().waitFor();
  await take('sign-in-error');
  await signIn(page, USER, '/account');
  await page.getByText('This device').waitFor();
  await take('account-whole');
  await take('account', false);
  await page.locator('#authenticator-app').getByRole('button').click();
  await page.locator('.qr').waitFor();
  await page
    .locator('#authenticator-app')
    .screenshot({ path: join(target, `authenticator-app-${suffix}.png`) });
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByRole('dialog').waitFor();
  await take('dialog', false);
  await page.keyboard.press('Escape');
  await open('/admin');
  await take('forbidden');
  await context.clearCookies();
  await signIn(page, ADMIN, '/admin');
  await page.getByRole('link', { name: USER }).waitFor();
  await take('admin');
  await page.getByRole('link', { name: USER }).click();
  await page.locator('#audit li').first().waitFor();
  await take('admin-user');
  await context.close();
}

async function signIn(page, email, path) {
  await page.goto(`${origin}/login?return_to=${path}`);
  await page.fill('[name=email]', email);
  await page.fill('[name=password]', PASSWORD);
  await page.click('[type=submit]');
  await page.waitForURL(origin + path);
}

async function post(path, body) {
  await fetch(origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function answering() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { ok } = await fetch(`${origin}/health/ready`);
      if (ok) return;
    } catch (error) {
      if (attempt > 300 || server.exitCode !== null) throw error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
}

function freePort() {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
}
