import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../../platform/database/database.js';
import type { GuessableAuthenticator } from './guess.js';

/** SHA-256: counters contain no address, and addresses of any length fit. */
export function subjectOf(emailCanonical: string): Buffer {
  return createHash('sha256').update(emailCanonical).digest();
}

/**
 * The lock to take before changing several counters of an account. Row locks alone do not prevent deadlocks: a row
 * inserted by a concurrent transaction is not visible, so two transactions could each hold one counter and wait for
 * the other.
 */
export function counterLock(subject: Buffer): RawBuilder<unknown> {
  return sql`pg_advisory_xact_lock(${subject.readBigInt64BE().toString()}::bigint)`;
}

/**
 * Deletes the guess counters of one authenticator of an account, or of `all` of them.
 *
 * @returns the number of deleted counters.
 */
export async function clearGuesses(
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
