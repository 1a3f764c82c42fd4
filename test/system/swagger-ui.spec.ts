import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { openPage, type WatchedPage } from '../support/browser.js';
import { operationsOf, specificationOf } from '../support/specification.js';
import { signIn, STRATEGIES } from '../support/strategies.js';

const HTML = { accept: 'text/html' };

describe('page', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'session' } });
  });
  afterAll(() => app.close());

  it.each(['/docs', '/docs/'])(
    'is at %s, with a policy without inline code or foreign origins',
    async (url) => {
      const reply = await app.client.get(url, HTML);
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(reply.headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
          "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      );
      expect(reply.headers['cache-control']).toBe('no-cache');
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
      expect(reply.text).not.toMatch(/<style|style=|<script(?! src="\/docs\/)|\bon\w+=|https?:/);
    },
  );

  it('loads existing files only, cached forever if their path has a version', async () => {
    const { text } = await app.client.get('/docs');
    const urls = [...text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, url = '']) => url);
    expect(urls).toHaveLength(5);
    for (const url of urls) {
      const { status, headers } = await app.client.get(url);
      const isVersioned = /^\/docs\/assets\/\d+\.\d+\.\d+\//.test(url);
      expect({ url, status, cache: headers['cache-control'] }).toEqual({
        url,
        status: 200,
        cache: isVersioned ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
    }
  });

  it('serves no other file of the package or the disk [H4]', async () => {
    const { text } = await app.client.get('/docs');
    const assets = /\/docs\/assets\/[^/]+\//.exec(text)?.[0] ?? '';
    for (const path of [
      'package.json',
      'index.html',
      '',
      '../package.json',
      '..%2fpackage.json',
      '%2e%2e/x',
    ]) {
      const { status, body } = await app.client.get(`${assets}${path}`, { accept: '*/*' });
      expect({ path, status, code: body['code'] }).toEqual({ path, status: 404, code: 'not_found' });
      const page = await app.client.get(`${assets}${path}`, HTML);
      expect({ path, status: page.status, isPage: page.text.includes('Page not found') }).toEqual({
        path,
        status: 404,
        isPage: true,
      });
    }
  });

  it('does not affect the policy and Accept rule of other routes', async () => {
    for (const url of ['/me', '/openapi.json', '/nothing']) {
      const { headers } = await app.client.get(url);
      expect(headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'");
    }
    expect((await app.client.get('/me', HTML)).status).toBe(406);
    expect((await app.client.get('/openapi.json', HTML)).status).toBe(406);
  });

  it('answers other methods with 405 [H3]', async () => {
    for (const url of ['/docs', '/openapi.json']) {
      const reply = await app.client.post(url);
      expect({ status: reply.status, allow: reply.headers['allow'] }).toEqual({
        status: 405,
        allow: 'GET, HEAD',
      });
    }
  });
});

describe.each(STRATEGIES.filter(({ accepts }) => accepts.length === 1))(
  'Swagger UI in a browser with AUTH_STRATEGY=$strategy [pain 18]',
  ({ strategy, issues, accepts }) => {
    const me = { logged_in: true, email: 'test@example.com' };
    let app: TestApp;
    let origin: string;
    let watched: WatchedPage;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
      origin = await app.listen();
      watched = await openPage();
      await watched.page.goto(`${origin}/docs`);
      await watched.page.waitForSelector('.opblock');
    });
    afterAll(async () => {
      await watched?.close();
      await app.close();
    });

    /** Opens a call, presses Execute, and reads the answer. */
    async function execute(operationId: string): Promise<{ status: number; body: unknown }> {
      const block = watched.page.locator(`.opblock[id$="-${operationId}"]`);
      await block.locator('.opblock-summary-control').click();
      await block.locator('.execute').click();
      const answer = block.locator('.live-responses-table .response');
      await answer.waitFor();
      const status = Number(await answer.locator('.response-col_status').innerText());
      const text = await answer.locator('.highlight-code pre').first().innerText();
      // The next answer must not be mistaken for this one.
      await block.locator('.btn-clear').click();
      await answer.waitFor({ state: 'detached' });
      await block.locator('.opblock-summary-control').click();
      return { status, body: JSON.parse(text) };
    }

    it('signs up, signs in, identifies the user and signs out with the given examples [pain 18]', async () => {
      expect(await execute('signup')).toMatchObject({ status: 201, body: { message: 'Signup successful' } });
      expect(await execute('getMe')).toEqual({ status: 200, body: { logged_in: false } });
      expect(await execute('getAccount')).toMatchObject({
        status: 401,
        body: { code: 'authentication_required' },
      });
      expect(await execute('login')).toMatchObject({ status: 200, body: { success: true } });
      expect(await execute('getMe')).toEqual({ status: 200, body: me });
      expect(await execute('getAccount')).toMatchObject({ status: 200, body: { email: me.email } });
      expect(await execute('logout')).toEqual({ status: 200, body: { logged_in: false } });
      expect(await execute('getMe')).toEqual({ status: 200, body: { logged_in: false } });
    });

    /** How many operations take a credential that a page can hold: what services have, and tokens. */
    async function countLocks(...schemes: string[]): Promise<number> {
      const operations = [...operationsOf(await specificationOf(app)).values()];
      return operations.filter(({ security }) =>
        security.some((kind) => schemes.some((scheme) => scheme in kind)),
      ).length;
    }

    it('offers Authorize exactly where a page can hold the credential', async () => {
      const { page } = watched;
      expect(await page.locator('.btn.authorize').count()).toBe(1);
      const locks = await countLocks('bearer', 'client');
      expect(await page.locator('.authorization__btn').count()).toBe(locks);
      expect(locks > 2).toBe((accepts as readonly string[]).includes('jwt'));
      expect(await page.locator('[aria-label="authorization button locked"]').count()).toBe(0);
      expect(await page.locator('.information-container').innerText()).toContain(
        issues === 'session'
          ? 'Sign in with POST /login below; your browser stores the cookie'
          : 'Sign in with POST /login below; this page then sends the access token',
      );
    });

    if (issues === 'jwt') {
      it('refreshes with the given example', async () => {
        await execute('login');
        expect(await watched.page.locator('[aria-label="authorization button locked"]').count()).toBe(
          await countLocks('bearer'),
        );
        expect(await execute('refresh')).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
        expect(await execute('getMe')).toEqual({ status: 200, body: me });
        await execute('logout');
      });

      it('accepts a foreign token in Authorize', async () => {
        const { page } = watched;
        const { email, reply } = await signIn(app);
        await page.locator('.btn.authorize').click();
        expect(await page.locator('.auth-container h4').allInnerTexts()).toEqual([
          expect.stringMatching(/^client/),
          expect.stringMatching(/^bearer/),
        ]);
        const form = page.locator('form').filter({ hasText: /^bearer/ });
        await form.locator('input').fill(reply.body['access_token'] as string);
        await form.locator('.authorize').click();
        await form.locator('.btn-done').click();
        expect(await execute('getMe')).toEqual({ status: 200, body: { logged_in: true, email } });
      });
    }

    it('violates no policy, logs no error and requests no other origin', () => {
      // Chromium notes each refused call, which the first walk makes on purpose.
      const complaints = watched.complaints.filter((text) => !/status of 401/.test(text));
      expect(complaints).toEqual([]);
      expect(watched.requests.length).toBeGreaterThan(8);
      expect(
        watched.requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith('data:')),
      ).toEqual([]);
    });
  },
);
