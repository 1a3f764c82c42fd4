import type { ProblemCode } from './problem.catalogue.js';
import { Problem } from './problem.js';

/** The OAuth 2.0 error codes in use (RFC 6749 §5.2; the last two from §4.1.2.1). */
export const OAUTH_ERROR_CODES = [
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'temporarily_unavailable',
  'server_error',
] as const;
type OAuthErrorCode = (typeof OAUTH_ERROR_CODES)[number];

/** The body of an OAuth 2.0 error (RFC 6749 §5.2). */
export interface OAuthError {
  readonly error: OAuthErrorCode;
  readonly error_description: string;
}

/** Characters that RFC 6749 forbids in a description. */
const FORBIDDEN = /[^\x20-\x7E]|["\\]/g;

/**
 * Converts a problem to an OAuth 2.0 error. The status stays: RFC 6749 §5.2 asks for 400 unless specified otherwise,
 * and HTTP specifies otherwise for a body that is too large or an exceeded quota.
 */
export function oauthError({ code, status, message }: Problem): OAuthError {
  return { error: errorCode(code, status), error_description: message.replaceAll(FORBIDDEN, "'") };
}

function errorCode(code: ProblemCode, status: number): OAuthErrorCode {
  if (code === 'invalid_client' || code === 'unauthorized_client') return code;
  if (status === 429 || status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request';
}
