import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

const TABLES = ['passkeys', 'totp_authenticators', 'recovery_codes'] as const;

/**
 * Takes away all that somebody can sign in with besides the password.
 *
 * @param tx the transaction that holds the lock on the account's row.
 * @returns whether there was anything.
 */
export async function removeFactors(tx: Queries, userId: string): Promise<boolean> {
  let removed = 0;
  for (const table of TABLES) {
    const rows = await tx.query(sql`delete from ${sql.table(table)} where user_id = ${userId} returning 1`);
    removed += rows.length;
  }
  return removed > 0;
}
