import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import { UserAdministration, type UserChange } from '../admin/user-administration.js';
import { Containment } from '../auth/containment/containment.service.js';
import { PendingExchanges } from '../auth/sessions/pending-exchanges.service.js';
import type { Database } from '../platform/database/database.js';
import { Outbox } from '../mail/outbox.service.js';
import { CommandProblem, type Output, withDatabase } from './command.js';
import { getUserId } from './user-argument.js';
import { showUser } from './user-output.js';

/** The actor of all changes that the command line makes. */
export const OPERATOR = { actor: 'operator' } as const;

const REFUSALS = {
  not_found: 'no account has this address or id',
  last_admin: 'this is the last administrator who can sign in; create another administrator first',
} as const;

/** The accounts of a database, with the same operations that administrators have. */
export interface Accounts {
  readonly database: Database;
  readonly administration: UserAdministration;
}

/**
 * Containment for a process that does not serve. It has no cache of credentials; nodes learn of revocations from the
 * feed.
 */
export function operatorContainment(): Containment {
  return new Containment({ catchUp: () => Promise.resolve() }, new PendingExchanges());
}

/** Opens the database for changes of accounts. */
export function withAccounts<T>(config: Config, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  return withDatabase(config, (database) => {
    const audit = new Audit(database);
    const idleTtl = config.auth.SESSION_IDLE_TTL;
    const containment = operatorContainment();
    const administration = new UserAdministration(database, containment, audit, new Outbox(), idleTtl);
    return work({ database, administration });
  });
}

/**
 * Changes an account and prints it.
 * @throws CommandProblem if the change is refused or the account does not exist.
 */
export async function apply(
  { database, administration }: Accounts,
  given: string,
  change: UserChange,
  options: Output,
  message: string,
): Promise<void> {
  const outcome = await administration.change(await getUserId(database, given), change, OPERATOR);
  if (outcome.status !== 'changed') throw new CommandProblem(REFUSALS[outcome.status]);
  showUser(options, outcome.user, message);
}
