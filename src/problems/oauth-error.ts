import type { ProblemCode } from './problem.catalogue.js';
import { Problem } from './problem.js';

/** The error codes of OAuth 2.0 that are used here (RFC 6749 §5.2; the last two are of §4.1.2.1). */
export const OAUTH_ERROR_CODES = [
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'temporarily_unavailable',
  'server_error',
] as const;
export type OAuthErrorCode = (typeof OAUTH_ERROR_CODES)[number];

/** The body of an error of OAuth 2.0 (RFC 6749 §5.2). */
export interface OAuthError {
  readonly error: OAuthErrorCode;
  readonly error_description: string;
}

/** What may not stand in a description: all but printable ASCII, and of that quotation marks and backslashes. */
const FORBIDDEN = /[^\x20-\x7E]|["\\]/g;

/**
 * A problem as OAuth 2.0 says it. The status is the problem's own: RFC 6749 §5.2 asks for 400 unless specified
 * otherwise, and for a body that is too large or a quota that is used up HTTP does specify otherwise.
 */
export function oauthError({ code, status, message }: Problem): OAuthError {
  return { error: errorCode(code, status), error_description: message.replaceAll(FORBIDDEN, "'") };
}

function errorCode(code: ProblemCode, status: number): OAuthErrorCode {
  if (code === 'invalid_client' || code === 'unauthorized_client') return code;
  if (status === 429 || status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request';
}
