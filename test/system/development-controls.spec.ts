import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { openPage, type WatchedPage } from '../support/browser.js';
import { freePort } from '../support/process.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('development controls in a browser', () => {
  let app: TestApp;
  let watched: WatchedPage;
  let origin = '';
  beforeAll(async () => {
    const port = await freePort();
    origin = `http://localhost:${port}`;
    app = await startApp({
      env: { APP_ENV: 'development', AUTH_STRATEGY: 'session', PORT: String(port), PUBLIC_URL: origin },
    });
    await app.running.app.listen({ host: '127.0.0.1', port });
    watched = await openPage();
  });
  afterAll(async () => {
    await watched?.close();
    await app.close();
  });

  it('keep a new account signed in through all steps and back, without another click', async () => {
    const { page, context } = watched;
    await page.goto(`${origin}/signup`);
    await page.fill('[name=email]', 'newcomer@example.com');
    await page.fill('[name=password]', 'four quiet lamps and a boat');
    await page.click('[type=submit]');
    await page.waitForURL(`${origin}/account`);
    await page.goto(`${origin}/dev/controls`);
    const steps = ['session,jwt', 'jwt,session', 'jwt', 'jwt,session', 'session,jwt', 'session'];
    for (const step of steps) {
      await page.getByRole('button', { name: `Switch to ${step}`, exact: true }).click();
      await page
        .locator('#strategy')
        .filter({ hasText: new RegExp(`^${step}$`) })
        .waitFor();
      await page
        .locator('#wire')
        .filter({ hasText: /POST \/session\/exchange[^]*200/ })
        .waitFor();
      await page.goto(`${origin}/account`);
      await page.getByText('newcomer@example.com').first().waitFor();
      await page.goto(`${origin}/dev/controls`);
    }
    await context.clearCookies();
    expect(watched.complaints).toEqual([]);
  });

  it('sign in a demo user and change the strategy in three steps; no user is signed out', async () => {
    const { page } = watched;
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
    const shows = (selector: string, text: string) =>
      page.locator(selector).filter({ hasText: text }).waitFor();
    await page.goto(`${origin}/dev/controls`);
    await press('Demo user');
    await shows('#credential', '"kind": "session"');
    await shows('#wire', 'POST /login');
    expect(await page.getByRole('button', { name: 'Refresh' }).isDisabled()).toBe(true);
    await page.getByText('nothing to refresh').waitFor();
    await press('Switch to session,jwt');
    await press('Switch to jwt,session');
    await page.getByRole('button', { name: 'Switch to jwt', exact: true }).waitFor();
    await shows('#wire', 'POST /dev/strategy');
    await shows('#wire', 'POST /session/exchange');
    await shows('#wire', '"strategy": "jwt"');
    await shows('#credential', '"kind": "jwt"');
    await press('Who am I');
    await shows('#wire', '"logged_in": true');
    await press('Switch to jwt');
    await page.locator('#strategy').filter({ hasText: /^jwt$/ }).waitFor();
    await press('Expire');
    await shows('#credential', '"status": "expired"');
    await press('Refresh');
    await shows('#credential', '"status": "live"');
    expect(await page.locator('body').innerText()).not.toMatch(/trf_|eyJ/);

    await page.goto(`${origin}/account`);
    await page
      .getByText(/demo-user-\w+@example\.com/)
      .first()
      .waitFor();
    await shows('.dev-badge a', 'jwt · signed in');
    expect(watched.complaints).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('are in rows, and fit a phone (%s)', async (colorScheme) => {
    const { page } = watched;
    await page.emulateMedia({ colorScheme });
    await page.goto(`${origin}/dev/controls`);
    await page.getByRole('button', { name: 'Who am I' }).click();
    await page.locator('#wire').filter({ hasText: '"logged_in"' }).waitFor();
    const boxOf = async (name: string) => {
      const box = await page.getByRole('button', { name, exact: true }).boundingBox();
      if (!box) throw new Error(`no button ${name}`);
      return box;
    };
    for (const [width, height] of [
      [1280, 900],
      [320, 640],
    ] as const) {
      await page.setViewportSize({ width, height });
      const [first, second] = [await boxOf('Who am I'), await boxOf('Expire')];
      expect([width, second.y]).toEqual([width, first.y]);
      expect(second.x - first.x - first.width).toBeGreaterThanOrEqual(8);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
    await page.evaluate(axeSource);
    const violations = await page.evaluate<{ id: string }[]>('axe.run().then((found) => found.violations)');
    expect(violations.map(({ id }) => id)).toEqual([]);
  });
});
