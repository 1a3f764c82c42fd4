import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/**
 * Locks every administrator who may sign in, in one order, so that two who take the role from one another wait: there is
 * always one left. To be called before any other account is locked.
 *
 * @returns how many there are besides the one with this id.
 */
export async function lockOtherAdmins(tx: Queries, id: string): Promise<number> {
  const rows = await tx.query(
    sql<{
      id: string;
    }>`select id from users where role = 'admin' and disabled_at is null order by id for no key update`,
  );
  return rows.filter((row) => row.id !== id).length;
}
