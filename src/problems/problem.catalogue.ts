/** What a client can do about a 401. */
export type Action = 'login' | 'refresh' | 'step_up';

interface CatalogueEntry {
  readonly status: number;
  /** The same for every occurrence (RFC 9457 §3.1.3). */
  readonly title: string;
  /** When it happens and what to do, for docs/errors.md. */
  readonly meaning: string;
  readonly action?: Action;
}

/**
 * Every error code there is. Codes are stable: clients branch on them. docs/errors.md is checked against this.
 */
export const PROBLEMS = {
  validation_failed: {
    status: 400,
    title: 'The request is not valid',
    meaning:
      'A field is missing, unknown, of the wrong type or out of bounds. `errors` lists each with its `path`.',
  },
  malformed_body: {
    status: 400,
    title: 'The body is not valid JSON',
    meaning:
      'The body is not JSON in UTF-8, or holds a forbidden key such as `__proto__`; where a form is expected, it is none.',
  },
  malformed_request: {
    status: 400,
    title: 'The request is malformed',
    meaning: 'The URL or the HTTP message itself cannot be understood.',
  },
  weak_password: {
    status: 400,
    title: 'The password is too weak',
    meaning:
      'Too short, common, leaked, or made of the service name or the e-mail address. `reason` says which; `feedback` may say what would be better.',
  },
  totp_code_wrong: {
    status: 400,
    title: 'The code is wrong',
    meaning:
      'It is not what an authenticator app with the new secret shows now, or too many were tried. The app’s clock may be off.',
  },
  token_invalid: {
    status: 400,
    title: 'The link is not valid',
    meaning:
      'The token of a mail is unknown, was used, ran out, or was superseded by a later one. Ask for another mail.',
  },
  passkey_not_accepted: {
    status: 400,
    title: 'The passkey cannot be added',
    meaning:
      'What the browser made is not what was asked for. `errors` says why; ask for options again with `POST /passkeys/registration/options`.',
  },
  conflicting_credentials: {
    status: 400,
    title: 'The request carries credentials of different people',
    meaning: 'Two live credentials belong to different accounts. Send one.',
  },
  unauthorized_client: {
    status: 400,
    title: 'The client may not do this',
    meaning:
      'Only at `/introspect` and `/revoke`, as `error` (RFC 6749): the service client was added without this permission.',
  },
  authentication_required: {
    status: 401,
    title: 'Sign-in is required',
    meaning: 'The request carries no credential.',
    action: 'login',
  },
  credential_invalid: {
    status: 401,
    title: 'The credential is not valid',
    meaning: 'The cookie or token is not one of ours, is damaged, or is of a kind that is not accepted here.',
    action: 'login',
  },
  credential_expired: {
    status: 401,
    title: 'The credential has expired',
    meaning: 'An access token ran out (`action` is `refresh`), or the session did (`login`).',
  },
  credential_revoked: {
    status: 401,
    title: 'The session has ended',
    meaning: 'The session behind the credential was signed out or revoked.',
    action: 'login',
  },
  invalid_credentials: {
    status: 401,
    title: 'E-mail address or password is wrong',
    meaning: 'Sign-in failed. It is the same answer whatever was wrong.',
    action: 'login',
  },
  passkey_refused: {
    status: 401,
    title: 'The passkey was refused',
    meaning:
      'Sign-in with a passkey failed: an answer that came too late or twice, a passkey that is not known, or one that did not verify its user. It is the same answer whatever was wrong.',
    action: 'login',
  },
  mfa_required: {
    status: 401,
    title: 'A second factor is required',
    meaning:
      'The password is right, and the account has a second factor. Send one of `factors` with the `mfa_token` to `POST /mfa`.',
    action: 'login',
  },
  mfa_token_invalid: {
    status: 401,
    title: 'The sign-in must begin anew',
    meaning:
      'The `mfa_token` is not one of ours, ran out, was used up or tried too often, or the account has changed since. `POST /login` again.',
    action: 'login',
  },
  mfa_failed: {
    status: 401,
    title: 'The second factor is wrong',
    meaning:
      'The code or credential is wrong, was used before, or too many were tried. The `mfa_token` can be tried again, five times in all.',
    action: 'login',
  },
  password_change_required: {
    status: 401,
    title: 'The password must be changed',
    meaning:
      'The password is right, but counts as known to others. Ask for a link with `POST /password/forgot` and choose another.',
    action: 'login',
  },
  step_up_required: {
    status: 401,
    title: 'A fresh sign-in is required',
    meaning:
      'The call changes something sensitive, and the last proof of who you are is older than STEP_UP_TTL. `POST /reauthenticate`, then repeat it.',
    action: 'step_up',
  },
  refresh_invalid: {
    status: 401,
    title: 'The refresh token is not valid',
    meaning: 'No refresh token, not one of ours, or the `jwt` strategy is not accepted here.',
    action: 'login',
  },
  refresh_expired: {
    status: 401,
    title: 'The session has expired',
    meaning: 'The session that the refresh token belongs to reached its idle or absolute limit.',
    action: 'login',
  },
  refresh_revoked: {
    status: 401,
    title: 'The session has ended',
    meaning: 'The session that the refresh token belongs to was signed out or revoked.',
    action: 'login',
  },
  refresh_reused: {
    status: 401,
    title: 'The refresh token was used before',
    meaning:
      'A token that was replaced came back after the grace time: the session was ended, because a thief may hold it.',
    action: 'login',
  },
  invalid_client: {
    status: 401,
    title: 'The client is not authenticated',
    meaning:
      'Only at `/introspect` and `/revoke`, as `error` (RFC 6749): no service client, an unknown one, or a wrong secret.',
  },
  cross_site_request: {
    status: 403,
    title: 'The request comes from another site',
    meaning:
      'An unsafe request with cookies must come from this origin or from one in TRUSTED_ORIGINS. `detail` names the failed check.',
  },
  current_password_wrong: {
    status: 403,
    title: 'The current password is wrong',
    meaning:
      'Nothing was changed, and the session goes on. It is also the answer to too many guesses. Without `current_password` a fresh proof of who you are will do.',
  },
  reauthentication_failed: {
    status: 403,
    title: 'That proves nothing',
    meaning:
      'The password or factor sent to `POST /reauthenticate` is wrong, was used before, or was guessed too often. The session goes on as it was.',
  },
  factor_required: {
    status: 403,
    title: 'A second factor is required too',
    meaning: 'The account has a second factor: send the password and one of `factors` together.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    meaning: 'The account does not have the role that this call needs.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    meaning: 'There is nothing at this address, or it is not yours.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The address exists, but not for this method. The `Allow` header lists those there are.',
  },
  not_acceptable: {
    status: 406,
    title: 'Not acceptable',
    meaning: 'The `Accept` header excludes JSON.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long',
    meaning: 'The request did not arrive completely in time.',
  },
  email_taken: {
    status: 409,
    title: 'The e-mail address is taken',
    meaning: 'There is an account with this address (or another spelling of it).',
  },
  last_admin: {
    status: 409,
    title: 'There must be an administrator',
    meaning: 'The account is the only one that may administer. Make somebody else an administrator first.',
  },
  totp_not_started: {
    status: 409,
    title: 'No authenticator app waits to be confirmed',
    meaning: '`POST /totp` first. What it answers is good for an hour, and is replaced by the next one.',
  },
  no_second_factor: {
    status: 409,
    title: 'There is no second factor',
    meaning: 'Recovery codes stand in for a second factor. Add an authenticator app or a passkey first.',
  },
  passkey_exists: {
    status: 409,
    title: 'The passkey is known already',
    meaning: 'This very passkey was added before, to this account or another.',
  },
  last_login_method: {
    status: 409,
    title: 'Nothing else would let you sign in',
    meaning:
      'The account has no password, and this is its only passkey. Add another one, or choose a password, first.',
  },
  limit_reached: {
    status: 409,
    title: 'There are as many as there may be',
    meaning: 'The account has reached the limit that `detail` names. Remove one first.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    meaning: 'Bodies may have 16 KiB at most.',
  },
  uri_too_long: {
    status: 414,
    title: 'The address is too long',
    meaning: 'A part of the URL is longer than anything this service has.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    meaning:
      'Bodies must be `application/json`, in UTF-8, without a content encoding; forms at `/introspect` and `/revoke`.',
  },
  expectation_failed: {
    status: 417,
    title: 'The expectation cannot be met',
    meaning: 'The `Expect` header asks for something else than `100-continue`.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    meaning:
      'The client address used up a quota. `Retry-After` says when to come back; `violated-policies` which it was.',
  },
  headers_too_large: {
    status: 431,
    title: 'The header fields are too large',
    meaning: 'The header fields together exceed 16 KiB.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    meaning: 'A fault of ours. The log has it under the `request_id`.',
  },
  service_unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    meaning: 'The database does not answer, so nothing can be decided. Retry after `Retry-After` seconds.',
  },
  breach_check_unavailable: {
    status: 503,
    title: 'The password cannot be checked now',
    meaning:
      'Whether the password was leaked is asked elsewhere, which does not answer, and BREACHED_PASSWORDS_UNAVAILABLE is `refuse`. Retry after `Retry-After` seconds.',
  },
  overloaded: {
    status: 503,
    title: 'Too busy',
    meaning: 'More sign-ins are waiting than can be answered in time. Retry after `Retry-After` seconds.',
  },
  not_ready: {
    status: 503,
    title: 'Not ready',
    meaning: 'A check of `/health/ready` fails; `checks` says which.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The entry of a code, as the general type. */
export function problemEntry(code: ProblemCode): CatalogueEntry {
  return PROBLEMS[code];
}

/** The stable `type` of a code (RFC 9457 §3.1.1). It names the problem; nothing is served there. */
export function problemType(code: ProblemCode): string {
  // Registered for exceeded quotas by the RateLimit header fields draft.
  if (code === 'rate_limited') return 'https://iana.org/assignments/http-problem-types#quota-exceeded';
  return `urn:problem-type:traffy:${code}`;
}
