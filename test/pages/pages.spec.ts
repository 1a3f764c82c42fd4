import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import type { Reply } from '../support/client.js';
import { Holder } from '../support/holder.js';

const MAILED = ['/forgot', '/reset-password', '/verify-email'];
const OTHERS = ['/', '/login', '/signup', '/account', '/admin'];
const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

function expectProblem({ headers, body }: Reply, code: string): void {
  expect([headers['content-type'], body.code]).toEqual(['application/problem+json; charset=utf-8', code]);
}

/** The data that a page is given. */
function siteOf(html: string): Record<string, unknown> {
  const [, content = '{}'] = /<meta name="site" content="([^"]*)">/.exec(html) ?? [];
  return JSON.parse(content.replaceAll('&quot;', '"').replaceAll('&amp;', '&')) as Record<string, unknown>;
}

describe('pages', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({
      env: { APP_ENV: 'development', TRUSTED_ORIGINS: 'https://app.example.com,capacitor://localhost' },
    });
  });
  afterAll(() => app.close());

  it.each([...OTHERS, ...MAILED])(
    '%s has no inline code or foreign content, sends no referrer and is not stored [E11, C6]',
    async (path) => {
      const reply = await app.client.get(path, HTML);
      expect(reply.status).toBe(200);
      expect(reply.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        vary: expect.stringMatching(/accept-language/i),
      });
      expect(reply.headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
          "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      );
      expect(reply.text).not.toMatch(/https?:|<script>|<style|\son\w+=|style=/);
      const paths = [...reply.text.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, file = '']) => file);
      expect(paths.length).toBeGreaterThan(4);
      for (const file of paths) expect((await app.client.get(file, { accept: '*/*' })).status).toBe(200);
    },
  );

  it.each(['text/html', 'application/json', '*/*', 'image/png'])(
    'answer HTML to Accept: %s',
    async (accept) => {
      const reply = await app.client.get('/login', { accept });
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toContain('text/html');
    },
  );

  it('leave the JSON calls of the same paths as they are', async () => {
    const reply = await app.client.post('/login', {});
    expect({ status: reply.status, code: reply.body['code'] }).toEqual({
      status: 400,
      code: 'validation_failed',
    });
    const html = await app.client.post('/login', {}, { accept: 'text/html' });
    expect(html.status).toBe(406);
  });

  it.each([
    ['de', 'de'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['fr,de;q=0.5', 'de'],
    ['en;q=0.5,de;q=0.4', 'en'],
    ['fr', 'en'],
    ['*', 'en'],
    ['de;q=0', 'en'],
    [';;,,q=1', 'en'],
  ])('are in the language that Accept-Language %j prefers: %s', async (given, language) => {
    const { text } = await app.client.get('/login', { ...HTML, 'accept-language': given });
    expect(text).toContain(`<html lang="${language}">`);
  });

  it.each([
    ['traffy_language=de', 'de'],
    ['a=b; traffy_language=en; session=x', 'en'],
    ['traffy_language=fr', 'de'],
    ['traffy_language=constructor', 'de'],
    ['other_traffy_language=en', 'de'],
  ])('are in the language that was chosen in this browser: %s', async (cookie, expected) => {
    const { text, headers } = await app.client.get('/login', { ...HTML, 'accept-language': 'de', cookie });
    expect(text).toContain(`<html lang="${expected}">`);
    expect(headers['content-language']).toBe(expected);
  });

  it.each([
    ['/account?tab=2#devices', '/account?tab=2#devices'],
    ['https://app.example.com/done?x=1', 'https://app.example.com/done?x=1'],
    ['capacitor://localhost/home', 'capacitor://localhost/home'],
    ['//evil.example/', null],
    ['/\\evil.example/', null],
    ['/\t/evil.example/', null],
    ['\\\\evil.example', null],
    ['/.//evil.example', null],
    ['/%2e//evil.example', null],
    ['/x/..//evil.example', null],
    ['/x/%2E%2e//evil.example/y', null],
    ['/./\\evil.example', null],
    ['/.\t//evil.example', null],
    ['//localhost:8000//evil.example', null],
    ['//LOCALHOST:8000/..//evil.example', null],
    ['/\\/localhost:8000//evil.example', null],
    ['/account//x?y=//z', '/account//x?y=//z'],
    ['https://app.example.com.evil.example/', null],
    ['https://app.example.com@evil.example/', null],
    ['https://user@app.example.com/', null],
    ['https://app.example.com:8443/', null],
    ['http://app.example.com/', null],
    ['javascript:alert(1)', null],
    ['data:text/html,x', null],
    ['account', null],
    ['http://localhost:8000/account', null],
    ['', null],
  ])('lead to return_to %j after the sign-in: %j', async (given, expected) => {
    const { text } = await app.client.get(`/login?return_to=${encodeURIComponent(given)}`, HTML);
    expect(siteOf(text)['returnTo']).toBe(expected);
  });

  it('take a return_to that is repeated or too long as none', async () => {
    for (const query of ['return_to=/a&return_to=/b', `return_to=/${'a'.repeat(2_000)}`]) {
      const { text, status } = await app.client.get(`/login?${query}`, HTML);
      expect({ status, target: siteOf(text)['returnTo'] }).toEqual({ status: 200, target: null });
    }
  });

  it('of earlier mails redirect, so that browsers keep the token in the fragment', async () => {
    const places = ['verify-email', 'change-email', 'reset-password', 'password'].map(async (name) => {
      const { status, headers } = await app.client.get(`/account/${name}`, HTML);
      return [status, headers['location']];
    });
    expect(await Promise.all(places)).toEqual([
      [302, '/verify-email'],
      [302, '/verify-email?change'],
      [302, '/reset-password'],
      [302, '/forgot'],
    ]);
  });

  it('serve the files of the build for a year, and nothing beside them', async () => {
    const { text } = await app.client.get('/login', HTML);
    const [, script = ''] = /src="(\/assets\/[^"]+)"/.exec(text) ?? [];
    const { headers } = await app.client.get(script, { accept: '*/*' });
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(headers['ratelimit']).toBeUndefined();
    for (const path of [
      '/assets/',
      '/assets/.vite/manifest.json',
      '/assets/../package.json',
      '/assets/%2e%2e/built-from',
    ])
      expect((await app.client.get(path, { accept: '*/*' })).status).toBe(404);
  });

  it('know the strategy and the policy that run', async () => {
    const { text } = await app.client.get('/', HTML);
    expect(siteOf(text)).toEqual({
      brand: 'Traffy',
      logo: null,
      strategy: 'session',
      host: 'localhost',
      passwordMin: 15,
      verifiesEmail: false,
      docs: true,
      development: true,
      isForbidden: false,
      returnTo: null,
    });
  });
});

