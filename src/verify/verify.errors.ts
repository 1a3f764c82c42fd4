import type { GateRefusal } from './access-token.gate.js';

/** Why a token is refused. `missing`: the request carries none. */
export type RefusalCode =
  GateRefusal | 'missing' | 'unknown_key' | 'bad_signature' | 'expired' | 'not_yet_valid' | 'revoked';

/** What a client can do about a refusal: get another access token, or sign in anew. */
export type RefusalAction = 'refresh' | 'login';

const MEANINGS: Readonly<Record<RefusalCode, string>> = {
  missing: 'the request carries no bearer token',
  malformed: 'the token is not a compact JWS',
  critical_header: 'the token demands an extension',
  wrong_algorithm: 'the token is signed with an algorithm that is not accepted',
  wrong_type: 'the token is not of type at+jwt',
  bad_key_id: 'the token names no key',
  bad_claims: 'a claim is missing or malformed',
  wrong_issuer: 'the token comes from another issuer',
  wrong_audience: 'the token is meant for another audience',
  unknown_key: 'the key of the token is not among those of the issuer',
  bad_signature: 'the signature is not of the key that the token names',
  expired: 'the token has expired',
  not_yet_valid: 'the token is not valid yet',
  revoked: 'the token was revoked',
};

/** The verdict that a token is not good. The message has nothing of the token in it, and may be logged. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly status = 401;
  /** The challenge of RFC 6750 §3: an error only where a token was sent. */
  readonly wwwAuthenticate: string;
  readonly action: RefusalAction;

  /** @param action by default what usually helps with this code. */
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

/** No verdict: what is needed for one cannot be had now. The token may be good; the client should come back. */
export abstract class Undecided extends Error {
  readonly status = 503;
  /** Seconds after which to try again. */
  readonly retryAfter = 5;
}

/** The key set of the issuer cannot be read, or cannot be used; `cause` says why. */
export class KeysUnavailable extends Undecided {
  override readonly name = 'KeysUnavailable';
  readonly code = 'keys_unavailable';

  constructor(cause: unknown) {
    super(`the keys of the issuer cannot be had: ${messageOf(cause)}`, { cause });
  }
}

/** The revocation feed was not heard for longer than it may be believed; `cause` says why. */
export class RevocationsUnavailable extends Undecided {
  override readonly name = 'RevocationsUnavailable';
  readonly code = 'revocations_unavailable';

  constructor(cause: unknown) {
    super(`the revocations of the issuer cannot be had: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
