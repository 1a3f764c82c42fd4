import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type AppConfig, trustedOrigins } from '../../../config/app.config.js';
import { APP_CONFIG } from '../../../config/tokens.config.js';
import { Problem } from '../problems/problem.js';
import { isOAuthRequest } from './oauth-endpoints.js';

/** Maximum length of a header value that is repeated in a log or a response. */
const QUOTED_MAX = 100;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses unsafe requests that a page of another site caused (cross-site request forgery, sign-in included). Every
 * current browser sends `Sec-Fetch-Site`, or at least `Origin`, with such a request; a client that sends neither is
 * no browser. docs/adr/0004 explains why no token is needed.
 */
@Injectable()
export class CrossSiteGuard implements CanActivate {
  private readonly trusted: ReadonlySet<string>;

  constructor(@Inject(APP_CONFIG) config: AppConfig) {
    this.trusted = new Set(trustedOrigins(config));
  }

  canActivate(context: ExecutionContext): boolean {
    this.check(context.switchToHttp().getRequest<FastifyRequest>());
    return true;
  }

  /** @throws Problem */
  check(request: FastifyRequest): void {
    if (SAFE_METHODS.has(request.method)) return;
    const { authorization, cookie, origin } = request.headers;
    // A page cannot make a browser add Authorization, and without a cookie no credential is sent automatically. The
    // exception is Basic: browsers remember and send it.
    if (authorization !== undefined && cookie === undefined && !isOAuthRequest(request)) return;
    const site = request.headers['sec-fetch-site'];
    if (site === undefined && origin === undefined) return;
    if (site === 'same-origin' || site === 'none') return;
    if (origin !== undefined && this.trusted.has(origin)) return;
    request.log.warn({
      event: 'cross_site_request',
      origin: origin?.slice(0, QUOTED_MAX),
      site: String(site).slice(0, QUOTED_MAX),
      ip: request.clientAddress,
    });
    throw new Problem('cross_site_request', {
      detail: origin
        ? `The Origin ${JSON.stringify(origin.slice(0, QUOTED_MAX))} is not in TRUSTED_ORIGINS.`
        : 'Sec-Fetch-Site is neither same-origin nor none.',
    });
  }
}
