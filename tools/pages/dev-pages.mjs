/**
 * `npm run dev:pages [-- --port 5173]`: the pages of src/pages by Vite's development server, with hot reload, on an API
 * that src/pages/mock answers in the browser. No server and no database take part. The functions of src/site write the
 * HTML and its data, from the settings of the environment, such as BRAND_COLOR.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { msw } from 'msw/vite';
import { createServer } from 'vite';
import { PAGE_ENTRIES } from '../../src/pages/entries.ts';

const root = join(import.meta.dirname, '..', '..');
const source = (path) => join(root, 'src', ...path.split('/'));
const { values: given } = parseArgs({ options: { port: { type: 'string', default: '5173' } } });
/** Protects nothing: the settings ask for one. */
const SECRET = randomBytes(32).toString('base64');
/** Allows the styles that Vite puts into the page. */
const NONCE = 'dev-pages';

const server = await createServer({
  configFile: source('pages/vite.config.ts'),
  appType: 'custom',
  html: { cspNonce: NONCE },
  optimizeDeps: {
    entries: [...PAGE_ENTRIES.map((name) => `${name}/${name}.page.tsx`), 'mock/start.ts'],
    include: ['preact', 'preact/hooks', 'preact/jsx-dev-runtime', 'msw/http', 'msw/browser', 'negotiator'],
  },
  server: {
    port: Number(given.port),
    // Nothing else of the clone is public, such as a file with settings.
    fs: { allow: [join(root, 'src'), join(root, 'node_modules')] },
  },
  plugins: [msw({ mode: 'worker-only' }), pages()],
});
const load = (path) => server.environments.ssr.runner.import(path);
try {
  await settings('0');
} catch (error) {
  if (error?.name !== 'ConfigError') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
await server.listen();
process.stdout.write(`Pages on a mocked API: ${server.resolvedUrls.local[0]}\n`);

/** Serves what src/site serves. */
function pages() {
  return {
    name: 'pages',
    configureServer(vite) {
      vite.middlewares.use(async (request, response, next) => {
        try {
          const found = await answer(request);
          if (found) send(response, found);
          else next();
        } catch (error) {
          next(error);
        }
      });
      // After Vite's own: whatever is left does not exist.
      return () =>
        vite.middlewares.use((_request, response) => send(response, { status: 404, body: 'Not found\n' }));
    },
    /** The HTML of the server changes with its sources. */
    hotUpdate({ modules }) {
      if (this.environment.name === 'ssr' && modules.length > 0) server.ws.send({ type: 'full-reload' });
    },
  };
}

function send(response, { status = 200, type = 'text/plain', headers = {}, body = '' }) {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(body);
}

async function answer({ method, url, headers }) {
  if (method !== 'GET' && method !== 'HEAD') return null;
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const { SITE_PAGES, OLD_PAGES } = await load(source('site/site-pages.ts'));
  const page = SITE_PAGES.find(({ path }) => path === pathname);
  if (page) return html(page, url, searchParams, headers);
  if (pathname === '/brand.css') return brand(searchParams.get('color'));
  const moved = OLD_PAGES[pathname];
  return moved ? { status: 302, headers: { location: moved } } : null;
}

async function html({ entry }, url, query, headers) {
  const { sitePageHtml } = await load(source('site/site-page.ts'));
  const { pageLanguage } = await load(source('site/page-language.ts'));
  const config = await settings(portInUse());
  const body = sitePageHtml(config, {
    language: pageLanguage(headers),
    strategy: config.auth.AUTH_STRATEGY.join(','),
    query: query.get('return_to'),
    // The mock knows who is signed in, and says it to the page.
    isForbidden: false,
    files: { script: `/mock/start.ts?page=${entry}`, styles: ['/style.css'], preloads: [] },
  });
  return {
    type: 'text/html',
    headers: { 'content-security-policy': await policy(config) },
    body: await server.transformIndexHtml(url, body),
  };
}

/** The policy of the server, and what Vite needs: its styles, its socket, and its worker that waits for a restart. */
async function policy({ pages: { BRAND_LOGO_URL } }) {
  const { pagePolicy } = await load(source('site/page-html.ts'));
  const served = pagePolicy(BRAND_LOGO_URL)
    .replace("style-src 'self'", `style-src 'self' 'nonce-${NONCE}'`)
    .replace("connect-src 'self'", `connect-src 'self' ws://localhost:${portInUse()}`);
  return `${served}; worker-src 'self' blob:`;
}

async function brand(color) {
  const { brandCss } = await load(source('site/brand-css.ts'));
  const config = await settings(portInUse());
  const isColor = /^#[0-9a-f]{6}$/i.test(color ?? '');
  return { type: 'text/css', body: brandCss(isColor ? color : config.pages.BRAND_COLOR) };
}

const portInUse = () => String(server.httpServer.address().port);

/** The settings of the environment. Secrets take no part: none is read or generated. */
async function settings(port) {
  const { loadConfig } = await load(join(root, 'config', 'load.config.ts'));
  const env = Object.entries(process.env).filter(([name]) => !name.endsWith('_FILE'));
  return loadConfig({
    ...Object.fromEntries(env),
    APP_ENV: 'development',
    PORT: port,
    AUTH_SECRETS: SECRET,
  });
}
