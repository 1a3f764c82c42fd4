import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { expectClean, type SharedBrowser, startBrowser } from '../../support/browser.js';
import { freePort, until } from '../../support/process.js';
import { nodes, openDatabase, start, statusNow, stopAll, type Value } from '../../support/strategy-change.js';
import { signInOn } from './site.js';

openDatabase();

let browser: SharedBrowser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stopAll();
});

const STEPS: readonly Value[] = ['session', 'session,jwt', 'jwt,session', 'jwt'];
const HOUR = 3_600_000;

it('an open page outlives every step from session to jwt without a reload', async () => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  /** The node of the next step listens where the one before did. */
  const serve = async (value: Value) => {
    await nodes.shift()?.close();
    const app = await start(value, { PORT: String(port), PUBLIC_URL: origin });
    await app.running.app.listen({ host: '127.0.0.1', port });
    return app;
  };
  const watched = await browser.open();
  const { page, context } = watched;
  const email = await signInOn({ app: await serve('session'), origin }, page);
  await page.getByText('This device').waitFor();
  // The client exchanges its credential at most once an hour, by the clock of the browser.
  await page.clock.install();
  await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
  const profile = page.locator('#profile');
  let saved = 0;
  const use = async () => {
    saved += 1;
    await profile.getByLabel('Name').fill(`Name ${saved}`);
    const [reply] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === 'PATCH'),
      profile.getByRole('button', { name: 'Save' }).click(),
    ]);
    expect(reply.status()).toBe(200);
    await profile.getByRole('button', { name: 'Save', exact: true }).waitFor();
  };
  await use();
  for (const value of STEPS.slice(1)) {
    if (value === 'jwt')
      await until(async () => {
        await page.clock.fastForward(HOUR + 1000);
        await use();
        return (await statusNow()).session?.sessions === 0 || undefined;
      });
    await serve(value);
    await use();
  }
  const names = (await context.cookies()).map(({ name }) => name).toSorted();
  expect(names).toEqual(['access_token', 'refresh_token']);
  expect(await page.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
  await page.reload();
  await page.locator('#email').getByText(email).waitFor();
  expect(await profile.getByLabel('Name').inputValue()).toBe(`Name ${saved}`);
  expect(await page.locator('#devices').getByRole('listitem').count()).toBe(1);
  // Between two nodes, the port can be closed for a moment.
  expectClean(watched, [401, 'net::ERR_CONNECTION_REFUSED']);
  await watched.close();
});