describe('well-known documents', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({
      env: { PUBLIC_URL: 'https://auth.example.com', SECURITY_CONTACT: 'mailto:security@example.com' },
    });
  });
  afterAll(() => app.close());

  it('name the pages for passkeys, readable from any origin', async () => {
    const path = '/.well-known/passkey-endpoints';
    const { status, headers, body } = await app.client.get(path, { origin: 'https://manager.example' });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/json/),
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    const url = 'https://auth.example.com/account#passkeys';
    expect(body).toEqual({ enroll: url, manage: url });
  });

  it('lead to the page that changes the password, and 404 for a path that cannot exist', async () => {
    const { status, headers } = await app.client.get('/.well-known/change-password', HTML);
    expect([status, headers['location']]).toEqual([302, '/account#password']);
    // https://w3c.github.io/webappsec-change-password-url/#semantics
    const probe = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200';
    for (const accept of ['*/*', HTML.accept])
      expect((await app.client.get(probe, { accept })).status).toBe(404);
  });

  it('say in HTML that a page does not exist, to browsers alone', async () => {
    const get = (accept: string, more = {}) => app.client.get('/no-such-page', { accept, ...more });
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const page = await get(browser);
    expect([page.status, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(page.headers['cache-control']).toBe('no-store');
    expect(page.text).toContain('<h1>Page not found</h1>');
    expect(page.text).toContain('href="/"');
    expect((await get(browser, { 'accept-language': 'de' })).text).toContain('<html lang="de">');
    for (const accept of ['*/*', '', 'application/json, text/html;q=0.9'])
      expectProblem(await get(accept), 'not_found');
    // A route that exists answers as before.
    expectProblem(
      await app.client.get('/sessions', { accept: `${browser},application/json` }),
      'authentication_required',
    );
  });

  it('name the contact for vulnerabilities, for less than a year', async () => {
    const { status, headers, text } = await app.client.get('/.well-known/security.txt', { accept: '*/*' });
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    const fields = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(': ') as [string, string]);
    expect(fields).toEqual([
      ['Contact', 'mailto:security@example.com'],
      ['Expires', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)],
      ['Preferred-Languages', 'en, de'],
      ['Canonical', 'https://auth.example.com/.well-known/security.txt'],
    ]);
    const days = (Date.parse(Object.fromEntries(fields)['Expires'] ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(30);
    expect(days).toBeLessThan(365);
  });
});

