/** What an access token must say (RFC 9068). */
export interface AccessTokenRules {
  /** Exactly the `iss`. */
  readonly issuer: string;
  /** One of the `aud`. */
  readonly audience: string;
}

/** The claims of an access token of ours. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string | readonly string[];
  readonly sub: string;
  readonly sid: string;
  readonly jti: string;
  readonly client_id: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly auth_time: number;
  readonly amr: readonly string[];
}

export type GateRefusal =
  'grammar' | 'header' | 'algorithm' | 'type' | 'critical' | 'key_id' | 'claims' | 'issuer' | 'audience';

export type GateResult =
  | {
      readonly ok: true;
      readonly kid: string;
      readonly algorithm: string;
      readonly claims: AccessTokenClaims;
    }
  | { readonly ok: false; readonly refusal: GateRefusal };

/** Longer than any token of ours, and short enough to look at. */
const TOKEN_MAX = 8192;
/** RFC 7515 §3.1: exactly three parts of base64url, none empty. No JSON serialization, no JWE, no padding. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Users and sessions are named by UUIDs; anything else never reaches a query. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const KEY_ID = /^[A-Za-z0-9._-]{1,128}$/;
const ALGORITHMS: readonly unknown[] = ['ES256', 'PS256', 'RS256'];
/** RFC 9068 §4: the media type with or without its prefix, in any case. */
const TYPE = /^(?:application\/)?at\+jwt$/i;

/**
 * Looks at an access token before any key is fetched or any signature computed: the grammar, the header, the
 * claims and the key id. What it lets through still has to be verified under the key that `kid` names, with the
 * one algorithm that this key serves, and against the clock.
 *
 * `jku`, `x5u`, `jwk` and `x5c` are never looked at; names that stand twice count as the last, in every parser here.
 */
export function inspectAccessToken(token: string, rules: AccessTokenRules): GateResult {
  if (token.length > TOKEN_MAX || !COMPACT.test(token)) return refuse('grammar');
  const [encodedHeader = '', encodedClaims = '', signature = ''] = token.split('.');
  if (![encodedHeader, encodedClaims, signature].every(isCanonical)) return refuse('grammar');
  const header = parseObject(encodedHeader);
  const claims = parseObject(encodedClaims);
  if (!header || !claims) return refuse('grammar');
  return inspectHeader(header) ?? inspectClaims(claims, rules) ?? accept(header, claims);
}

function inspectHeader(header: Readonly<Record<string, unknown>>): GateResult | null {
  // No extension is understood, so none may be critical (RFC 7515 §4.1.11); b64 is one (RFC 7797).
  if ('crit' in header || 'b64' in header) return refuse('critical');
  if (!ALGORITHMS.includes(header['alg'])) return refuse('algorithm');
  if (typeof header['typ'] !== 'string' || !TYPE.test(header['typ'])) return refuse('type');
  if (typeof header['kid'] !== 'string' || !KEY_ID.test(header['kid'])) return refuse('key_id');
  return null;
}

function inspectClaims(
  claims: Readonly<Record<string, unknown>>,
  rules: AccessTokenRules,
): GateResult | null {
  if (claims['iss'] !== rules.issuer) return refuse('issuer');
  const audiences = [claims['aud']].flat();
  if (!audiences.every((audience) => typeof audience === 'string')) return refuse('audience');
  if (!audiences.includes(rules.audience)) return refuse('audience');
  const ids = ['sub', 'sid'].every((name) => isId(claims[name]));
  const texts = ['jti', 'client_id'].every((name) => isText(claims[name]));
  const times = ['iat', 'nbf', 'exp', 'auth_time'].every((name) => Number.isSafeInteger(claims[name]));
  const methods = claims['amr'];
  if (!ids || !texts || !times || !Array.isArray(methods) || !methods.every(isText)) return refuse('claims');
  return null;
}

function accept(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): GateResult {
  return {
    ok: true,
    kid: header['kid'] as string,
    algorithm: header['alg'] as string,
    claims: claims as unknown as AccessTokenClaims,
  };
}

function refuse(refusal: GateRefusal): GateResult {
  return { ok: false, refusal };
}

/** The last character of base64url can carry stray bits; only one spelling of the same bytes is taken. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && UUID.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseObject(part: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(UTF8.decode(Buffer.from(part, 'base64url')));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
