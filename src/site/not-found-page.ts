import type { DoneFuncWithErrOrRes, FastifyReply, FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { textsIn } from '../texts/language.js';
import { escapeHtml } from './page-html.js';
import { pageLanguage } from './page-language.js';

interface NotFound {
  readonly brand: string;
  readonly policy: string;
  readonly styles: readonly string[];
}

/** Whether a browser asks for an address that does not exist. Programs accept JSON as well as HTML. */
function isLostBrowser(
  { is404, headers: { accept } }: FastifyRequest,
  { statusCode }: FastifyReply,
): boolean {
  if (statusCode !== 404 || !is404 || accept === undefined) return false;
  const [best] = new Negotiator({ headers: { accept } }).mediaTypes(['application/json', 'text/html']);
  return best === 'text/html';
}

/**
 * A hook that replaces the problem of a missing route with a page, where the client prefers HTML. It runs for every
 * reply, and so without a promise.
 */
export function notFoundPage({ brand, policy, styles }: NotFound) {
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: DoneFuncWithErrOrRes,
  ): void => {
    if (!isLostBrowser(request, reply)) return done(null, payload);
    const language = pageLanguage(request.headers);
    const { title, says, home } = textsIn(language).pages.notFound;
    void reply
      .header('content-language', language)
      .type('text/html; charset=utf-8')
      .header('content-security-policy', policy);
    reply.removeHeader('content-length');
    const html = `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(`${title} – ${brand}`)}</title>
<link rel="icon" href="data:,">
${styles.map((href) => `<link rel="stylesheet" href="${href}">`).join('\n')}
</head>
<body>
<main>
<section class="card">
<h1>${title}</h1>
<p>${says}</p>
<a class="button primary" href="/">${home}</a>
</section>
</main>
</body>
</html>
`;
    return done(null, html);
  };
}
