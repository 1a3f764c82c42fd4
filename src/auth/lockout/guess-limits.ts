/**
 * How many guesses in a row, and how soon after one another. A guess is counted under the account and the network it
 * comes from, and under the account alone. docs/adr/0017-lockout.md has the reasons and what they add up to.
 */

/** From one network: somebody who tries the few passwords they have never waits, and a script soon does. */
export const NETWORK = {
  /** The guess from which on each is followed by a delay. */
  freely: 10,
  /** The first delay in seconds; each further one is twice as long. */
  delay: 30,
};

/** From all networks together: begins later and shorter, because who waits here may be the owner in a new place. */
export const ACCOUNT = { freely: 20, delay: 1 };

/** Seconds: the longest delay. Four guesses an hour find nothing, and an owner who waits does not wait for ever. */
export const DELAY_MAX = 900;

/** NIST SP 800-63B-4 §3.2.2: the most guesses in a row at an authenticator of an account, whoever makes them. */
export const GUESSES_MAX = 100;

/** Of these, the last are kept for networks that the owner signed in from: strangers cannot use them up. */
export const STRANGERS_MAX = 80;

/** In what is kept, the most from one network, so that one bad neighbour does not take all of it. */
export const RESERVE_PER_NETWORK = 10;

/** Days that a network counts as the owner's after a sign-in from there. */
export const NETWORK_KNOWN_DAYS = 90;
