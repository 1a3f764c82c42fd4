import { describe, expect, it } from '@jest/globals';
import { expectClean } from '../../support/browser.js';
import { mailTo, mailsTo } from '../../support/mailbox.js';
import { login, resetToken, verified } from '../../support/recovery.js';
import { sendSignIn, signInOn, SINGLE_STRATEGIES, usePages } from './site.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../../support/strategies.js';

const OTHER = 'another quiet passphrase';
const USED = 'This link has expired or was already used.';

describe.each(SINGLE_STRATEGIES)('the pages that mails open with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  const pages = usePages({ env: { AUTH_STRATEGY: strategy, DOCS: 'off' } });

  it('send a link, set a new password and sign out everywhere', async () => {
    const { app, origin } = pages;
    const email = await verified(app);
    const thief = await signIn(app, email);
    const watched = await pages.open();
    const { page } = watched;
    await page.clock.install();
    await page.goto(`${origin}/login`);
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await page.getByLabel('E-mail address').fill('a@b');
    await page.getByRole('button', { name: 'Send reset link' }).click();
    await page.locator('.field .error').waitFor();
    await page.getByLabel('E-mail address').fill(email);
    await page.getByRole('button', { name: 'Send reset link' }).click();
    await page
      .getByRole('status')
      .getByText(`If there is an account for ${email}, we sent a link.`)
      .waitFor();
    await page.getByText(/^Send again in \d+ seconds$/).waitFor();
    await mailTo(app, email, 'reset_password');
    await page.clock.runFor(61_000);
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByText(/^Send again in \d+ seconds$/).waitFor();
    const mails = await mailsTo(app, email, 'reset_password');
    expect(mails).toHaveLength(2);

    await page.goto(mails[0]?.link ?? '');
    await page.getByLabel('New password').fill(OTHER);
    await page.getByRole('button', { name: 'Save new password' }).click();
    await page.getByRole('status').getByText('Your password is changed.').waitFor();
    expect((await thief.client.get('/users/me')).status).toBe(401);
    expect((await login(app, email)).status).toBe(401);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await sendSignIn(page, email, OTHER);
    await page.waitForURL(`${origin}/account`);
    expectClean(watched, [400]);
    await watched.close();
  });

  it('ask for the code where the link lost its token, or take the whole link [fault 28]', async () => {
    const { app, origin } = pages;
    const watched = await pages.open();
    const { page } = watched;
    for (const part of ['code', 'link'] as const) {
      const email = await verified(app);
      await resetToken(app, email);
      const mail = await mailTo(app, email, 'reset_password');
      await page.goto(`${origin}/reset-password`);
      const code = page.getByLabel('Code from the e-mail');
      await code.fill(`${mail.code}9`);
      await page.getByLabel('New password').fill(OTHER);
      await page.getByRole('button', { name: 'Save new password' }).click();
      await page.getByText('This code is wrong, has expired or was already used').waitFor();
      await code.fill(part === 'code' ? mail.code.toLowerCase() : mail.link);
      await page.getByLabel('New password').fill(OTHER);
      await page.getByRole('button', { name: 'Save new password' }).click();
      await page.getByText('Your password is changed.').waitFor();
      expect((await login(app, email, OTHER)).status).toBe(200);
    }
    await page.goto('about:blank');
    await page.goto(`${origin}/verify-email#token=trf_ot_x`);
    await page.getByRole('heading', { name: 'Verify your e-mail address' }).waitFor();
    expect(await page.getByLabel('Code from the e-mail').count()).toBe(0);
    expectClean(watched, [400]);
    await watched.close();
  });

  it('use the token after a click only, and remove it from the address bar and the history', async () => {
    const { app, origin } = pages;
    const email = await verified(app);
    const token = await resetToken(app, email);
    const watched = await pages.open();
    const { page, requests } = watched;
    await page.goto(`${origin}/reset-password#token=${token}`);
    const field = page.getByLabel('New password');
    await field.fill('too short');
    expect(page.url()).toBe(`${origin}/reset-password`);
    expect(requests.filter((url) => url.endsWith('/password/reset'))).toEqual([]);
    const save = page.getByRole('button', { name: 'Save new password' });
    await save.click();
    await page.locator('.error').getByText('at least 15 characters').waitFor();
    await field.fill(OTHER);
    await save.click();
    await page.getByText('Your password is changed.').waitFor();
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.waitForURL(`${origin}/login`);
    await page.goBack();
    await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
    expect(page.url()).toBe(`${origin}/reset-password`);

    // In the same tab: only the fragment changes.
    await page.goto(`${origin}/reset-password#token=${token}`);
    await field.fill(`${OTHER} again`);
    await save.click();
    await page.getByText(USED).waitFor();
    await page.getByRole('link', { name: 'Request a new link' }).click();
    await page.waitForURL(`${origin}/forgot`);
    expect(requests.filter((url) => url.includes('trf_ot_') && !url.includes('#'))).toEqual([]);
    expectClean(watched, [400]);
    await watched.close();
  });

  it('go on at the addresses of earlier mails', async () => {
    const { app, origin } = pages;
    const email = await verified(app);
    const token = await resetToken(app, email);
    const watched = await pages.open();
    const { page } = watched;
    await page.goto(`${origin}/account/reset-password#token=${token}`);
    await page.getByLabel('New password').fill(OTHER);
    expect(page.url()).toBe(`${origin}/reset-password`);
    await page.getByRole('button', { name: 'Save new password' }).click();
    await page.getByText('Your password is changed.').waitFor();
    await page.goto(`${origin}/account/password`);
    await page.getByRole('heading', { name: 'Reset your password' }).waitFor();
    expectClean(watched);
    await watched.close();
  });

  it('verify an address after a click', async () => {
    const { app, origin } = pages;
    const email = await signUp(app);
    const watched = await pages.open();
    const { page, requests } = watched;
    await signInOn(pages, page, email);
    const section = page.locator('#email');
    await section.getByText('Not verified').waitFor();
    await section.getByRole('button', { name: 'Send verification link' }).click();
    await section.getByRole('status').getByText('We sent you a link.').waitFor();
    const { link } = await mailTo(app, email, 'verify_email');
    await page.goto(link);
    await page.getByRole('heading', { name: 'Verify your e-mail address' }).waitFor();
    expect(requests).not.toContain(`${origin}/email/verify`);
    await page.getByRole('button', { name: 'Verify e-mail address' }).click();
    await page.getByRole('status').getByText('Your e-mail address is verified.').waitFor();
    await page.getByRole('link', { name: 'Continue' }).click();
    await page.locator('#email').getByText('Verified', { exact: true }).waitFor();
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByRole('button', { name: 'Verify e-mail address' }).click();
    await page.getByText(USED).waitFor();
    expectClean(watched, [400]);
    await watched.close();
  });

  it('change the address once the new one is confirmed', async () => {
    const { app, origin } = pages;
    const wanted = freshEmail();
    const watched = await pages.open();
    const { page } = watched;
    const email = await signInOn(pages, page);
    const section = page.locator('#email');
    await section.getByRole('button', { name: 'Change e-mail address' }).click();
    await section.getByLabel('New e-mail address').fill(wanted);
    await section.getByRole('button', { name: 'Send confirmation link' }).click();
    await section.getByText(`Waiting for confirmation: we sent a link to ${wanted}.`).waitFor();
    expect(await section.locator('strong').innerText()).toBe(email);
    const { link } = await mailTo(app, wanted, 'change_email');
    await page.goto(link);
    await page.getByRole('heading', { name: 'Confirm your new e-mail address' }).waitFor();
    await page.getByRole('button', { name: 'Confirm e-mail address' }).click();
    await page.getByText('Your e-mail address is changed.').waitFor();
    expect((await login(app, wanted, PASSWORD)).status).toBe(200);
    expect((await login(app, email)).status).toBe(401);
    await page.goto(`${origin}/account`);
    await page.waitForURL(/\/(account|login)/);
    expectClean(watched, [401]);
    await watched.close();
  });
});
