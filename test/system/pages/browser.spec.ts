import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectClean } from '../../support/browser.js';
import { freePort } from '../../support/process.js';
import { signInOn, sendSignIn, SINGLE_STRATEGIES, startSite, usePages } from './site.js';
import { startSite as startOtherSite } from '../../support/static-site.js';
import { PASSWORD, signUp } from '../../support/strategies.js';
import { startTlsProxy } from '../../support/tls-proxy.js';

const PAGES = ['/', '/login', '/signup', '/forgot', '/reset-password', '/verify-email', '/account', '/admin'];

describe.each(SINGLE_STRATEGIES)(
  'pages in a browser with AUTH_STRATEGY=$strategy',
  ({ strategy, issues }) => {
    const pages = usePages({ env: { AUTH_STRATEGY: strategy } });
    const cookieNames = issues === 'session' ? ['session'] : ['access_token', 'refresh_token'];
    let other: Awaited<ReturnType<typeof startOtherSite>>;
    beforeAll(async () => {
      other = await startOtherSite('.', () => '<!doctype html><title>Another site</title>');
    });
    afterAll(() => other?.close());

    it('follow a sign-out and a sign-in of another tab', async () => {
      const watched = await pages.open();
      const { page } = watched;
      const email = await signInOn(pages, page);
      await page.getByText('This device').waitFor();
      const home = await watched.newTab();
      await home.goto(`${pages.origin}/`);
      await home.getByText(email).waitFor();
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.waitForURL(/\/login/);
      await home.getByRole('link', { name: 'Sign in' }).waitFor();
      const waiting = await watched.newTab();
      await waiting.goto(`${pages.origin}/login`);
      await waiting.getByRole('heading', { name: 'Sign in' }).waitFor();
      await sendSignIn(page, email);
      await page.waitForURL(`${pages.origin}/account`);
      await home.getByText(email).waitFor();
      await waiting.getByText(`You are signed in as ${email}.`).waitFor();
      await home.getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL(/\/login\?return_to=%2Faccount/);
      expectClean(watched);
      await watched.close();
    });

    it('show no data on the way back after a sign-out', async () => {
      const watched = await pages.open();
      const { page } = watched;
      const email = await signInOn(pages, page);
      await page.locator('#email').getByText(email).waitFor();
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.waitForURL(/\/login/);
      const shown: string[] = [];
      // Every text that the page has while it leaves for the sign-in again.
      await page.exposeFunction('report', (text: string) => shown.push(text));
      await page.addInitScript(() => {
        const report = (window as unknown as { report(text: string): void }).report;
        new MutationObserver(() => report(document.documentElement.innerText)).observe(document, {
          subtree: true,
          childList: true,
          characterData: true,
        });
      });
      await page.goBack({ waitUntil: 'commit' });
      await page.waitForURL(/\/login\?return_to=%2Faccount/);
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      expect(shown.length).toBeGreaterThan(0);
      expect(shown.filter((text) => text.includes(email))).toEqual([]);
      expectClean(watched, [401]);
      await watched.close();
    });

    it('have cookies that scripts and other sites cannot use', async () => {
      const watched = await pages.open();
      const { page, context } = watched;
      await signInOn(pages, page);
      const cookies = await context.cookies();
      expect(cookies.map(({ name }) => name).toSorted()).toEqual(cookieNames);
      for (const cookie of cookies)
        expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/', domain: 'localhost' });
      expect(await page.evaluate(() => document.cookie)).toBe('');
      // Nothing in the storages is a credential either.
      const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
      expect(stored).not.toMatch(/trf_|eyJ/);
      await page.getByText('This device').waitFor();
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.waitForURL(/\/login/);
      expect(await context.cookies()).toEqual([]);
      expectClean(watched);
      await watched.close();
    });

    it('have __Host- cookies over https', async () => {
      const port = await freePort();
      const origin = `https://localhost:${port}`;
      const env = { AUTH_STRATEGY: strategy, PUBLIC_URL: origin, TRUST_PROXY: '1' };
      const secure = await startSite({ env });
      const proxy = await startTlsProxy(port, Number(secure.app.config.app.PORT));
      const watched = await pages.open({ ignoreHTTPSErrors: true });
      await signInOn({ app: secure.app, origin }, watched.page);
      const cookies = await watched.context.cookies();
      expect(cookies.map(({ name }) => name).toSorted()).toEqual(cookieNames.map((name) => `__Host-${name}`));
      for (const cookie of cookies)
        expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', secure: true, path: '/' });
      expectClean(watched);
      await watched.close();
      await proxy.close();
      await secure.app.close();
    });

    it('refuse calls of another origin, by fetch and by form [ASVS 3.5.1]', async () => {
      const watched = await pages.open();
      const { page, complaints } = watched;
      const email = await signInOn(pages, page);
      const attack = await watched.newTab();
      await attack.goto(other.origin);
      // Same site, since the port does not count: cookies travel even with SameSite=Lax.
      const outcomes = await attack.evaluate(async (target) => {
        const send = (path: string, init: RequestInit) =>
          fetch(target + path, { credentials: 'include', ...init }).then(
            () => 'answered',
            () => 'refused',
          );
        const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
        return [
          await send('/logout?scope=global', json),
          await send('/logout?scope=global', { method: 'POST', mode: 'no-cors' }),
          await send('/users/me', { method: 'DELETE' }),
          await send('/users/me', {}),
        ];
      }, pages.origin);
      expect(outcomes).toEqual(['refused', 'refused', 'refused', 'refused']);
      await attack.close();
      for (const encoding of ['application/x-www-form-urlencoded', 'text/plain']) {
        const tab = await watched.newTab();
        await tab.goto(other.origin);
        const [reply] = await Promise.all([
          tab.waitForResponse(`${pages.origin}/logout?scope=global`),
          tab.evaluate(
            ([action = '', enctype = '']) => {
              const form = document.createElement('form');
              Object.assign(form, { method: 'post', action, enctype });
              document.body.append(form);
              form.submit();
            },
            [`${pages.origin}/logout?scope=global`, encoding],
          ),
        ]);
        expect([403, 415]).toContain(reply.status());
        await tab.close();
      }
      await page.reload();
      await page.locator('#email').getByText(email).waitFor();
      const expected = /CORS|net::ERR_(FAILED|BLOCKED_BY_RESPONSE)|status of (403|415)/;
      expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
      await watched.close();
    });

    it('say in a sentence that they need JavaScript', async () => {
      const watched = await pages.open({ javaScriptEnabled: false });
      for (const path of PAGES) {
        await watched.page.goto(pages.origin + path);
        expect(await watched.page.locator('main').innerText()).toBe(
          'This page needs JavaScript. Switch it on in the settings of your browser, then reload the page.',
        );
      }
      expectClean(watched);
      await watched.close();
    });

    it('move nothing where a person prefers reduced motion', async () => {
      const watched = await pages.open({ reducedMotion: 'reduce' });
      const { page } = watched;
      const email = await signUp(pages.app);
      for (const path of ['/login', '/signup', '/account']) {
        if (path === '/account') {
          await page.goto(`${pages.origin}/login`);
          await sendSignIn(page, email, PASSWORD);
          await page.getByText('This device').waitFor();
        } else await page.goto(pages.origin + path);
        const moving = await page.evaluate(() =>
          [...document.querySelectorAll('*')]
            .filter((element) => {
              const { transitionDuration, animationName } = getComputedStyle(element);
              return transitionDuration !== '0s' || animationName !== 'none';
            })
            .map(({ tagName }) => tagName),
        );
        expect(moving).toEqual([]);
      }
      expectClean(watched);
      await watched.close();
    });
  },
);
