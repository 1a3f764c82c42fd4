import {
  type CompactRefusal,
  inspectCompact,
  type Members,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
} from './compact-jws.js';

/** The required contents of an access token (RFC 9068). */
export interface AccessTokenRules {
  /** The exact `iss`. */
  readonly issuer: string;
  /** A member of `aud`; null for any. */
  readonly audience: string | null;
  /** The accepted signing algorithms; by default all of ours. */
  readonly algorithms?: readonly SignatureAlgorithm[];
}

/** The claims of an access token of Traffy. Times are in seconds since the epoch. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string | readonly string[];
  /** The user's id: never assigned to another user. */
  readonly sub: string;
  /** The session's id. */
  readonly sid: string;
  readonly jti: string;
  readonly client_id: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  /** When the user last authenticated. */
  readonly auth_time: number;
  /** The methods (RFC 8176). */
  readonly amr: readonly string[];
}

export type GateRefusal = CompactRefusal | 'bad_claims' | 'wrong_issuer' | 'wrong_audience';

export type GateResult =
  | {
      readonly ok: true;
      readonly kid: string;
      readonly algorithm: SignatureAlgorithm;
      readonly claims: AccessTokenClaims;
    }
  | { readonly ok: false; readonly refusal: GateRefusal };

/** Longer than any token of Traffy, and short enough to parse cheaply. */
const TOKEN_MAX = 8192;
/** User and session ids are UUIDs; other values never reach a query. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** RFC 9068 §4: the media type with or without its prefix, in any case. */
const TYPE = /^(?:application\/)?at\+jwt$/i;

/**
 * Checks an access token before any key is fetched or signature computed: the grammar, the header, the claims and the
 * key id. The caller must still verify it with the key that `kid` names, with the one algorithm of that key, and
 * against the clock (`checkTimes`).
 */
export function inspectAccessToken(token: string, rules: AccessTokenRules): GateResult {
  const { algorithms = SIGNATURE_ALGORITHMS } = rules;
  const compact = inspectCompact(token, { type: TYPE, algorithms, maxLength: TOKEN_MAX });
  if (!compact.ok) return compact;
  const refusal = inspectClaims(compact.payload, rules);
  if (refusal) return { ok: false, refusal };
  const { kid, algorithm, payload } = compact;
  return { ok: true, kid, algorithm, claims: payload as unknown as AccessTokenClaims };
}

/**
 * Checks the times of a token (RFC 7519 §4.1.4, §4.1.5); null if it is valid.
 *
 * @param now seconds since the epoch, of the verifier's clock.
 * @param tolerance seconds that this clock may differ from the issuer's.
 */
export function checkTimes(
  { exp, nbf }: Pick<AccessTokenClaims, 'exp' | 'nbf'>,
  now: number,
  tolerance: number,
): 'expired' | 'not_yet_valid' | null {
  if (now >= exp + tolerance) return 'expired';
  return now < nbf - tolerance ? 'not_yet_valid' : null;
}

function inspectClaims(claims: Members, rules: AccessTokenRules): GateRefusal | null {
  if (claims['iss'] !== rules.issuer) return 'wrong_issuer';
  const audiences = [claims['aud']].flat();
  if (!audiences.every((audience) => typeof audience === 'string')) return 'wrong_audience';
  if (rules.audience !== null && !audiences.includes(rules.audience)) return 'wrong_audience';
  const ids = ['sub', 'sid'].every((name) => isId(claims[name]));
  const texts = ['jti', 'client_id'].every((name) => isText(claims[name]));
  const times = ['iat', 'nbf', 'exp', 'auth_time'].every((name) => Number.isSafeInteger(claims[name]));
  const methods = claims['amr'];
  if (!ids || !texts || !times || !Array.isArray(methods) || !methods.every(isText)) return 'bad_claims';
  return null;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && UUID.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255;
}