describe('PAGES=off', () => {
  it('leaves no page for passkeys, leads to /forgot for a new password, and has no contact unless set', async () => {
    const app = await startApp({ env: { PAGES: 'off' } });
    const [endpoints, password, contact] = await Promise.all(
      ['passkey-endpoints', 'change-password', 'security.txt'].map((name) =>
        app.client.get(`/.well-known/${name}`, { accept: '*/*' }),
      ),
    );
    expect([endpoints?.status, contact?.status]).toEqual([404, 404]);
    expectProblem(await app.client.get('/no-such-page', { accept: 'text/html,*/*;q=0.8' }), 'not_found');
    expect([password?.status, password?.headers['location']]).toEqual([302, '/forgot']);
    await app.close();
  });

  it('leaves only the pages that mails open', async () => {
    const app = await startApp({ env: { PAGES: 'off' } });
    for (const path of MAILED) expect((await app.client.get(path, HTML)).status).toBe(200);
    const [home, login, signup, account, admin] = await Promise.all(
      OTHERS.map((path) => app.client.get(path)),
    );
    expect([home?.status, login?.status, signup?.status]).toEqual([404, 405, 405]);
    expect([account?.status, admin?.status]).toEqual([404, 404]);
    expect(login?.headers['allow']).toBe('POST');
    expect((await app.client.get('/account/password', HTML)).status).toBe(302);
    await app.close();
  });
});

describe('the brand', () => {
  it('names pages, and allows the origin of its logo', async () => {
    const app = await startApp({
      env: { BRAND_NAME: 'Café & Co', BRAND_LOGO_URL: 'https://cdn.example.com/logo.svg' },
    });
    const { text, headers } = await app.client.get('/login', HTML);
    expect(text).toContain('<title>Café &amp; Co</title>');
    expect(siteOf(text)).toMatchObject({ brand: 'Café & Co', logo: 'https://cdn.example.com/logo.svg' });
    expect(headers['content-security-policy']).toContain("img-src 'self' data: https://cdn.example.com;");
    await app.close();
  });

  it('names the relying party of new passkeys', async () => {
    const app = await startApp({ env: { BRAND_NAME: 'Café & Co' } });
    const { headers } = await Holder.signIn(app);
    const { body } = await app.client.post('/passkeys/registration/options', undefined, headers);
    expect(body['rp']).toEqual({ id: 'localhost', name: 'Café & Co' });
    await app.close();
  });

  it.each([['#3451b2'], ['#ff9c24'], ['#ffff00'], ['#000000'], ['#ffffff'], ['#7f7f7f'], ['#00ff00']])(
    '%s gets shades that are readable in both themes [WCAG 1.4.3]',
    async (color) => {
      const app = await startApp({ env: { BRAND_COLOR: color } });
      const { text, headers } = await app.client.get('/brand.css', { accept: 'text/css' });
      await app.close();
      expect(headers['content-type']).toBe('text/css; charset=utf-8');
      const value = (name: string) => new RegExp(`${name}: (#[0-9a-f]{6});`).exec(text)?.[1] ?? '';
      expect(value('--brand')).toBe(color);
      const pairs = [
        [value('--brand'), value('--brand-on')],
        [value('--brand-dark'), value('--brand-on-dark')],
        ...['#ffffff', '#f6f7f9'].map((surface) => [value('--brand-text'), surface]),
        ...['#181c22', '#0f1216'].map((surface) => [value('--brand-text-dark'), surface]),
      ] as const;
      for (const [one = '', other = ''] of pairs) expect(contrastOf(one, other)).toBeGreaterThanOrEqual(4.5);
    },
  );
});

/** The contrast ratio of WCAG 2.2, computed apart from the code under test. */
function contrastOf(one: string, other: string): number {
  const [a = 0, b = 0] = [one, other].map((color) => {
    const number = Number.parseInt(color.slice(1), 16);
    const [red = 0, green = 0, blue = 0] = [number >> 16, (number >> 8) & 255, number & 255].map((channel) =>
      channel / 255 <= 0.04045 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
