import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Where Debian and others install Chromium; CHROMIUM_PATH names another place. */
const PLACES = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** The browser that tests drive; undefined if there is none. */
export const chromiumPath = PLACES.find((path) => path !== undefined && existsSync(path));

/** A page of a browser of its own, and all that went wrong on it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the console, violations of the content security policy included. */
  readonly complaints: string[];
  /** The address of every request. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Opens a real browser, with its own background traffic switched off. */
export async function openPage(): Promise<WatchedPage> {
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
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  return { page, complaints, requests, close: () => browser.close() };
}
