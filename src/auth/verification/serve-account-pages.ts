import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  ACCOUNT_PAGE_CSS,
  ACCOUNT_PAGE_POLICY,
  ACCOUNT_PAGE_SCRIPT,
  ACCOUNT_PAGES,
  accountPageHtml,
} from './account-pages.js';

/**
 * Serves the pages that mails lead to. They are public and stand before the guards, though not before the rate limit
 * for all requests. Like every reply they are not stored, and send no referrer.
 */
export function serveAccountPages(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  const files = [
    ...ACCOUNT_PAGES.map((page) => ({
      path: page.path,
      type: 'text/html; charset=utf-8',
      content: accountPageHtml(page),
    })),
    { path: '/account/page.css', type: 'text/css; charset=utf-8', content: ACCOUNT_PAGE_CSS },
    { path: '/account/page.js', type: 'text/javascript; charset=utf-8', content: ACCOUNT_PAGE_SCRIPT },
  ];
  for (const { path, type, content } of files)
    fastify.get(path, (_request, reply) =>
      reply.type(type).header('content-security-policy', ACCOUNT_PAGE_POLICY).send(content),
    );
}
