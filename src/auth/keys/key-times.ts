import type { AuthConfig } from '../../../config/auth.config.js';

/** Seconds between two rounds of a node at most. */
const ROUND_MAX = 60;
/** Seconds that a round may take, on a slow database. */
const ROUND_LENGTH = 10;
/** Seconds between two looks for keys of other nodes at most: tokens with invented key ids must not cost a query each. */
const COOLDOWN_MAX = 1;
/** Seconds that a verifier's clock may be behind. */
const VERIFIER_SKEW = 60;

/** Seconds between two rounds in which a node sees to the keys: often enough to rotate every few seconds in a test. */
export function roundInterval({ KEY_ROTATION_INTERVAL }: AuthConfig): number {
  return Math.min(ROUND_MAX, KEY_ROTATION_INTERVAL / 4);
}

/** Seconds that a node may sign with a key after it last asked whether it still may; one round may fail. */
export function leaseTime(config: AuthConfig): number {
  return 2 * roundInterval(config) + ROUND_LENGTH;
}

/** Seconds until the last token that is signed under a lease taken now has died, wherever it is verified. */
export function lastTokenAfter(config: AuthConfig): number {
  return leaseTime(config) + config.ACCESS_TOKEN_TTL + VERIFIER_SKEW;
}

/**
 * Seconds that keys read before are good enough to publish, and to refuse an unknown key id by. `publicationTime` has
 * to cover it: with the shortest JWKS_MAX_AGE too, most of that time is left for commits and answers on their way.
 */
export function refreshCooldown({ JWKS_MAX_AGE }: AuthConfig): number {
  return Math.min(COOLDOWN_MAX, JWKS_MAX_AGE / 4);
}
