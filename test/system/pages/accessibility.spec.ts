import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type axe from 'axe-core';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { expectClean, type PageOptions } from '../../support/browser.js';
import { given } from '../../support/given.js';
import { freshEmail, PASSWORD, signUp } from '../../support/strategies.js';
import { codeOfNow } from '../../support/totp.js';
import { sendSignIn, signInOn, usePages } from './site.js';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const LOOKS: readonly (PageOptions & { readonly name: string })[] = [
  { name: 'English, light', locale: 'en-GB', colorScheme: 'light' },
  { name: 'German, dark', locale: 'de-DE', colorScheme: 'dark' },
  { name: 'English, dark', locale: 'en-GB', colorScheme: 'dark' },
  { name: 'German, light', locale: 'de-DE', colorScheme: 'light' },
];
const NARROW = { width: 320, height: 640 };
const WIDE = { width: 1280, height: 900 };

/** What a page state lacks: findings of axe, what needs horizontal scrolling at 320 px, password forms without a user. */
async function findings(page: Page, state: string): Promise<string[]> {
  // The DevTools protocol evaluates it: the content security policy of the page does not apply.
  await page.evaluate(source);
  const run = () =>
    page.evaluate(async () => {
      const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
        resultTypes: ['violations'],
      });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, any }) => `${id}: ${html} ${any[0]?.message ?? ''}`),
      );
    });
  const found = await run();
  await page.setViewportSize(NARROW);
  const overflow = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [`${scrollWidth} px wide at ${clientWidth} px`] : [];
  });
  const narrow = await run();
  await page.setViewportSize(WIDE);
  const incomplete = await page.evaluate(() => [
    ...[...document.querySelectorAll('form:has([type=password])')]
      .filter((form) => !form.querySelector('[autocomplete~=username]'))
      .map(() => 'a password form has no field for the user name'),
    ...[...document.querySelectorAll('form input:not([type=checkbox]):not([autocomplete])')].map(
      ({ outerHTML }) => `no autocomplete: ${outerHTML}`,
    ),
    ...(document.querySelectorAll('h1').length === 1 ? [] : ['not one h1']),
  ]);
  return [...new Set([...found, ...overflow, ...narrow, ...incomplete])].map((text) => `${state}: ${text}`);
}

