import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { textsIn } from '../../../src/texts/language.js';
import { expectClean } from '../../support/browser.js';
import { sendSignIn, signInOn, SINGLE_STRATEGIES, usePages } from './site.js';
import { PASSWORD, signIn, signUp } from '../../support/strategies.js';
import { codeOfNow, wrongCode } from '../../support/totp.js';

const OTHER = 'another quiet passphrase';
const WRONG = 'a wrong passphrase of some length';
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';

const dialogOf = (page: Page, name: string | RegExp) => page.getByRole('dialog', { name });

describe.each(SINGLE_STRATEGIES)('the account page with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  const pages = usePages({ env: { AUTH_STRATEGY: strategy } });

  /** Makes the last proof of every session too old for sensitive calls. */
  async function makeStale(): Promise<void> {
    await pages.app.query(sql`update sessions set authenticated_at = now() - interval '1 hour'`);
  }

  it('sets up an authenticator app, and shows recovery codes until they are saved', async () => {
    const watched = await pages.open({ permissions: ['clipboard-read', 'clipboard-write'] });
    const { page } = watched;
    await signInOn(pages, page);
    await page
      .locator('#recovery-codes')
      .getByText('Set up an authenticator app or add a passkey first.')
      .waitFor();
    const section = page.locator('#authenticator-app');
    await section.getByRole('button', { name: 'Set up authenticator app' }).click();
    const code = section.locator('[name=code]');
    await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'code');
    const image = section.getByRole('img', { name: 'QR code of the key' });
    await expect(image.evaluate((qr: HTMLImageElement) => qr.decode())).resolves.toBeUndefined();
    const shown = await section.locator('.key code').innerText();
    expect(shown).toMatch(/^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$/);
    await section.getByRole('button', { name: 'Copy' }).click();
    await section.getByRole('button', { name: 'Copied' }).waitFor();
    const secret = await page.evaluate(() => navigator.clipboard.readText());
    expect(secret).toBe(shown.replaceAll(' ', ''));
    await code.fill(await wrongCode(pages.app, secret));
    await section.getByRole('button', { name: 'Turn on' }).click();
    await section.locator('.error, .alert p').first().waitFor();
    await code.fill(await codeOfNow(pages.app, secret));
    await section.getByRole('button', { name: 'Turn on' }).click();

    const dialog = dialogOf(page, 'Save your recovery codes');
    await dialog.waitFor();
    const done = dialog.getByRole('button', { name: 'Done' });
    expect(await done.isDisabled()).toBe(true);
    // Chromium closes a dialog at the second Escape, unless the page opens it again.
    for (let press = 0; press < 3; press += 1) {
      await page.keyboard.press('Escape');
      await page.waitForFunction(() => document.querySelector('dialog')?.open);
    }
    const codes = await dialog.getByRole('listitem').allInnerTexts();
    expect(codes).toHaveLength(10);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('recovery-codes.txt');
    expect(
      readFileSync(await download.path(), 'utf8')
        .trim()
        .split('\n'),
    ).toEqual(codes);
    await dialog.getByLabel('I have saved these codes').check();
    await done.click();
    await section.getByText('On', { exact: true }).waitFor();
    await page.locator('#recovery-codes').getByText('10 codes left.').waitFor();
    await pages.app.query(sql`delete from recovery_codes`);
    await page.reload();
    await page.locator('#recovery-codes').getByText('You have no recovery codes. Create them now.').waitFor();
    expect(await page.locator('#recovery-codes').innerText()).not.toMatch(/\d codes? left/);

    await section.getByRole('button', { name: 'Turn off' }).click();
    await dialogOf(page, 'Turn off the authenticator app?').getByRole('button', { name: 'Turn off' }).click();
    await section.getByText('The authenticator app is turned off.').waitFor();
    expectClean(watched, [400, 401]);
    await watched.close();
  });

  it('asks to confirm who it is, keeps the form after a cancel and repeats the request', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    const section = page.locator('#email');
    await section.getByRole('button', { name: 'Change e-mail address' }).click();
    const field = section.getByLabel('New e-mail address');
    await field.fill('ada.new@example.com');
    const send = section.getByRole('button', { name: 'Send confirmation link' });
    await makeStale();
    await send.click();
    const dialog = dialogOf(page, "Confirm it's you");
    await dialog.waitFor();
    expect(await dialog.innerText()).toContain(email);
    expect(await dialog.locator('[autocomplete=username]').inputValue()).toBe(email);
    await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'password');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await field.inputValue()).toBe('ada.new@example.com');
    expect(await section.getByRole('alert').isVisible()).toBe(false);
    await send.click();
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await send.click();
    await dialog.locator('[name=password]').fill(WRONG);
    await dialog.locator('[type=submit]').click();
    await dialog.getByRole('alert').getByText('Incorrect').waitFor();
    await dialog.locator('[name=password]').fill(PASSWORD);
    await dialog.locator('[type=submit]').click();
    await section.getByText('Waiting for confirmation: we sent a link to ada.new@example.com.').waitFor();
    expectClean(watched, [400, 401, 403]);
    await watched.close();
  });

  it('changes the password, and signs the other devices out', async () => {
    const watched = await pages.open();
    const { page, context } = watched;
    const email = await signInOn(pages, page);
    const other = await signIn(pages.app, email);
    const section = page.locator('#password');
    await section.getByRole('button', { name: 'Change password' }).click();
    expect(await section.locator('[autocomplete=username]').inputValue()).toBe(email);
    const send = async (current: string, wanted: string) => {
      await section.locator('[name=current_password]').fill(current);
      await section.locator('[name=new_password]').fill(wanted);
      await section.locator('[type=submit]').click();
    };
    await send(WRONG, OTHER);
    await section.locator('.error, .alert p').first().waitFor();
    await send(PASSWORD, 'short');
    const wanted = section.locator('.field:has([name=new_password])');
    await wanted.locator('.error').waitFor();
    expect(await wanted.locator('input').inputValue()).toBe('short');
    expect(await wanted.locator('.advice').innerText()).toBe('10 more characters');
    expect(watched.requests.filter((url) => url.endsWith('/password'))).toHaveLength(1);
    await send(PASSWORD, 'passwordpassword');
    await wanted.getByText('too common').waitFor();
    expect(await wanted.locator('input').inputValue()).toBe('passwordpassword');
    expect(await wanted.locator('.advice').isVisible()).toBe(false);
    await send(PASSWORD, OTHER);
    await section.getByText('Your password is changed. All other devices are signed out.').waitFor();
    await page.locator('#activity').getByText('The password was changed').waitFor();
    expect((await other.client.get('/users/me')).status).toBe(401);
    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await sendSignIn(page, email, OTHER);
    await page.waitForURL(`${pages.origin}/account`);
    expectClean(watched, [400, 401, 403]);
    await watched.close();
  });

  it('lists devices, signs one out, and then all of them', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    const second = await pages.open({ userAgent: FIREFOX });
    await signInOn(pages, second.page, email);
    await page.reload();
    const section = page.locator('#devices');
    const row = section.getByRole('listitem').filter({ hasText: 'Firefox' });
    await row.waitFor();
    expect(await section.getByRole('listitem').first().innerText()).toContain('This device');
    expect(await row.innerText()).toMatch(/Firefox (on )?Windows/);
    await row.getByRole('button', { name: 'Sign out' }).click();
    const question = dialogOf(page, /^Sign out “Firefox/);
    await question.getByRole('button', { name: 'Cancel' }).click();
    expect(await row.count()).toBe(1);
    await row.getByRole('button', { name: 'Sign out' }).click();
    await question.getByRole('button', { name: 'Sign out' }).click();
    await section.getByText('The device is signed out.').waitFor();
    expect(await row.count()).toBe(0);
    await page.waitForFunction(() => document.activeElement?.id === 'devices-title');
    await second.page.goto(`${pages.origin}/account`);
    await second.page.waitForURL(/\/login\?return_to=%2Faccount$/);
    await sendSignIn(second.page, email);
    await second.page.waitForURL(`${pages.origin}/account`);

    await section.getByRole('button', { name: 'Sign out everywhere' }).click();
    await dialogOf(page, 'Sign out everywhere?').getByRole('button', { name: 'Sign out everywhere' }).click();
    await page.waitForURL(/\/login/);
    await page.getByText('You are signed out of all devices.').waitFor();
    await page.reload();
    await page.locator('[name=password]').waitFor();
    expect(await page.getByText('You are signed out of all devices.').count()).toBe(0);
    await second.page.reload();
    await second.page.waitForURL(/\/login/);
    expectClean(watched);
    expectClean(second, [401]);
    await second.close();
    await watched.close();
  });

  it('shows recent activity, and more of it', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    for (let times = 0; times < 12; times += 1) await signIn(pages.app, email);
    await page.reload();
    const rows = page.locator('#activity').getByRole('listitem');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(10);
    expect(await rows.first().innerText()).toContain('127.0.0.1');
    await page.locator('#activity').getByRole('button', { name: 'Show more' }).click();
    await rows.nth(10).waitFor();
    await page.getByRole('link', { name: 'Sign out everywhere and change your password.' }).click();
    expect(page.url()).toBe(`${pages.origin}/account#devices`);
    expectClean(watched);
    await watched.close();
  });

  it('shows all pages in the language of the account once it is chosen, in every browser', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    const german = textsIn('de').pages.account;
    const inLanguage = (language: string, shown = page) => shown.waitForSelector(`html[lang=${language}] h1`);
    const profile = page.locator('#profile');
    await profile.getByLabel('Language').selectOption('Deutsch');
    await profile.getByRole('button', { name: 'Save' }).click();
    await inLanguage('de');
    expect(await profile.getByLabel(german.profile.language).inputValue()).toBe('de');
    // Answers too, although the browser prefers English.
    await page.locator('#activity').getByText(textsIn('de').events.profile_changed).waitFor();
    const tab = await watched.newTab();
    await tab.goto(`${pages.origin}/login`);
    await inLanguage('de', tab);

    const other = await pages.open();
    await signInOn(pages, other.page, email);
    await inLanguage('de', other.page);
    await other.page.locator('#profile').getByLabel(german.profile.language).selectOption('English');
    await other.page.locator('#profile').getByRole('button', { name: german.save }).click();
    await inLanguage('en', other.page);
    await page.reload();
    await inLanguage('en');
    expectClean(watched, []);
    expectClean(other, []);
    await Promise.all([watched.close(), other.close()]);
  });

  it('keeps a name, and offers the data as a file', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    const profile = page.locator('#profile');
    await profile.getByLabel('Name').fill(' Ada Lovelace ');
    await profile.getByRole('button', { name: 'Save' }).click();
    await profile.getByRole('status').getByText('Saved.').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download your data' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('account.json');
    const data = readFileSync(await download.path(), 'utf8');
    expect(data).toContain(email);
    expect(data).toContain('"Ada Lovelace"');
    expectClean(watched);
    await watched.close();
  });

  it('deletes the account after its address was typed', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    await makeStale();
    await page.locator('#delete').getByRole('button', { name: 'Delete account' }).click();
    const dialog = dialogOf(page, 'Delete your account?');
    const remove = dialog.getByRole('button', { name: 'Delete account' });
    await dialog.locator('[name=confirmation]').fill('someone@example.com');
    await remove.click();
    await dialog.getByText('This is not the e-mail address of your account.').waitFor();
    await dialog.locator('[name=confirmation]').fill(` ${email.toUpperCase()}`);
    await remove.click();
    const proof = dialogOf(page, "Confirm it's you");
    await proof.getByRole('button', { name: 'Cancel' }).click();
    await remove.click();
    await proof.locator('[name=password]').fill(PASSWORD);
    await proof.locator('[type=submit]').click();
    await page.waitForURL(/\/login/);
    const reply = await pages.app.client.post('/login', { email, password: PASSWORD });
    expect(reply.status).toBe(401);
    expectClean(watched, [401, 403]);
    await watched.close();
  });

  it('says which part could not be loaded, and loads it again', async () => {
    const watched = await pages.open();
    const { page } = watched;
    await page.route('**/sessions', (route) => route.abort('connectionrefused'));
    await signInOn(pages, page);
    const devices = page.locator('#devices');
    await devices.getByRole('alert').getByText('The server did not answer.').waitFor();
    await page.unroute('**/sessions');
    await devices.getByRole('button', { name: 'Try again' }).click();
    await devices.getByText('This device').waitFor();
    expectClean(watched, ['net::ERR_CONNECTION_REFUSED']);
    await watched.close();
  });

  it.each(['/account', '/admin'])(
    'does not act as another user on %s after another tab signed that one in',
    async (path) => {
      const watched = await pages.open();
      const { page } = watched;
      const email = await signInOn(pages, page, await signUp(pages.app), '/account');
      if (path === '/admin')
        await pages.app.query(sql`update users set role = 'admin' where email = ${email}`);
      await page.goto(pages.origin + path);
      await page
        .getByText(path === '/admin' ? 'Search by e-mail address' : email)
        .first()
        .waitFor();
      const tab = await watched.newTab();
      await tab.goto(`${pages.origin}/login`);
      await tab.getByRole('button', { name: 'Use another account' }).click();
      const other = await signUp(pages.app);
      await sendSignIn(tab, other);
      await tab.waitForURL(`${pages.origin}/account`);
      const shown = path === '/admin' ? 'This page is for administrators.' : other;
      await page.getByText(shown).first().waitFor();
      expect(await page.getByText(email).count()).toBe(0);
      expectClean(watched, [403]);
      await watched.close();
    },
  );

  it('says that a sign-out failed', async () => {
    const watched = await pages.open();
    const { page, context } = watched;
    await signInOn(pages, page);
    await page.getByText('This device').waitFor();
    await context.setOffline(true);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByText("You're offline. Try again when connected.").waitFor();
    await context.setOffline(false);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/\/login/);
    expectClean(watched, ['net::ERR_INTERNET_DISCONNECTED']);
    await watched.close();
  });
});
