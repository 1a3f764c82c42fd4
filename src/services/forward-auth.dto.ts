import { unescape } from 'node:querystring';
import type { FastifyRequest } from 'fastify';
import { trimBlanks } from '../platform/http/ascii.js';
import type { LiveSession } from '../auth/sessions/session-state.js';

/** Header fields that identify the signed-in user to the proxy and the application behind it. No personal data. */
export const IDENTITY_HEADERS = {
  'X-Auth-Subject': 'The id of the account: `sub` of access tokens.',
  'X-Auth-Session': 'The id of the session: `sid`.',
  'X-Auth-Time': 'When the user last authenticated, in seconds since 1970: `auth_time`.',
  'X-Auth-Methods': 'The methods as RFC 8176 values, separated by commas: `amr`.',
  'X-Auth-Strategy': 'The strategy that issued at sign-in.',
} as const;

/** Returns the header fields for a session. */
export function identityHeaders(session: LiveSession): Record<keyof typeof IDENTITY_HEADERS, string> {
  return {
    'X-Auth-Subject': session.userId,
    'X-Auth-Session': session.sessionId,
    'X-Auth-Time': String(Math.floor(session.authenticatedAt.getTime() / 1000)),
    'X-Auth-Methods': session.methods.join(','),
    'X-Auth-Strategy': session.strategy,
  };
}

/** A parameter of the query of `/verify` that requires something of the user, in whatever spelling. */
const REQUIREMENT = /[?&;](?:role|scope)s?(?![a-z])/i;

/** Whether a proxy requires more than a sign-in. No such requirement can be checked, so that it must never pass. */
export function hasRequirement({ headers, url }: FastifyRequest): boolean {
  const required = String(headers['x-auth-require'] ?? '');
  return trimBlanks(required) !== '' || REQUIREMENT.test(unescape(url));
}

/** Whether a proxy takes only 200 for an allowed request, as Envoy does. */
export function wants200({ headers }: FastifyRequest): boolean {
  return headers['x-auth-status'] === '200';
}
