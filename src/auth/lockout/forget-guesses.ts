import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import type { GuessableAuthenticator } from './guess.js';

/** SHA-256: the counters name nobody, and an address of any length has a place. */
export function subjectOf(emailCanonical: string): Buffer {
  return createHash('sha256').update(emailCanonical).digest();
}

/**
 * Forgets the guesses at one authenticator of an account, or at `all` of them, for what has no `Lockout`: the command line,
 * and what it shares with the nodes.
 *
 * @param tx the transaction of what makes them void: a reset, an administrator's help, a deletion.
 */
export async function forgetGuesses(
  tx: Queries,
  emailCanonical: string,
  authenticator: GuessableAuthenticator | 'all',
): Promise<void> {
  await tx.query(
    sql`delete from guess_counters where (authenticator, subject, network) in (
          select authenticator, subject, network from guess_counters
          where subject = ${subjectOf(emailCanonical)} and ${authenticator} in (authenticator, 'all')
          order by authenticator, network desc for update)`,
  );
}
