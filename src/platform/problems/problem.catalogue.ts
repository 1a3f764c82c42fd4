import { DEFAULT_LANGUAGE, type Language, textsIn } from '../../texts/language.js';

/** What a client can do about a 401. */
export type Action = 'login' | 'refresh' | 'step_up';

interface CatalogueEntry {
  readonly status: number;
  /** When it occurs and what to do, for docs/errors.md. */
  readonly meaning: string;
  readonly action?: Action;
}

/**
 * Every error code. Codes are stable: clients branch on them. Their titles are in src/texts. docs/errors.md is
 * generated from this table.
 */
export const PROBLEMS = {
  validation_failed: {
    status: 400,
    meaning:
      'A field is missing, unknown, of the wrong type or out of bounds. `errors` lists each with its `path`.',
  },
  malformed_body: {
    status: 400,
    meaning:
      'The body is not JSON in UTF-8, contains a forbidden key such as `__proto__`, or is not a form where one is expected.',
  },
  malformed_request: {
    status: 400,
    meaning: 'The URL or the HTTP message cannot be parsed.',
  },
  weak_password: {
    status: 400,
    meaning:
      'Too short, common, easy to guess, leaked, unchanged, or made of the service name or the e-mail address. `errors` lists all reasons, each with its `reason`, which is stable; the member `reason` is the first. `feedback` can suggest improvements.',
  },
  totp_code_wrong: {
    status: 400,
    meaning:
      'The code is not the current one of the new secret, or there were too many attempts. Check the clock of the device.',
  },
  token_invalid: {
    status: 400,
    meaning:
      'The mailed token is unknown, used, expired, or replaced by a newer one. Request another e-mail.',
  },
  passkey_not_accepted: {
    status: 400,
    meaning:
      'The registration response of the browser is not valid. `errors` says why. Request new options with `POST /passkeys/registration/options`.',
  },
  conflicting_credentials: {
    status: 400,
    meaning: 'Two live credentials belong to different accounts. Send one.',
  },
  unauthorized_client: {
    status: 400,
    meaning:
      'At `/introspect` and `/revoke` only, as `error` (RFC 6749): the service client does not have this permission.',
  },
  authentication_required: {
    status: 401,
    meaning: 'The request carries no credential.',
    action: 'login',
  },
  credential_invalid: {
    status: 401,
    meaning: 'The cookie or token is unknown, damaged, or of a kind that is not accepted here.',
    action: 'login',
  },
  credential_expired: {
    status: 401,
    meaning: 'The access token has expired (`action` is `refresh`), or the session has (`login`).',
  },
  credential_revoked: {
    status: 401,
    meaning: 'The session of the credential was signed out or revoked.',
    action: 'login',
  },
  invalid_credentials: {
    status: 401,
    meaning: 'Sign-in failed. The answer is the same for every reason.',
    action: 'login',
  },
  passkey_refused: {
    status: 401,
    meaning:
      'Sign-in with a passkey failed: the challenge expired or was used, the passkey is unknown, or it did not verify its user. The answer is the same for every reason.',
    action: 'login',
  },
  mfa_required: {
    status: 401,
    meaning:
      'The password is correct, and the account has a second factor. Send one of `factors` with the `mfa_token` to `POST /mfa`.',
    action: 'login',
  },
  mfa_token_invalid: {
    status: 401,
    meaning:
      'The `mfa_token` is unknown, expired, used, or had too many attempts, or the account has changed. Call `POST /login` again.',
    action: 'login',
  },
  mfa_failed: {
    status: 401,
    meaning:
      'The code or passkey is wrong or was used before, or there were too many attempts. An `mfa_token` allows five attempts.',
    action: 'login',
  },
  password_change_required: {
    status: 401,
    meaning:
      'The password is correct, but known to be compromised. Request a link with `POST /password/forgot` and choose a new password.',
    action: 'login',
  },
  step_up_required: {
    status: 401,
    meaning:
      'The call is sensitive, and `auth_time` is older than STEP_UP_TTL. Call `POST /reauthenticate`, then repeat the call.',
    action: 'step_up',
  },
  refresh_invalid: {
    status: 401,
    meaning: 'The refresh token is missing or unknown, or the `jwt` strategy is not accepted here.',
    action: 'login',
  },
  refresh_expired: {
    status: 401,
    meaning: 'The session of the refresh token reached its idle or absolute limit.',
    action: 'login',
  },
  refresh_revoked: {
    status: 401,
    meaning: 'The session of the refresh token was signed out or revoked.',
    action: 'login',
  },
  refresh_reused: {
    status: 401,
    meaning:
      'A replaced token was used after the grace period. The session was ended, because an attacker may have the token.',
    action: 'login',
  },
  invalid_client: {
    status: 401,
    meaning:
      'At `/introspect` and `/revoke` only, as `error` (RFC 6749): no service client, an unknown one, or a wrong secret.',
  },
  cross_site_request: {
    status: 403,
    meaning:
      'An unsafe request with cookies must come from this origin or from one in TRUSTED_ORIGINS. `detail` names the failed check.',
  },
  current_password_wrong: {
    status: 403,
    meaning:
      'Nothing was changed, and the session continues. Too many attempts get the same answer. Without `current_password`, a recent re-authentication is enough.',
  },
  reauthentication_failed: {
    status: 403,
    meaning:
      'The password or factor is wrong or was used before, or there were too many attempts. The session continues unchanged.',
  },
  factor_required: {
    status: 403,
    meaning: 'The account has a second factor: send the password and one of `factors` together.',
  },
  forbidden: {
    status: 403,
    meaning: 'The account does not have the role that this call needs.',
  },
  unsupported_requirement: {
    status: 403,
    meaning:
      'At `/verify`, `X-Auth-Require` or the query requires more than a sign-in, and this version cannot check it. Correct the configuration of the proxy.',
  },
  not_found: {
    status: 404,
    meaning: 'The resource does not exist, or belongs to another user.',
  },
  method_not_allowed: {
    status: 405,
    meaning: 'The path does not support this method. The `Allow` header lists the supported ones.',
  },
  not_acceptable: {
    status: 406,
    meaning: 'The `Accept` header excludes JSON.',
  },
  request_timeout: {
    status: 408,
    meaning: 'The request did not arrive completely in time.',
  },
  email_taken: {
    status: 409,
    meaning: 'The address, or another spelling of it, belongs to an account.',
  },
  last_admin: {
    status: 409,
    meaning: 'The account is the only active administrator. Make another user an administrator first.',
  },
  totp_not_started: {
    status: 409,
    meaning: 'Call `POST /totp` first. Its secret is valid for one hour, or until the next call.',
  },
  no_second_factor: {
    status: 409,
    meaning: 'Recovery codes replace a second factor. Add an authenticator app or a passkey first.',
  },
  passkey_exists: {
    status: 409,
    meaning: 'The passkey belongs to this account or to another one.',
  },
  last_login_method: {
    status: 409,
    meaning:
      'The account has no password, and this is its only passkey. Add another passkey or set a password first.',
  },
  limit_reached: {
    status: 409,
    meaning: 'The account has reached the limit that `detail` names. Remove one first.',
  },
  body_too_large: {
    status: 413,
    meaning: 'A body can have at most 16 KiB.',
  },
  uri_too_long: {
    status: 414,
    meaning: 'A part of the URL exceeds the limit.',
  },
  unsupported_media_type: {
    status: 415,
    meaning:
      'Bodies must be `application/json`, in UTF-8, without a content encoding; forms at `/introspect` and `/revoke`.',
  },
  expectation_failed: {
    status: 417,
    meaning: 'The `Expect` header has a value other than `100-continue`.',
  },
  rate_limited: {
    status: 429,
    meaning:
      'The client network exceeded a quota. `Retry-After` gives the seconds to wait, `violated-policies` the quota.',
  },
  headers_too_large: {
    status: 431,
    meaning: 'The header fields together exceed 16 KiB.',
  },
  internal_error: {
    status: 500,
    meaning: 'A fault of the service. Find it in the log by the `request_id`.',
  },
  transfer_coding_not_implemented: {
    status: 501,
    meaning: 'The `Transfer-Encoding` header has a value other than `chunked`.',
  },
  service_unavailable: {
    status: 503,
    meaning: 'The database does not answer. Retry after `Retry-After` seconds.',
  },
  breach_check_unavailable: {
    status: 503,
    meaning:
      'The breached-password service does not answer, and BREACHED_PASSWORDS_UNAVAILABLE is `refuse`. Retry after `Retry-After` seconds.',
  },
  overloaded: {
    status: 503,
    meaning: 'Too many sign-ins are waiting. Retry after `Retry-After` seconds.',
  },
  not_ready: {
    status: 503,
    meaning: 'A check of `/health/ready` fails; `checks` says which.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Returns the entry of a code. */
export function problemEntry(code: ProblemCode): CatalogueEntry {
  return PROBLEMS[code];
}

/** The title of a code, the same for every occurrence (RFC 9457 §3.1.3). */
export function problemTitle(code: ProblemCode, language: Language = DEFAULT_LANGUAGE): string {
  return textsIn(language).problems.titles[code];
}

/** Returns the stable `type` of a code (RFC 9457 §3.1.1). The URI is a name; nothing is served there. */
export function problemType(code: ProblemCode): string {
  // Registered for exceeded quotas by the RateLimit header fields draft.
  if (code === 'rate_limited') return 'https://iana.org/assignments/http-problem-types#quota-exceeded';
  return `urn:problem-type:traffy:${code}`;
}
