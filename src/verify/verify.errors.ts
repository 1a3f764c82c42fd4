import type { GateRefusal } from './access-token.gate.js';

/** Why a token is refused. `missing`: the request has none. */
export type RefusalCode =
  GateRefusal | 'missing' | 'unknown_key' | 'bad_signature' | 'expired' | 'not_yet_valid' | 'revoked';

/** What a client can do about a refusal: get a new access token, or sign in again. */
export type RefusalAction = 'refresh' | 'login';

const MEANINGS: Readonly<Record<RefusalCode, string>> = {
  missing: 'the request carries no bearer token',
  malformed: 'the token is not a compact JWS',
  critical_header: 'the token requires an extension',
  wrong_algorithm: 'the token is signed with an algorithm that is not accepted',
  wrong_type: 'the token is not of type at+jwt',
  bad_key_id: 'the token names no key',
  bad_claims: 'a claim is missing or malformed',
  wrong_issuer: 'the token is from another issuer',
  wrong_audience: 'the token is for another audience',
  unknown_key: 'the key of the token is not among those of the issuer',
  bad_signature: 'the signature is not of the key that the token names',
  expired: 'the token has expired',
  not_yet_valid: 'the token is not valid yet',
  revoked: 'the token was revoked',
};

/** The verdict that a token is not valid. The message contains no part of the token and can be logged. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly status = 401;
  /** The challenge of RFC 6750 §3: with an error only if a token was sent. */
  readonly wwwAuthenticate: string;
  readonly action: RefusalAction;

  /** @param action by default the usual one for this code. */
  constructor(
    readonly code: RefusalCode,
    action?: RefusalAction,
  ) {
    super(MEANINGS[code]);
    this.action = action ?? (code === 'expired' || code === 'unknown_key' ? 'refresh' : 'login');
    this.wwwAuthenticate =
      code === 'missing'
        ? 'Bearer realm="traffy"'
        : `Bearer realm="traffy", error="invalid_token", error_description="${this.message}"`;
  }
}

/** No verdict is possible now. The token may be valid; the client should retry. */
export abstract class Undecided extends Error {
  readonly status = 503;
  /** Seconds until a retry. */
  readonly retryAfter = 5;
}

/** The key set of the issuer cannot be read or used; `cause` has the reason. */
export class KeysUnavailable extends Undecided {
  override readonly name = 'KeysUnavailable';
  readonly code = 'keys_unavailable';

  constructor(cause: unknown) {
    super(`the keys of the issuer are unavailable: ${messageOf(cause)}`, { cause });
  }
}

/** The revocation feed is stale; `cause` has the reason. */
export class RevocationsUnavailable extends Undecided {
  override readonly name = 'RevocationsUnavailable';
  readonly code = 'revocations_unavailable';

  constructor(cause: unknown) {
    super(`the revocations of the issuer are unavailable: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
