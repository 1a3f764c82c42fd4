import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import type { GuessableAuthenticator } from './guess.js';

/** SHA-256: the counters name nobody, and an address of any length has a place. */
export function subjectOf(emailCanonical: string): Buffer {
  return createHash('sha256').update(emailCanonical).digest();
}

/**
 * The lock that whoever changes several counters of an account takes before it holds one. Their rows alone give no order: one
 * that was inserted a moment ago is not seen, so that two could hold one each, and wait for the other's.
 */
export function counterLock(subject: Buffer): RawBuilder<unknown> {
  return sql`pg_advisory_xact_lock(${subject.readBigInt64BE().toString()}::bigint)`;
}

/**
 * Forgets the guesses at one authenticator of an account, or at `all` of them, for what has no `Lockout`: the command line,
 * and what it shares with the nodes.
 *
 * @param tx the transaction of what makes them void: a reset, an administrator's help, a deletion.
 * @returns how many counters there were.
 */
export async function forgetGuesses(
  tx: Queries,
  emailCanonical: string,
  authenticator: GuessableAuthenticator | 'all',
): Promise<number> {
  const subject = subjectOf(emailCanonical);
  const rows = await tx.query(
    sql`with locked as materialized (select ${counterLock(subject)})
        delete from guess_counters where (authenticator, subject, network) in (
          select authenticator, subject, network from guess_counters
          where subject = ${subject} and ${authenticator} in (authenticator, 'all') and exists (select 1 from locked)
          order by authenticator, network desc for update) returning 1`,
  );
  return rows.length;
}
