import { sql } from 'kysely';
import { validate as isUuid } from 'uuid';
import type { Database } from '../database/database.js';
import { canonicalEmail } from '../users/email.js';
import { CommandProblem } from './command.js';

/**
 * The id of the account that somebody named by its address or id.
 *
 * @throws CommandProblem if there is none.
 */
export async function getUserId(database: Database, given: string): Promise<string> {
  const condition = isUuid(given) ? sql`id = ${given}` : sql`email_canonical = ${canonicalEmail(given)}`;
  const [user] = await database.query(sql<{ id: string }>`select id from users where ${condition}`);
  if (!user) throw new CommandProblem('there is no account with this address or id');
  return user.id;
}
