import type { FastifyRequest } from 'fastify';
import { pathOf } from './ascii.js';

/**
 * The endpoints that follow OAuth 2.0 (RFC 7662, RFC 7009) instead of our own rules: form bodies, errors of RFC 6749,
 * client authentication, and no cookies.
 */
export const OAUTH_ENDPOINTS = { introspection: '/introspect', revocation: '/revoke' } as const;

const PATHS: ReadonlySet<string> = new Set(Object.values(OAUTH_ENDPOINTS));

/** @param path a route, without a query. */
export function isOAuthPath(path: string): boolean {
  return PATHS.has(path);
}

/** Whether a request is for such an endpoint, whatever its method. */
export function isOAuthRequest({ routeOptions, url }: FastifyRequest): boolean {
  return isOAuthPath(routeOptions.url ?? pathOf(url));
}
