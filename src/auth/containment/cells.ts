import type { RevocationReason } from '../sessions/session-revocation.js';

/** The extent: all of the account, all but the acting or named sessions, only these sessions, or nothing. */
type Scope = 'all' | 'others' | 'own' | 'none';

/** Everything that can end, with its possible extents. */
export interface Ends {
  /** Rows of `sessions`, with all credentials of each. */
  readonly sessions: Scope;
  /** Rows of `mfa_challenges`: the password was correct, a second factor is missing. */
  readonly half_sign_ins: 'all' | 'none';
  /** Rows of `one_time_tokens`. */
  readonly mailed_tokens: 'all' | 'reset_links' | 'verification_links' | 'none';
  /** Links to a new address and their unsent mails, by the session that requested them. */
  readonly address_changes: Scope;
  /** Exchanges of sessions that stay. A session that ends takes its own exchange with it. */
  readonly pending_exchanges: 'own' | 'none';
  /** Rows of `guess_counters`, with their locks. */
  readonly guess_counters: 'all' | 'password' | 'none';
  /** Cached credentials. This node updates its cache before it replies; triggers notify the other nodes. */
  readonly remembered_credentials: Scope;
}

export type Thing = keyof Ends;

/** The extent for one thing, with its reason. */
type Cell<T extends Thing> = readonly [ends: Ends[T], because: string];

/** Everything that ends on one event. */
export interface ContainmentRow {
  /** The event, for docs/containment.md. */
  readonly when: string;
  /** The possible reasons in the rows of the ended sessions; the first is the default. Empty if no session ends. */
  readonly reasons: readonly RevocationReason[];
  readonly ends: { readonly [T in Thing]: Cell<T> };
}

/** Reasons that several rows share. */
export const SAME_PASSWORD = 'The password is the same, and the second factor is still missing.';
export const SAME_MAILBOX = 'A mailed link proves the mailbox, and the mailbox is the same.';
export const STILL_WANTED = 'Nothing says that an attacker requested it.';
export const NOT_RENEWED = 'No session that goes on gets another credential.';
export const ALL_SESSIONS = 'All sessions end.';
export const STILL_GUESSED = 'It says nothing of the guesses, and a lock that opens helps the attacker.';
export const AS_SESSIONS = 'With the sessions.';
