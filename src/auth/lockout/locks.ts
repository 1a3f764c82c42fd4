import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import { subjectOf } from './forget-guesses.js';
import type { GuessableAuthenticator } from './guess.js';
import { GUESSES_MAX, RESERVE_PER_NETWORK, STRANGERS_MAX } from './guess-limits.js';

/** A lock that is in force: who guesses is refused, unevaluated. */
export interface Lock {
  readonly authenticator: GuessableAuthenticator;
  /** Whose guesses it refuses: those of one network, of all that the owner did not sign in from, or everybody's. */
  readonly refuses: 'network' | 'unknown_networks' | 'everybody';
  /** Which one, where it is one. */
  readonly network: string | null;
  /** Wrong guesses in a row that the counter has. */
  readonly failures: number;
  /** When it ends by itself; null if it does not. */
  readonly until: Date | null;
}

interface Row {
  authenticator: GuessableAuthenticator;
  network: string;
  failures: number;
  account_failures: number;
  locked_until: Date | string | null;
}

/**
 * The locks of an account that are in force, as `Lockout.admit` goes by them. What was guessed at the address before there was an
 * account is none of them.
 */
export async function findLocks(queries: Queries, emailCanonical: string): Promise<Lock[]> {
  const rows = await queries.query(
    sql<Row>`select c.authenticator, c.network, c.failures, coalesce(a.failures, 0) as account_failures,
        case when c.locked_until > now() then c.locked_until end as locked_until
      from guess_counters c left join guess_counters a
        on a.authenticator = c.authenticator and a.subject = c.subject and a.network = '' and a.is_account
      where c.subject = ${subjectOf(emailCanonical)} and c.is_account order by c.authenticator, c.network`,
  );
  return rows.flatMap((row) => lockOf(row) ?? []);
}

function lockOf({ authenticator, network, failures, account_failures: ofAccount, ...row }: Row): Lock | null {
  const until = row.locked_until === null ? null : new Date(row.locked_until);
  if (network !== '') {
    const isUsedUp = ofAccount >= STRANGERS_MAX && failures >= RESERVE_PER_NETWORK;
    if (!isUsedUp && until === null) return null;
    return { authenticator, refuses: 'network', network, failures, until: isUsedUp ? null : until };
  }
  if (failures >= GUESSES_MAX)
    return { authenticator, refuses: 'everybody', network: null, failures, until: null };
  const isOver = failures < STRANGERS_MAX && until === null;
  if (isOver) return null;
  const end = failures < STRANGERS_MAX ? until : null;
  return { authenticator, refuses: 'unknown_networks', network: null, failures, until: end };
}
