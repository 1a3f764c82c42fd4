import { inspectCompact, type Members, type SignatureAlgorithm } from './compact-jws.js';

/** The media type of the feed and, without its prefix, the `typ` in its header (RFC 7515 §4.1.9). */
export const REVOCATIONS_MEDIA_TYPE = 'application/revocations+jwt';
export const REVOCATIONS_TYPE = 'revocations+jwt';

/**
 * Revoked access tokens that have not expired. Times are in seconds since the epoch; after `exp` none of these tokens
 * is valid, including the clock tolerance of verifiers, and the entry can be deleted.
 *
 * | members | what is revoked |
 * | --- | --- |
 * | `sid` | every token of this session: it has ended |
 * | `sid`, `before` | tokens of this session with an `iat` less than `before` |
 * | `sub`, `before` | tokens of this user with an `iat` less than `before` |
 * | `before` | tokens of all users with an `iat` less than `before` |
 * | `keys` | all tokens of a revoked key: read the key set again |
 */
export type RevocationEntry =
  | { readonly sid: string; readonly exp: number }
  | { readonly sid: string; readonly before: number; readonly exp: number }
  | { readonly sub: string; readonly before: number; readonly exp: number }
  | { readonly before: number; readonly exp: number }
  | { readonly keys: true; readonly exp: number };

/** The payload of the feed: all revocations or, after a cursor, the new ones. */
export interface RevocationsPayload {
  readonly iss: string;
  /** The time of the document. */
  readonly iat: number;
  /** It must not be used after this time: bounds how long an old copy can hide a revocation. */
  readonly exp: number;
  /**
   * The cursor that this answers; null if it is complete. As an answer to another cursor, it would hide earlier
   * entries.
   */
  readonly since: string | null;
  /** The cursor for the next request. Opaque. */
  readonly cursor: string;
  readonly entries: readonly RevocationEntry[];
}

export interface RevocationsRules {
  readonly issuer: string;
  readonly algorithms: readonly SignatureAlgorithm[];
}

/** The kinds of entries, by the names of their members, sorted. */
const SHAPES = new Set(['exp,sid', 'before,exp,sid', 'before,exp,sub', 'before,exp', 'exp,keys']);
const TYPE = /^(?:application\/)?revocations\+jwt$/i;
/** More than the service puts into one document. */
export const FEED_MAX_BYTES = 8 * 1024 * 1024;
const CURSOR = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Checks a copy of the feed before its signature is verified; null if it is not from the issuer. An entry of an
 * unknown kind makes the whole copy unusable: it may revoke a token.
 */
export function inspectRevocations(
  document: string,
  { issuer, algorithms }: RevocationsRules,
): {
  readonly kid: string;
  readonly algorithm: SignatureAlgorithm;
  readonly payload: RevocationsPayload;
} | null {
  const compact = inspectCompact(document, { type: TYPE, algorithms, maxLength: FEED_MAX_BYTES });
  if (!compact.ok) return null;
  const { kid, algorithm, payload } = compact;
  return isRevocations(payload) && payload.iss === issuer ? { kid, algorithm, payload } : null;
}

function isRevocations(payload: Members): payload is Members & RevocationsPayload {
  const { iss, iat, exp, since, cursor, entries } = payload;
  return (
    typeof iss === 'string' &&
    Number.isSafeInteger(iat) &&
    Number.isSafeInteger(exp) &&
    (since === null || isCursor(since)) &&
    isCursor(cursor) &&
    Array.isArray(entries) &&
    entries.every(isEntry)
  );
}

function isCursor(value: unknown): boolean {
  return typeof value === 'string' && CURSOR.test(value);
}

function isEntry(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false;
  const { sid = '', sub = '', before = 0, exp, keys = true } = entry as Record<string, unknown>;
  return (
    SHAPES.has(Object.keys(entry).toSorted().join()) &&
    typeof sid === 'string' &&
    typeof sub === 'string' &&
    Number.isSafeInteger(before) &&
    Number.isSafeInteger(exp) &&
    keys === true
  );
}
