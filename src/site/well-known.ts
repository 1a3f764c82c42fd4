import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '../../config/load.config.js';
import { PAGE_ROUTE } from '../platform/http/page-route.js';
import { LANGUAGES } from '../texts/language.js';

const DAY = 86_400_000;
/** How long a copy of security.txt counts: RFC 9116 §2.5.5 recommends less than a year. */
const CONTACT_DAYS = 180;
const SECURITY_TXT = '/.well-known/security.txt';

/** Serves the documents by which password managers and researchers find a page or an address. */
export function serveWellKnown(app: NestFastifyApplication, { pages, app: { PUBLIC_URL } }: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  // https://w3c.github.io/webappsec-change-password-url/
  fastify.get('/.well-known/change-password', PAGE_ROUTE, (_request, reply) =>
    reply.redirect(pages.PAGES ? '/account#password' : '/forgot', 302),
  );
  if (pages.PAGES) {
    // https://w3c.github.io/webappsec-passkey-endpoints/
    const url = `${PUBLIC_URL}/account#passkeys`;
    const endpoints = JSON.stringify({ enroll: url, manage: url });
    fastify.get('/.well-known/passkey-endpoints', PAGE_ROUTE, (_request, reply) =>
      reply.type('application/json').header('cross-origin-resource-policy', 'cross-origin').send(endpoints),
    );
  }
  const contact = pages.SECURITY_CONTACT;
  if (contact === undefined) return;
  fastify.get(SECURITY_TXT, PAGE_ROUTE, (_request, reply) => {
    const expires = new Date(Date.now() + CONTACT_DAYS * DAY).toISOString();
    const fields = {
      Contact: contact,
      Expires: `${expires.slice(0, 19)}Z`,
      'Preferred-Languages': LANGUAGES.join(', '),
      Canonical: `${PUBLIC_URL}${SECURITY_TXT}`,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
    return reply.type('text/plain; charset=utf-8').send(lines.join(''));
  });
}
