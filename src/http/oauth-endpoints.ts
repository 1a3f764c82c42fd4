import type { FastifyRequest } from 'fastify';

/**
 * The endpoints that speak OAuth 2.0 with other services (RFC 7662, RFC 7009) instead of our own rules: bodies are
 * forms, errors are those of RFC 6749, the client authenticates itself, and cookies are not looked at.
 */
export const OAUTH_ENDPOINTS = { introspection: '/introspect', revocation: '/revoke' } as const;

const PATHS: ReadonlySet<string> = new Set(Object.values(OAUTH_ENDPOINTS));

/** @param path a route, without a query. */
export function isOAuthPath(path: string): boolean {
  return PATHS.has(path);
}

/** Whether a request is for such an endpoint, also by a method that it does not have. */
export function isOAuthRequest({ routeOptions, url }: FastifyRequest): boolean {
  return isOAuthPath(routeOptions.url ?? url.split('?', 1)[0] ?? '');
}
