import { afterAll, beforeAll } from '@jest/globals';
import type { Page } from 'playwright-core';
import { startApp, type TestApp, type TestAppOptions } from '../../support/app.js';
import {
  type PageOptions,
  type SharedBrowser,
  startBrowser,
  type WatchedPage,
} from '../../support/browser.js';
import { freePort } from '../../support/process.js';
import { PASSWORD, signUp, STRATEGIES } from '../../support/strategies.js';

/** The values of AUTH_STRATEGY that accept one kind of credential. */
export const SINGLE_STRATEGIES = STRATEGIES.filter(({ accepts }) => accepts.length === 1);

/** The application as browsers reach it. */
export interface Site {
  readonly app: TestApp;
  /** Its PUBLIC_URL, with the host localhost, where passkeys work. */
  readonly origin: string;
}

/** Starts the application on a port of the loopback address that is its PUBLIC_URL. */
export async function startSite({ env = {}, ...options }: TestAppOptions = {}): Promise<Site> {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const app = await startApp({ env: { PORT: String(port), PUBLIC_URL: origin, ...env }, ...options });
  await app.running.app.listen({ host: '127.0.0.1', port });
  return { app, origin };
}

/** What the specs of the pages share: an application, a browser, and the pages that a test opened. */
export interface PageTests extends Site {
  open(options?: PageOptions): Promise<WatchedPage>;
}

/** Registers hooks that start an application and a browser before the tests and end them after. */
export function usePages(options: TestAppOptions = {}): PageTests {
  let site: Site;
  let browser: SharedBrowser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(options), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.app.close();
  });
  return {
    get app() {
      return site.app;
    },
    get origin() {
      return site.origin;
    },
    open: (pageOptions) => browser.open(pageOptions),
  };
}

/** Fills in the sign-in form and sends it. */
export async function sendSignIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.fill('[name=email]', email);
  await page.fill('[name=password]', password);
  await page.click('[type=submit]');
}

/** Signs in on the page, to a fresh account by default. */
export async function signInOn(
  { app, origin }: Site,
  page: Page,
  email?: string,
  path = '/account',
): Promise<string> {
  const address = email ?? (await signUp(app));
  await page.goto(`${origin}/login?return_to=${encodeURIComponent(path)}`);
  await sendSignIn(page, address);
  await page.waitForURL(`${origin}${path}`);
  return address;
}

/** What has the focus: its name, or else its text. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement as HTMLInputElement | null;
    return element?.name || element?.innerText || '';
  });
}
