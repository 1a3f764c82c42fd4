import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AppConfig } from '../../config/app.config.js';
import { APP_CONFIG } from '../../config/tokens.config.js';
import { Problem } from '../problems/problem.js';
import { isOAuthRequest } from './oauth-endpoints.js';

/** Characters of a header field that are repeated, in a log or in an answer. */
const QUOTED_MAX = 100;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses unsafe requests that a page of another site made a browser send (cross-site request forgery, login
 * included). Every current browser sends `Sec-Fetch-Site`, or at least `Origin`, on such a request; what sends
 * neither is no browser. docs/adr/0004 says why there is no token.
 */
@Injectable()
export class CrossSiteGuard implements CanActivate {
  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (SAFE_METHODS.has(request.method)) return true;
    const { authorization, cookie, origin } = request.headers;
    // A page cannot make a browser add Authorization by itself, and without a cookie nothing rides along. But names and
    // passwords of Basic, which a person typed in once, a browser does add.
    if (authorization !== undefined && cookie === undefined && !isOAuthRequest(request)) return true;
    const site = request.headers['sec-fetch-site'];
    if (site === undefined && origin === undefined) return true;
    if (site === 'same-origin' || site === 'none') return true;
    if (origin !== undefined && this.config.TRUSTED_ORIGINS.includes(origin)) return true;
    request.log.warn({
      event: 'cross_site_request',
      origin: origin?.slice(0, QUOTED_MAX),
      site: String(site).slice(0, QUOTED_MAX),
      ip: request.ip,
    });
    throw new Problem('cross_site_request', {
      detail: origin
        ? `The Origin ${JSON.stringify(origin.slice(0, QUOTED_MAX))} is not in TRUSTED_ORIGINS.`
        : 'Sec-Fetch-Site is neither same-origin nor none.',
    });
  }
}
