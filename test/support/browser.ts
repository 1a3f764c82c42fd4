import { existsSync } from 'node:fs';
import { expect } from '@jest/globals';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';

/** Where Debian and others install Chromium; CHROMIUM_PATH names another place. */
const PLACES = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** The browser for tests; undefined if there is none. */
const chromiumPath = PLACES.find((path) => path !== undefined && existsSync(path));

/** A page of a browser profile of its own, and all that went wrong on it and on its other tabs. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of the console, violations of the content security policy included. */
  readonly complaints: string[];
  /** The address of every request. */
  readonly requests: string[];
  /** Opens another tab of the same profile. */
  newTab(): Promise<Page>;
  close(): Promise<void>;
}

/** Options of a page; the language is English unless `locale` names another. */
export type PageOptions = BrowserContextOptions;

/** A browser that several tests share: each page that it opens has a profile of its own. */
export interface SharedBrowser {
  open(options?: PageOptions): Promise<WatchedPage>;
  close(): Promise<void>;
}

const DEFAULTS: PageOptions = { viewport: { width: 1280, height: 1000 }, locale: 'en-GB' };

/** Starts a real browser, with its own background traffic switched off. */
export async function startBrowser(): Promise<SharedBrowser> {
  const browser: Browser = await chromium.launch({
    ...(chromiumPath && { executablePath: chromiumPath }),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return { open: (options) => openIn(browser, options), close: () => browser.close() };
}

async function openIn(browser: Browser, options: PageOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ ...DEFAULTS, ...options });
  context.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  const requests: string[] = [];
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('request', (request) => requests.push(request.url()));
  const page = await context.newPage();
  return {
    page,
    context,
    complaints,
    requests,
    newTab: () => context.newPage(),
    close: () => context.close(),
  };
}

/** Opens a page in a browser of its own. */
export async function openPage(options?: PageOptions): Promise<WatchedPage> {
  const browser = await startBrowser();
  return { ...(await browser.open(options)), close: () => browser.close() };
}

/**
 * Nothing violated the content security policy, no script failed, and no request went to another origin. The console
 * reports refused calls as errors too.
 *
 * @param failures that belong to the test: statuses of calls, or net errors.
 */
export function expectClean(
  { complaints, requests }: WatchedPage,
  failures: readonly (number | string)[] = [],
): void {
  const expected = failures.map((failure) =>
    typeof failure === 'number' ? `the server responded with a status of ${failure} ` : failure,
  );
  expect(complaints.filter((text) => !expected.some((part) => text.includes(part)))).toEqual([]);
  const isForeign = (url: string) =>
    !/^(data|blob):/.test(url) && !/^https?:\/\/(localhost|127\.0\.0\.1):/.test(url);
  expect(requests.filter(isForeign)).toEqual([]);
}

/** A passkey device without a person: it answers every prompt. */
export interface VirtualAuthenticator {
  /** How many passkeys it keeps. */
  count(): Promise<number>;
  remove(): Promise<void>;
}

/** Adds a virtual authenticator to a tab (WebDriver §13.2 of Web Authentication, over the DevTools protocol). */
export async function addAuthenticator(page: Page): Promise<VirtualAuthenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    count: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length,
    remove: async () => {
      await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    },
  };
}
