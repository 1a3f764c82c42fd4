import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AppConfig, trustedOrigins } from '../../../config/app.config.js';
import { pathOf } from './ascii.js';
import { FORWARD_AUTH_PATH } from './forward-auth-path.js';

type CorsOptions = NonNullable<Parameters<NestFastifyApplication['enableCors']>[0]>;

/** Documents for everyone, which contain nothing of a user: pages of any origin can read them, without credentials. */
const PUBLIC_DOCUMENTS: ReadonlySet<string> = new Set([
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/passkey-endpoints',
  '/.well-known/revocations',
]);

/** Maximum length of an origin in a log line. */
const LOGGED_MAX = 100;

const COMMON: CorsOptions = {
  exposedHeaders: [
    'etag',
    'ratelimit',
    'ratelimit-policy',
    'retry-after',
    'www-authenticate',
    'x-request-id',
  ],
  maxAge: 600,
  // A preflight counts for the rate limit like any request, and is answered after that.
  preflightContinue: true,
  strictPreflight: false,
};

const REFUSED: CorsOptions = { origin: false };

/**
 * Lets pages read replies across origins: of the trusted origins with credentials, by an exact list; of all origins
 * only the public documents. A refused origin is logged, because its developer sees no more than a failed request.
 */
export function allowOrigins(app: NestFastifyApplication, config: AppConfig): void {
  const trusted = new Set(trustedOrigins(config));
  const ofTrusted: CorsOptions = {
    ...COMMON,
    origin: [...trusted],
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [...config.CORS_HEADERS],
  };
  const ofPublic: CorsOptions = {
    ...COMMON,
    origin: '*',
    methods: ['GET', 'HEAD'],
    allowedHeaders: [...new Set([...config.CORS_HEADERS, 'if-none-match'])],
  };
  app.enableCors({
    delegator: (request, done) => {
      done(null, optionsFor(request));
    },
  });
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (_request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    if (reply.hasHeader('access-control-allow-methods')) reply.code(204);
    done();
  });

  function optionsFor(request: FastifyRequest): CorsOptions {
    const { origin } = request.headers;
    // Any other OPTIONS request is handled like any other method.
    if (request.method === 'OPTIONS' && !isPreflight(request)) return REFUSED;
    const path = pathOf(request.url);
    if (PUBLIC_DOCUMENTS.has(path)) return ofPublic;
    // The request belongs to the application behind the proxy.
    if (origin === undefined || path === FORWARD_AUTH_PATH) return REFUSED;
    if (trusted.has(origin)) return ofTrusted;
    logRefusal(request, origin);
    return REFUSED;
  }
}

function isPreflight({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

/** CrossSiteGuard logs refused requests that change something. */
function logRefusal(request: FastifyRequest, origin: string): void {
  const site = request.headers['sec-fetch-site'];
  if (!['GET', 'HEAD', 'OPTIONS'].includes(request.method) || site === 'same-origin' || site === 'none')
    return;
  request.log.warn(
    { event: 'origin_refused', origin: origin.slice(0, LOGGED_MAX), ip: request.clientAddress },
    'A page of an origin that is not in TRUSTED_ORIGINS cannot read the reply (CORS)',
  );
}
