import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { openPage, type WatchedPage } from '../support/browser.js';
import { freePort } from '../support/process.js';

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

  it('sign in a demo user and change the strategy in three steps; nobody is signed out', async () => {
    const { page } = watched;
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
    const shows = (selector: string, text: string) =>
      page.locator(selector).filter({ hasText: text }).waitFor();
    await page.goto(`${origin}/dev/controls`);
    await press('Demo user');
    await shows('#credential', '"kind": "session"');
    await press('Switch to session,jwt');
    await shows('#wire', 'POST /dev/strategy');
    await press('Switch to jwt,session');
    await page.getByRole('button', { name: 'Switch to jwt', exact: true }).waitFor();
    await press('Exchange');
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
    await shows('.dev-badge a', 'jwt credential, live');
    expect(watched.complaints).toEqual([]);
  });
});
