import { TokenRefused, type RefusalCode, type Undecided } from './verify.errors.js';

export interface ProblemReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Title {
  readonly code: string;
  readonly title: string;
}

/** The codes of the issuer itself: a client needs to know only one set. */
const INVALID: Title = { code: 'credential_invalid', title: 'The credential is not valid' };
const TITLES: Readonly<Partial<Record<RefusalCode, Title>>> = {
  missing: { code: 'authentication_required', title: 'Sign-in is required' },
  expired: { code: 'credential_expired', title: 'The credential has expired' },
  revoked: { code: 'credential_revoked', title: 'The session has ended' },
};
const UNDECIDED: Title = { code: 'service_unavailable', title: 'Temporarily unavailable' };

/** The HTTP reply to a refusal: a problem (RFC 9457), with a challenge (RFC 6750) or a `Retry-After`. */
export function problemReply(error: TokenRefused | Undecided): ProblemReply {
  const isVerdict = error instanceof TokenRefused;
  const { code, title } = isVerdict ? (TITLES[error.code] ?? INVALID) : UNDECIDED;
  return {
    status: error.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(isVerdict
        ? { 'www-authenticate': error.wwwAuthenticate }
        : { 'retry-after': String(error.retryAfter) }),
    },
    body: JSON.stringify({
      type: `urn:problem-type:traffy:${code}`,
      title,
      status: error.status,
      detail: isVerdict
        ? // Safe text: the messages are our own.
          `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`
        : 'The token cannot be verified at the moment. Try again.',
      code,
      ...(isVerdict && { action: error.action }),
    }),
  };
}
