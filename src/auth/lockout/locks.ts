import { sql } from 'kysely';
import type { Columns } from '../../platform/database/columns.js';
import type { Queries } from '../../platform/database/database.js';
import { subjectOf } from './clear-guesses.js';
import type { GuessableAuthenticator } from './guess.js';
import { GUESSES_MAX, RESERVE_PER_NETWORK, STRANGERS_MAX } from './guess-limits.js';
import type { LockoutTables } from './lockout.tables.js';

/** An active lock: matching guesses are refused without evaluation. */
export interface Lock {
  readonly authenticator: GuessableAuthenticator;
  /** Which guesses it refuses: those from one network, from all unknown networks, or all. */
  readonly refuses: 'network' | 'unknown_networks' | 'everybody';
  /** The network, if it is a single one. */
  readonly network: string | null;
  /** Consecutive failed guesses of the counter. */
  readonly failures: number;
  /** When it ends automatically; null if it does not. */
  readonly until: Date | null;
}

type Row = Columns<
  LockoutTables,
  'guess_counters',
  'authenticator' | 'network' | 'failures' | 'locked_until'
> & { readonly account_failures: number };

/** The active locks of an account, by the rules of `Lockout.admit`. Guesses before the account existed are excluded. */
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

function lockOf({
  authenticator,
  network,
  failures,
  account_failures: ofAccount,
  locked_until: until,
}: Row): Lock | null {
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
