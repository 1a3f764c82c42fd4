import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import { UserAdministration, type UserChange } from '../auth/admin/user-administration.js';
import { endSessionsOf } from '../auth/sessions/session-selection.js';
import type { Database } from '../database/database.js';
import { Outbox } from '../mail/outbox.service.js';
import { CommandProblem, type Output, withDatabase } from './command.js';
import { getUserId } from './user-argument.js';
import { showUser } from './user-output.js';

/** Who does what the command line does. */
export const OPERATOR = { actor: 'operator' } as const;

const REFUSALS = {
  not_found: 'there is no account with this address or id',
  last_admin: 'it is the last administrator who may sign in; make another one first',
} as const;

/** The accounts of a database, as administrators change them. */
export interface Accounts {
  readonly database: Database;
  readonly administration: UserAdministration;
}

/** Opens the database, for what is done to accounts. Other nodes hear of ended sessions by themselves. */
export function withAccounts<T>(config: Config, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const sessions = { revokeOfUser: endSessionsOf, catchUp: () => Promise.resolve() };
  return withDatabase(config, (database) => {
    const audit = new Audit(database);
    const idleTtl = config.auth.SESSION_IDLE_TTL;
    const administration = new UserAdministration(database, sessions, audit, new Outbox(), idleTtl);
    return work({ database, administration });
  });
}

/**
 * Changes an account, and shows it.
 *
 * @throws CommandProblem if that may not be, or there is no such account.
 */
export async function apply(
  { database, administration }: Accounts,
  given: string,
  change: UserChange,
  options: Output,
  told: string,
): Promise<void> {
  const outcome = await administration.change(await getUserId(database, given), change, OPERATOR);
  if (outcome.status !== 'changed') throw new CommandProblem(REFUSALS[outcome.status]);
  showUser(options, outcome.user, told);
}
