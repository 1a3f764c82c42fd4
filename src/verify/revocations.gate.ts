import { inspectCompact, type Members, type SignatureAlgorithm } from './compact-jws.js';

/** The media type of the feed, and, without its prefix, the `typ` in its header (RFC 7515 §4.1.9). */
export const REVOCATIONS_MEDIA_TYPE = 'application/revocations+jwt';
export const REVOCATIONS_TYPE = 'revocations+jwt';

/**
 * Access tokens that are dead although they have not expired. Times are in seconds since the epoch; after `exp` none
 * of these tokens is good any more, the clock tolerance of verifiers included, and the entry can be forgotten.
 *
 * | members | dead is |
 * | --- | --- |
 * | `sid` | every token of this session: it has ended |
 * | `sid`, `before` | tokens of this session with an `iat` less than `before` |
 * | `sub`, `before` | tokens of this user with an `iat` less than `before` |
 * | `before` | everybody's tokens with an `iat` less than `before` |
 * | `keys` | what a key signed that was revoked: read the key set again |
 */
export type RevocationEntry =
  | { readonly sid: string; readonly exp: number }
  | { readonly sid: string; readonly before: number; readonly exp: number }
  | { readonly sub: string; readonly before: number; readonly exp: number }
  | { readonly before: number; readonly exp: number }
  | { readonly keys: true; readonly exp: number };

/** What the feed says: all that is dead, or, after a cursor, what became so since. */
export interface RevocationsPayload {
  readonly iss: string;
  /** When it was true. */
  readonly iat: number;
  /** After this it must not be believed: how long an old copy can hide a revocation. */
  readonly exp: number;
  /** The cursor that this answers; null where all is told. In answer to another one, it would hide what came before. */
  readonly since: string | null;
  /** Where to go on. Opaque. */
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
/** Above what the service puts into one. */
export const FEED_MAX_BYTES = 8 * 1024 * 1024;
const CURSOR = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Looks at a copy of the feed before its signature is verified; null where it is none of the issuer's. An entry that
 * is not understood makes all of it unusable: it may say that a token is dead.
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
