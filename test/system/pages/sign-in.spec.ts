import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import type { Page, Route } from 'playwright-core';
import * as de from '../../../src/texts/de.js';
import { expectClean, type WatchedPage } from '../../support/browser.js';
import { given } from '../../support/given.js';
import { SINGLE_STRATEGIES, type Site, focused, sendSignIn, startSite, usePages } from './site.js';
import { startSite as startOtherSite } from '../../support/static-site.js';
import { freshEmail, PASSWORD, signUp } from '../../support/strategies.js';
import { addRecoveryCodes, codeOfNow, enrolled, forgetSteps, wrongCode } from '../../support/totp.js';

const WRONG = 'a wrong passphrase of some length';
const INCORRECT = 'Incorrect e-mail address or password.';
const PAUSE = 'We may pause sign-in after several attempts.';

const alertOf = (page: Page) => page.locator('form [role=alert]');
const errorAt = (page: Page, name: string) => page.locator(`.field:has([name=${name}]) .error`);
const submitOf = (page: Page) => page.locator('[type=submit]');

/** Answers the requests of a page to one path, but lets the page itself load. */
async function answer(page: Page, path: string, handle: (route: Route) => Promise<void>): Promise<void> {
  await page.route(`**${path}`, (route) =>
    route.request().method() === 'POST' ? handle(route) : route.continue(),
  );
}

