/**
 * Limits of consecutive guesses and their delays. A guess counts for the account with its network, and for the
 * account alone. docs/adr/0017-lockout.md has the reasons and the totals.
 */

/** Per network: a user who tries a few own passwords never waits; a script soon does. */
export const NETWORK = {
  /** The number of guesses from which each is followed by a delay. */
  freely: 10,
  /** The first delay in seconds; each later one doubles. */
  delay: 30,
};

/** For all networks together: starts later with shorter delays, because the owner may be in a new place. */
export const ACCOUNT = { freely: 20, delay: 1 };

/** The longest delay in seconds. Four guesses an hour find nothing, and the owner's wait is bounded. */
export const DELAY_MAX = 900;

/** NIST SP 800-63B-4 §3.2.2: the maximum of consecutive guesses at an authenticator of an account, from all callers. */
export const GUESSES_MAX = 100;

/** The guesses above this number are reserved for known networks of the owner: attackers cannot use them up. */
export const STRANGERS_MAX = 80;

/** The maximum of reserved guesses per network, so that one known network cannot use all of them. */
export const RESERVE_PER_NETWORK = 10;

/** Days that a network counts as known after a sign-in from it. */
export const NETWORK_KNOWN_DAYS = 90;
