import type { AuthConfig } from '../../../config/auth.config.js';

/** Maximum seconds between two rounds of a node. */
const ROUND_MAX = 60;
/** Seconds that a round can take on a slow database. */
const ROUND_LENGTH = 10;
/**
 * Maximum seconds between two lookups of keys of other nodes: tokens with invented key ids must not cost a query
 * each.
 */
const COOLDOWN_MAX = 1;
/** Seconds that a verifier's clock can be behind. */
const VERIFIER_SKEW = 60;

/** Seconds between two rounds: often enough to rotate every few seconds in a test. */
export function roundInterval({ KEY_ROTATION_INTERVAL }: AuthConfig): number {
  return Math.min(ROUND_MAX, KEY_ROTATION_INTERVAL / 4);
}

/** Seconds that a node can sign with a key after it last renewed its lease; one round can fail. */
export function leaseTime(config: AuthConfig): number {
  return 2 * roundInterval(config) + ROUND_LENGTH;
}

/** Seconds until the last token that is signed under a lease from now has expired at every verifier. */
export function lastTokenAfter(config: AuthConfig): number {
  return leaseTime(config) + config.ACCESS_TOKEN_TTL + VERIFIER_SKEW;
}

/**
 * Maximum age in seconds of the keys that a node publishes and uses to refuse an unknown key id. `publicationTime`
 * must cover it, and leave most of its margin for commits and responses in transit.
 */
export function refreshCooldown({ JWKS_MAX_AGE }: AuthConfig): number {
  return Math.min(COOLDOWN_MAX, JWKS_MAX_AGE / 4);
}