describe.each(SINGLE_STRATEGIES)('the sign-in page with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let other: Awaited<ReturnType<typeof startOtherSite>>;
  const elsewhere: Record<string, string> = { AUTH_STRATEGY: strategy };
  const pages = usePages({ env: elsewhere });
  beforeAll(async () => {
    other = await startOtherSite('.', () => '<!doctype html><title>Shop</title>');
  });
  afterAll(() => other?.close());

  async function onSignIn(path = '/login'): Promise<WatchedPage> {
    const watched = await pages.open();
    await watched.page.goto(`${pages.origin}${path}`);
    return watched;
  }

  it('says what was wrong, keeps the address, empties the password and moves the focus', async () => {
    const email = await signUp(pages.app);
    const watched = await onSignIn();
    const { page } = watched;
    expect(await page.title()).toBe('Sign in – Traffy');
    await submitOf(page).click();
    expect(await errorAt(page, 'email').innerText()).toBe('Enter your e-mail address.');
    expect(await errorAt(page, 'password').innerText()).toBe('Enter your password.');
    await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'email');
    expect(await page.getAttribute('[name=email]', 'aria-invalid')).toBe('true');
    for (const attempt of [1, 2, 3]) {
      await sendSignIn(page, email, WRONG);
      await alertOf(page).getByText(INCORRECT).waitFor();
      expect(await page.inputValue('[name=email]')).toBe(email);
      await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'password');
      expect(await page.inputValue('[name=password]')).toBe('');
      expect(await page.title()).toBe('Error: Sign in – Traffy');
      expect(await alertOf(page).getByText(PAUSE).count()).toBe(attempt === 3 ? 1 : 0);
    }
    await sendSignIn(page, email);
    await page.waitForURL(`${pages.origin}/account`);
    expectClean(watched, [401]);
    await watched.close();
  });

  it('sends once, says that it is busy, and hides a shown password first', async () => {
    const email = await signUp(pages.app);
    const watched = await onSignIn();
    const { page } = watched;
    let sent = 0;
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    await answer(page, '/login', async (route) => {
      sent += 1;
      await held;
      await route.continue();
    });
    const password = page.locator('[name=password]');
    await page.fill('[name=email]', email);
    await password.fill(PASSWORD);
    expect(await password.getAttribute('type')).toBe('password');
    await page.getByRole('button', { name: 'Show password' }).click();
    expect(await password.getAttribute('type')).toBe('text');
    await submitOf(page).click();
    await page.getByRole('button', { name: 'Signing in…' }).waitFor();
    expect(await password.getAttribute('type')).toBe('password');
    await submitOf(page).click({ force: true });
    await password.press('Enter');
    release();
    await page.waitForURL(`${pages.origin}/account`);
    expect(sent).toBe(1);
    expectClean(watched);
    await watched.close();
  });

  it('says that the browser is offline, and works again after that', async () => {
    const email = await signUp(pages.app);
    const watched = await onSignIn();
    const { page, context } = watched;
    await context.setOffline(true);
    await sendSignIn(page, email);
    await alertOf(page).getByText("You're offline. Try again when connected.").waitFor();
    await context.setOffline(false);
    await sendSignIn(page, email);
    await page.waitForURL(`${pages.origin}/account`);
    expectClean(watched, ['net::ERR_INTERNET_DISCONNECTED']);
    await watched.close();
  });

  it('names the wait of a service that is unavailable, and the request of one that failed', async () => {
    const watched = await onSignIn();
    const { page } = watched;
    const problem = (status: number, code: string, headers = {}) => ({
      status,
      headers: { 'content-type': 'application/problem+json', ...headers },
      body: JSON.stringify({ type: 'about:blank', title: code, status, code, request_id: 'req-7' }),
    });
    await answer(page, '/login', (route) =>
      route.fulfill(problem(503, 'service_unavailable', { 'retry-after': '30' })),
    );
    await sendSignIn(page, 'ada@example.com');
    const wait = /The service is not available at the moment\. Try again in (30|29) seconds\./;
    await alertOf(page).getByText(wait).waitFor();
    await page.unroute('**/login');
    await answer(page, '/login', (route) => route.fulfill(problem(500, 'internal_error')));
    await sendSignIn(page, 'ada@example.com');
    await alertOf(page).getByText('Something went wrong on our side.').waitFor();
    expect(await alertOf(page).innerText()).toContain('(Request req-7)');
    expectClean(watched, [500, 503]);
    await watched.close();
  });

  it('counts a rate limit down, announced once', async () => {
    const limited = await startSite({ env: { AUTH_STRATEGY: strategy, RATE_LIMIT_LOGIN: '2/1m' } });
    const watched = await pages.open();
    const { page } = watched;
    await page.clock.install();
    await page.goto(`${limited.origin}/login`);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await sendSignIn(page, 'ada@example.com', WRONG);
      await alertOf(page).getByText(INCORRECT).waitFor();
    }
    await sendSignIn(page, 'ada@example.com', WRONG);
    const said = page.locator('.countdown');
    await said.getByText(/^Too many attempts\. Try again in \d+ seconds\.$/).waitFor();
    expect(await said.getAttribute('aria-live')).toBe('off');
    const left = async () => Number(/\d+/.exec(await said.innerText())?.[0]);
    const before = await left();
    await page.clock.runFor(5_000);
    expect(await left()).toBeLessThanOrEqual(before - 5);
    await page.clock.runFor(60_000);
    await alertOf(page).getByText('You can try again now.').waitFor();
    expectClean(watched, [401, 429]);
    await watched.close();
    await limited.app.close();
  });

  it('never says that an account is locked [ASVS 6.3.1]', async () => {
    const email = await signUp(pages.app);
    const watched = await onSignIn();
    const { page } = watched;
    const isLocked = async () => {
      const [row] = await pages.app.query(
        sql<{ n: number }>`select count(*)::int as n from guess_counters where locked_until > now()`,
      );
      return row?.n !== 0;
    };
    await given.noGuesses(pages.app);
    while (!(await isLocked())) await pages.app.client.post('/login', { email, password: WRONG });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await sendSignIn(page, email);
      await alertOf(page).getByText(INCORRECT).waitFor();
    }
    expect((await alertOf(page).innerText()).split('\n').filter(Boolean)).toEqual([INCORRECT, PAUSE]);
    await given.noGuesses(pages.app);
    await sendSignIn(page, email);
    await page.waitForURL(`${pages.origin}/account`);
    expectClean(watched, [401]);
    await watched.close();
  });

  it('leads to return_to on its own origin and on a trusted one, and nowhere else', async () => {
    const trusting = await startSite({ env: { AUTH_STRATEGY: strategy, TRUSTED_ORIGINS: other.origin } });
    const email = await signUp(trusting.app);
    const targets = [
      ['/account?from=mail#devices', `${trusting.origin}/account?from=mail#devices`],
      [`${other.origin}/cart?id=7`, `${other.origin}/cart?id=7`],
      ['https://evil.example/', `${trusting.origin}/account`],
      ['//evil.example/', `${trusting.origin}/account`],
    ] as const;
    for (const [target, end] of targets) {
      const watched = await pages.open();
      const { page } = watched;
      await page.goto(`${trusting.origin}/login?return_to=${encodeURIComponent(target)}`);
      // The way to the sign-up and back keeps the target.
      await page.getByRole('link', { name: 'Create account' }).click();
      await page.getByRole('link', { name: 'Sign in' }).click();
      await page.waitForURL(/\/login/);
      await sendSignIn(page, email);
      await page.waitForURL(end);
      expectClean(watched);
      await watched.close();
    }
    await trusting.app.close();
  });

  it('asks for a code of the authenticator app or a recovery code after the password', async () => {
    const person = await enrolled(pages.app);
    const [recoveryCode = ''] = await addRecoveryCodes(person.client);
    const watched = await onSignIn();
    const { page, context } = watched;
    await sendSignIn(page, person.email);
    await page.getByRole('heading', { name: 'Two-step verification' }).waitFor();
    await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'code');
    const code = page.locator('[name=code]');
    expect(await code.getAttribute('autocomplete')).toBe('one-time-code');
    expect(await code.getAttribute('inputmode')).toBe('numeric');
    expect(await page.getByRole('button', { name: 'Use a passkey' }).count()).toBe(0);
    await code.fill(await wrongCode(pages.app, person.secret));
    await submitOf(page).click();
    await alertOf(page).getByText('That code did not work. Check it and try again.').waitFor();
    const right = await codeOfNow(pages.app, person.secret);
    await code.fill(` ${right.slice(0, 3)}-${right.slice(3)} `);
    await submitOf(page).click();
    await page.waitForURL(`${pages.origin}/account`);

    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await sendSignIn(page, person.email);
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.waitForFunction(() => (document.activeElement as HTMLInputElement).name === 'code');
    await page.fill('[name=code]', ` ${recoveryCode} `);
    await submitOf(page).click();
    await page.waitForURL(`${pages.origin}/account`);
    await page.getByText('9 codes left.').waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('returns to the password with the address if the second step took too long', async () => {
    const person = await enrolled(pages.app);
    const watched = await onSignIn();
    const { page } = watched;
    await sendSignIn(page, person.email);
    await page.getByRole('heading', { name: 'Two-step verification' }).waitFor();
    await pages.app.query(sql`delete from mfa_challenges`);
    await forgetSteps(pages.app);
    await page.fill('[name=code]', await codeOfNow(pages.app, person.secret));
    await submitOf(page).click();
    await page.getByText('That took too long. Sign in again.').waitFor();
    expect(await page.inputValue('[name=email]')).toBe(person.email);
    expectClean(watched, [401]);
    await watched.close();
  });

  it('creates an account, with advice while the password is typed', async () => {
    const watched = await onSignIn('/signup');
    const { page } = watched;
    const email = freshEmail();
    const password = page.locator('[name=password]');
    expect(await password.getAttribute('autocomplete')).toBe('new-password');
    await page.getByText('At least 15 characters. Try a few random words.').waitFor();
    await page.fill('[name=email]', 'ada@');
    await password.pressSequentially('short');
    await page.getByText('10 more characters').waitFor();
    await submitOf(page).click();
    await errorAt(page, 'password').getByText('at least 15 characters').waitFor();
    await password.fill(PASSWORD);
    await submitOf(page).click();
    await errorAt(page, 'email').waitFor();
    expect(await password.inputValue()).toBe(PASSWORD);
    await page.fill('[name=email]', email);
    await password.fill('passwordpassword');
    await page.getByText('Long enough.').waitFor();
    await submitOf(page).click();
    await errorAt(page, 'password').waitFor();
    expect(await page.inputValue('[name=email]')).toBe(email);
    await password.fill(PASSWORD);
    await submitOf(page).click();
    await page.waitForURL(`${pages.origin}/account`);
    await page.locator('#email').getByText(email).waitFor();
    await page.getByText('This device').first().waitFor();
    await page.getByRole('button', { name: 'Sign out everywhere' }).waitFor();
    expectClean(watched, [400]);
    await watched.close();
  });

  it('links to the sign-in where the address is taken', async () => {
    const email = await signUp(pages.app);
    const watched = await onSignIn('/signup');
    const { page } = watched;
    await sendSignIn(page, email);
    await alertOf(page).getByText('An account with this e-mail address already exists.').waitFor();
    await alertOf(page).getByRole('link', { name: 'Forgot your password?' }).waitFor();
    await alertOf(page).getByRole('link', { name: 'Sign in' }).click();
    await page.waitForURL(`${pages.origin}/login`);
    expectClean(watched, [409]);
    await watched.close();
  });

  it('works with the keyboard alone, from sign-up to sign-out to sign-in', async () => {
    const email = freshEmail();
    const watched = await onSignIn('/signup');
    const { page } = watched;
    const tabTo = async (wanted: string) => {
      for (let presses = 0; presses < 40; presses += 1) {
        if ((await focused(page)) === wanted) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab does not reach ${wanted}`);
    };
    const signInByKeys = async () => {
      await tabTo('email');
      await page.keyboard.type(email);
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBe('password');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${pages.origin}/account`);
    };
    await page.getByRole('heading', { name: 'Create your account' }).waitFor();
    await signInByKeys();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await tabTo('Sign out');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/login/);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await signInByKeys();
    expectClean(watched);
    await watched.close();
  });

  it('speaks German to a browser that prefers it', async () => {
    const watched = await pages.open({ locale: 'de-DE' });
    const { page } = watched;
    await page.goto(`${pages.origin}/login`);
    await page.locator('h1').waitFor();
    expect(await page.locator('h1').innerText()).toBe(de.pages.signIn.title);
    expect(await page.getAttribute('html', 'lang')).toBe('de');
    await sendSignIn(page, 'ada@example.com', WRONG);
    await alertOf(page)
      .getByText(de.pages.errors.byCode['invalid_credentials'] ?? '')
      .waitFor();
    expectClean(watched, [401]);
    await watched.close();
  });
});

describe('the sign-up page where addresses are verified', () => {
  let site: Site;
  const pages = usePages();
  beforeAll(async () => {
    site = await startSite({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' } });
  });
  afterAll(() => site?.app.close());

  it('says the same for a new and a taken address [ASVS 6.3.8]', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const email = freshEmail();
    const said: string[] = [];
    for (let time = 0; time < 2; time += 1) {
      await page.goto(`${site.origin}/signup`);
      await sendSignIn(page, email);
      await page.getByRole('heading', { name: 'Check your e-mail' }).waitFor();
      said.push(await page.locator('main').innerText());
    }
    expect(said[0]).toContain(`We sent a link to ${email}.`);
    expect(said[1]).toBe(said[0]);
    expectClean(watched);
    await watched.close();
  });
});
