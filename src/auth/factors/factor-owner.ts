import type { Queries } from '../../platform/database/database.js';
import type { UsersTables } from '../../users/users.tables.js';

/** The owner of factors: for counting guesses and sending notifications. */
export interface FactorOwner {
  /** As the owner wrote it. */
  readonly email: string;
  readonly emailCanonical: string;
}

/** The owner with this id; null if the account does not exist. */
export async function findFactorOwner(queries: Queries, userId: string): Promise<FactorOwner | null> {
  const owner = await queries
    .of<UsersTables>()
    .selectFrom('users')
    .select(['email', 'email_canonical as emailCanonical'])
    .where('id', '=', userId)
    .executeTakeFirst();
  return owner ?? null;
}
