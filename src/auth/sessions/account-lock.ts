import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/**
 * Locks an account until the transaction ends. Whoever ends several sessions of a person, or changes the account, takes it before
 * any session's row, so that no two of them wait for one another.
 */
export async function lockAccount(tx: Queries, userId: string): Promise<void> {
  await tx.query(sql`select 1 from users where id = ${userId} for no key update`);
}