describe('every page in every state is accessible and fits 320 px', () => {
  const pages = usePages();
  let admin: string;
  beforeAll(async () => {
    admin = await signUp(pages.app);
    await given.role(pages.app, admin, 'admin');
  });

  it('the check itself finds a button without a name, low contrast and overflow', async () => {
    const watched = await pages.open({ viewport: WIDE });
    const { page } = watched;
    await page.goto(`${pages.origin}/login`);
    await page.locator('h1').waitFor();
    await page.evaluate(() => {
      const button = document.createElement('button');
      const text = document.createElement('p');
      text.textContent = 'Pale and wide';
      Object.assign(text.style, { color: '#cccccc', width: '700px' });
      document.querySelector('section')?.append(button, text);
    });
    const found = (await findings(page, 'broken')).join('\n');
    for (const part of ['button-name', 'color-contrast', 'px wide at 320 px']) expect(found).toContain(part);
    await watched.close();
  });

  it.each(LOOKS)('to signed-out people: $name [WCAG 2.2]', async ({ name: _name, ...look }) => {
    const watched = await pages.open({ ...look, viewport: WIDE });
    const { page } = watched;
    const found: string[] = [];
    const check = async (state: string) => found.push(...(await findings(page, state)));
    const open = async (path: string) => {
      await page.goto(pages.origin + path);
      await page.locator('h1').waitFor();
    };
    await open('/');
    await page.locator('a.primary').waitFor();
    await check('home');
    for (const path of ['/login', '/signup', '/forgot', '/reset-password', '/verify-email']) {
      await open(path);
      await check(path);
      await page.locator('[type=submit]').click();
      await page.locator('.error').first().waitFor();
      await check(`${path} with errors at fields`);
    }
    await open('/signup');
    await sendSignIn(page, admin);
    await page.locator('form .alert a').first().waitFor();
    await check('/signup with a taken address');
    await open('/forgot');
    await page.fill('[name=email]', freshEmail());
    await page.locator('[type=submit]').click();
    await page.getByRole('status').waitFor();
    await check('/forgot after it was sent');
    await open('/reset-password#token=trf_ot_x');
    await page.fill('[name=new_password]', PASSWORD);
    await page.locator('[type=submit]').click();
    await page.locator('form .alert a').waitFor();
    await check('/reset-password with a bad link');
    await open('/login');
    await sendSignIn(page, freshEmail());
    await page.locator('form .alert p').first().waitFor();
    await check('/login refused');
    expect(found).toEqual([]);
    expectClean(watched, [400, 401, 409]);
    await watched.close();
  });

  it.each(LOOKS)('to signed-in people: $name [WCAG 2.2]', async ({ name: _name, ...look }) => {
    const watched = await pages.open({ ...look, viewport: WIDE });
    const { page, context } = watched;
    const found: string[] = [];
    const check = async (state: string) => found.push(...(await findings(page, state)));
    const email = await signInOn(pages, page);
    const click = (section: string, index = 0) =>
      page.locator(`#${section} .buttons button`).nth(index).click();
    const dialog = page.getByRole('dialog');
    const leave = async () => {
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    };
    await page.locator('#devices li').first().waitFor();
    await page.locator('#activity li').first().waitFor();
    await check('/account');
    await page.goto(`${pages.origin}/`);
    await page.getByText(email).waitFor();
    await check('home of a signed-in user');
    await page.goto(`${pages.origin}/login`);
    await page.getByText(email).waitFor();
    await check('/login of a signed-in user');
    await page.goto(`${pages.origin}/admin`);
    await page.locator('h1').waitFor();
    await check('/admin without the role');
    await page.goto(`${pages.origin}/account`);
    await page.locator('#devices li').first().waitFor();
    await click('email', 1);
    await click('password');
    await click('delete');
    await dialog.waitFor();
    await check('/account with its dialog of deletion');
    await leave();
    await click('devices');
    await check('/account with a question');
    await leave();
    await click('authenticator-app');
    await page.locator('.qr').waitFor();
    await check('/account with open forms and a QR code');
    const secret = (await page.locator('.key code').innerText()).replaceAll(' ', '');
    await page.fill('[name=code]', await codeOfNow(pages.app, secret));
    await page.locator('#authenticator-app [type=submit]').click();
    await dialog.waitFor();
    await check('/account with recovery codes');
    await dialog.locator('[type=checkbox]').check();
    await dialog.locator('.primary').click();
    await pages.app.query(sql`update sessions set authenticated_at = now() - interval '1 hour'`);
    await page.locator('#recovery-codes .buttons button').click();
    await dialog.locator('[name=code]').waitFor();
    await check('/account with the confirmation of who it is');
    await leave();
    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await sendSignIn(page, email);
    await page.locator('[name=code]').waitFor();
    await check('/login at its second step');
    await context.clearCookies();
    await signInOn(pages, page, admin, '/admin');
    await page.locator('tbody tr').first().waitFor();
    await check('/admin');
    await page.fill('[name=email_prefix]', 'nobody@');
    await page.locator('[type=submit]').click();
    await page.getByRole('status').filter({ hasText: 'nobody@' }).waitFor();
    await check('/admin without a match');
    await page.fill('[name=email_prefix]', '');
    await page.locator('[type=submit]').click();
    await page.locator('tbody a').first().click();
    await page.locator('#audit li').first().waitFor();
    await check('/admin with a user');
    expect(found).toEqual([]);
    expectClean(watched, [401, 403]);
    await watched.close();
  });
});
