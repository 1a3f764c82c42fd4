import { sql } from 'kysely';
import type { Queries } from '../../platform/database/database.js';

/** Lets a session expire now. For development: its trigger notes the revocation, as for every other end. */
export async function expireSession(queries: Queries, id: string): Promise<void> {
  await queries.query(
    sql`update sessions set expires_at = greatest(now(), created_at + interval '1 millisecond') where id = ${id}`,
  );
}
