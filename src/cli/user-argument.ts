import { validate as isUuid } from 'uuid';
import type { Database } from '../platform/database/database.js';
import { canonicalEmail } from '../users/email.js';
import type { UsersTables } from '../users/users.tables.js';
import { CommandProblem } from './command.js';

/**
 * Finds the id of an account by its address or id.
 * @throws CommandProblem if the account does not exist.
 */
export async function getUserId(database: Database, given: string): Promise<string> {
  const users = database.of<UsersTables>().selectFrom('users').select('id');
  const user = await (
    isUuid(given) ? users.where('id', '=', given) : users.where('email_canonical', '=', canonicalEmail(given))
  ).executeTakeFirst();
  if (!user) throw new CommandProblem('no account has this address or id');
  return user.id;
}
