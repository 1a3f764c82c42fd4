import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config/load.config.js';
import { Authenticator } from '../auth/credentials/authenticator.js';
import { RunningStrategy } from '../auth/sessions/running-strategy.js';
import type { Role } from '../platform/http/access.decorators.js';
import { PAGE_ROUTE } from '../platform/http/page-route.js';
import { writeLanguage } from '../platform/http/write-language.js';
import type { Language } from '../texts/language.js';
import { brandCss } from './brand-css.js';
import { BuiltPages } from './built-pages.js';
import { serveControls } from './dev-controls.js';
import { notFoundPage } from './not-found-page.js';
import { pagePolicy } from './page-html.js';
import { pageLanguage } from './page-language.js';
import { sitePageHtml } from './site-page.js';
import { OLD_PAGES, SITE_PAGES, type SitePage } from './site-pages.js';
import { serveWellKnown } from './well-known.js';

/** Bytes of a query that a page reads. */
const QUERY_MAX = 2_000;

interface Viewing {
  readonly language: Language;
  /** `return_to` of the query. */
  readonly query: string | null;
  readonly isForbidden: boolean;
}

/**
 * Serves the pages for people. They are public and precede the guards, but not the rate limit for all requests; the
 * files of the build do not count. Like all replies, pages are not stored and send no referrer.
 */
export function serveSite(app: NestFastifyApplication, config: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  const built = BuiltPages.read();
  const { pages, app: settings } = config;
  const policy = pagePolicy(pages.BRAND_LOGO_URL);
  const authenticator = app.get(Authenticator, { strict: false });
  const running = app.get(RunningStrategy, { strict: false });
  const controls = settings.APP_ENV === 'development' ? BuiltPages.readControls() : null;
  if (controls) serveControls(app, config, controls);
  const badge = controls?.filesFor('badge.tsx');
  const html = (page: SitePage, viewing: Viewing) =>
    sitePageHtml(config, {
      ...viewing,
      strategy: running.value.join(','),
      files: built.filesOf(page.entry, `../texts/${viewing.language}.ts`),
      controls: badge,
    });
  for (const page of SITE_PAGES.filter(({ isMailed }) => isMailed || pages.PAGES))
    fastify.get(page.path, PAGE_ROUTE, async (request, reply) => {
      const { return_to: target } = request.query as Readonly<Record<string, unknown>>;
      const query = typeof target === 'string' && target.length <= QUERY_MAX ? target : null;
      const language = pageLanguage(request.headers);
      const isForbidden = page.role !== undefined && (await lacksRole(authenticator, request, page.role));
      writeLanguage(reply, language);
      return reply
        .code(isForbidden ? 403 : 200)
        .type('text/html; charset=utf-8')
        .header('content-security-policy', policy)
        .send(html(page, { language, query, isForbidden }));
    });
  for (const [path, target] of Object.entries(OLD_PAGES))
    fastify.get(path, PAGE_ROUTE, (_request, reply) => reply.redirect(target, 302));
  if (pages.PAGES) {
    const styles = [...built.filesFor('home/home.page.tsx').styles, '/brand.css'];
    fastify.addHook('onSend', notFoundPage({ brand: pages.BRAND_NAME, policy, styles }));
  }
  serveWellKnown(app, config);
  const css = brandCss(pages.BRAND_COLOR);
  fastify.get('/brand.css', PAGE_ROUTE, (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'no-cache').send(css),
  );
  for (const { path, type, content } of [...built.files(), ...(controls?.files() ?? [])])
    fastify.get(path, PAGE_ROUTE, (_request, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=31536000, immutable').send(content),
    );
}

/**
 * Whether a live session lacks a role. Without one, or while it cannot be decided, the page itself finds out: its calls
 * are refused.
 */
async function lacksRole(
  authenticator: Authenticator,
  request: FastifyRequest,
  role: Role,
): Promise<boolean> {
  const { authorization, cookie } = request.headers;
  try {
    const { live } = await authenticator.read({ authorization, cookie }, { role: null, needsStepUp: false });
    return live !== null && live.role !== role;
  } catch {
    return false;
  }
}
