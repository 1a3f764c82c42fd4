import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { expectClean } from '../../support/browser.js';
import { given } from '../../support/given.js';
import { sendSignIn, signInOn, SINGLE_STRATEGIES, usePages } from './site.js';
import { PASSWORD, signIn, signUp } from '../../support/strategies.js';

describe.each(SINGLE_STRATEGIES)('the admin page with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  const pages = usePages({ env: { AUTH_STRATEGY: strategy } });

  async function searchUsers(page: Page, emailPrefix: string): Promise<void> {
    await page.getByLabel('Search by e-mail address').fill(emailPrefix);
    await page.getByRole('button', { name: 'Search' }).click();
  }

  async function administrator(): Promise<string> {
    const email = await signUp(pages.app);
    await given.role(pages.app, email, 'admin');
    return email;
  }

  it('sends signed-out people to the sign-in, and back', async () => {
    const email = await administrator();
    const watched = await pages.open();
    const { page } = watched;
    await page.goto(`${pages.origin}/admin`);
    await page.waitForURL(/\/login\?return_to=%2Fadmin$/);
    await sendSignIn(page, email);
    await page.waitForURL(`${pages.origin}/admin`);
    await page.getByRole('link', { name: email }).waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('is forbidden without the role', async () => {
    const watched = await pages.open();
    const { page } = watched;
    await signInOn(pages, page);
    const reply = await page.goto(`${pages.origin}/admin`);
    expect(reply?.status()).toBe(403);
    await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
    await page.getByRole('link', { name: 'Go to your account' }).click();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    expectClean(watched, [403]);
    await watched.close();
  });

  it('finds users by address, role and state, and pages through them', async () => {
    const email = await administrator();
    for (let count = 0; count < 21; count += 1) await signUp(pages.app, `many${count}@${strategy}.example`);
    const watched = await pages.open();
    const { page } = watched;
    await signInOn(pages, page, email, '/admin');
    const search = (text: string) => searchUsers(page, text);
    await search('nobody@');
    await page.getByRole('status').getByText('No users match “nobody@”.').waitFor();
    await search(' many');
    await page.getByRole('link', { name: /^many/ }).nth(19).waitFor();
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('link', { name: /^many/ }).nth(20).waitFor();
    await page.getByLabel('Role').selectOption('admin');
    await search('');
    await page.getByRole('link', { name: email }).waitFor();
    await page.getByRole('link', { name: /^many/ }).first().waitFor({ state: 'detached' });
    await page.getByLabel('Role').selectOption('');
    await page.getByLabel('State').selectOption('disabled');
    await search('');
    await page.getByText('No users.').waitFor();
    expectClean(watched);
    await watched.close();
  });

  it('shows, disables and enables a user, changes the role, and ends sessions', async () => {
    const email = await administrator();
    const user = await signIn(pages.app);
    const second = await signIn(pages.app, user.email);
    const watched = await pages.open();
    const { page } = watched;
    await signInOn(pages, page, email, '/admin');
    await searchUsers(page, user.email);
    await page.getByRole('link', { name: user.email }).click();
    await page.getByRole('heading', { name: user.email }).waitFor();
    const facts = page.locator('#facts');
    const sessions = page.locator('#sessions');
    const confirm = (title: string, button: string) =>
      page.getByRole('dialog', { name: title }).getByRole('button', { name: button }).click();
    await page.locator('#audit').getByText('login', { exact: true }).first().waitFor();
    expect(await sessions.getByRole('listitem').count()).toBe(2);
    await sessions.getByRole('button', { name: 'Sign out', exact: true }).first().click();
    await sessions.getByText('1 session ended.').waitFor();
    expect(await sessions.getByRole('listitem').count()).toBe(1);
    await sessions.getByRole('button', { name: 'Sign out of all devices' }).click();
    await confirm(`Sign ${user.email} out of all devices?`, 'Sign out of all devices');
    await sessions.getByText('Not signed in anywhere.').waitFor();
    for (const { client } of [user, second]) expect((await client.get('/users/me')).status).toBe(401);

    await facts.getByRole('button', { name: 'Disable account' }).click();
    await confirm(`Disable ${user.email}?`, 'Cancel');
    await facts.getByText('Enabled').waitFor();
    await facts.getByRole('button', { name: 'Disable account' }).click();
    await confirm(`Disable ${user.email}?`, 'Disable account');
    await facts.getByText('Disabled').waitFor();
    const login = () => pages.app.client.post('/login', { email: user.email, password: PASSWORD });
    expect((await login()).status).toBe(401);
    await facts.getByRole('button', { name: 'Enable account' }).click();
    await facts.getByText('Enabled').waitFor();
    expect((await login()).status).toBe(200);

    await facts.getByRole('button', { name: 'Make administrator' }).click();
    await confirm(`Make ${user.email} an administrator?`, 'Make administrator');
    await facts.locator('dd').getByText('Administrator').waitFor();
    await facts.getByRole('button', { name: 'Remove administrator role' }).click();
    await confirm(`Remove the administrator role of ${user.email}?`, 'Remove administrator role');
    await facts.locator('dd').getByText('User', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Back to all users' }).click();
    await page.getByRole('heading', { name: 'Users' }).waitFor();
    expectClean(watched);
    await watched.close();
  });

  it('asks to confirm who it is, and loads after that', async () => {
    const email = await administrator();
    const watched = await pages.open();
    const { page } = watched;
    await signInOn(pages, page, email);
    await pages.app.query(sql`update sessions set authenticated_at = now() - interval '1 hour'`);
    await page.goto(`${pages.origin}/admin`);
    const dialog = page.getByRole('dialog', { name: "Confirm it's you" });
    await dialog.locator('[name=password]').fill(PASSWORD);
    await dialog.locator('[type=submit]').click();
    await dialog.waitFor({ state: 'detached' });
    await searchUsers(page, email);
    await page.getByRole('link', { name: email }).waitFor();
    expectClean(watched, [401, 403]);
    await watched.close();
  });
});
