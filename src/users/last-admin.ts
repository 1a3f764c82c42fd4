import type { Queries } from '../platform/database/database.js';
import type { UsersTables } from './users.tables.js';

/**
 * Locks all administrators who can sign in, in one order: if two revoke each other's role, one waits, and one
 * administrator always remains. Call it before locking any other account.
 *
 * @returns the number of such administrators besides the one with this id.
 */
export async function lockOtherAdmins(tx: Queries, id: string): Promise<number> {
  const rows = await tx
    .of<UsersTables>()
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('disabled_at', 'is', null)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  return rows.filter((row) => row.id !== id).length;
}
