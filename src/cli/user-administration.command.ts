import { type Command, InvalidArgumentError, Option } from 'commander';
import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import type { UserAdministration, UserChange } from '../admin/user-administration.js';
import { userView } from '../admin/user-view.js';
import type { Database } from '../platform/database/database.js';
import { canonicalEmail, emailProblem } from '../users/email.js';
import { hashNewPassword } from '../users/passwords/new-password.js';
import { insertUser } from '../users/user-writes.js';
import type { UsersTables } from '../users/users.tables.js';
import { type Accounts, apply, OPERATOR, withAccounts } from './administration.js';
import { type CommandContext, CommandProblem, jsonOption, type Output, print, table } from './command.js';
import { readPassword } from './read-password.js';
import { getUserId } from './user-argument.js';
import { showUser } from './user-output.js';

const LIST_DEFAULT = 100;
interface ListOptions extends Output {
  readonly prefix?: string;
  readonly role?: 'user' | 'admin';
  readonly state?: 'enabled' | 'disabled';
  readonly after?: string;
  readonly limit: number;
}

interface CreateOptions extends Output {
  readonly passwordFile?: string;
}

interface ResetOptions extends Output {
  readonly factors?: true;
}

/** Commands on single accounts. */
export function addUserAdministration(users: Command, { config }: CommandContext): void {
  users
    .command('create-admin')
    .description('create an administrator, or make an existing account one and keep its password')
    .argument('<address>', 'the e-mail address', readAddress)
    .option('--password-file <path>', 'a file with the password; default: standard input')
    .addOption(jsonOption())
    .action((address: string, options: CreateOptions) => createAdmin(config(), address, options));
  users
    .command('list')
    .description('list accounts in order of creation')
    .option('--prefix <text>', 'only addresses that begin with this text')
    .addOption(new Option('--role <role>', 'only this role').choices(['user', 'admin']))
    .addOption(new Option('--state <state>', 'only this state').choices(['enabled', 'disabled']))
    .option('--after <id>', 'continue after this account, the last one of the previous page')
    .option('--limit <n>', 'maximum number of accounts', readLimit, LIST_DEFAULT)
    .addOption(jsonOption())
    .action((options: ListOptions) =>
      withAccounts(config(), ({ administration }) => list(administration, options)),
    );
  users
    .command('show')
    .description('show an account, without secrets')
    .argument('<address or id>')
    .addOption(jsonOption())
    .action((given: string, options: Output) =>
      withAccounts(config(), async ({ database, administration }) => {
        const user = await administration.find(await getUserId(database, given));
        if (user) showUser(options, user, 'Account:');
      }),
    );
  const changing = (name: string, description: string, change: UserChange, message: string) =>
    users
      .command(name)
      .description(description)
      .argument('<address or id>')
      .addOption(jsonOption())
      .action((given: string, options: Output) =>
        withAccounts(config(), (accounts) => apply(accounts, given, change, options, message)),
      );
  changing(
    'disable',
    'disable an account: revoke its sessions immediately and refuse its sign-ins',
    { state: 'disabled' },
    'The account is disabled, and its sessions are revoked.',
  );
  changing(
    'enable',
    'enable an account: it can sign in again',
    { state: 'enabled' },
    'The account is enabled.',
  );
  users
    .command('unlock')
    .description('clear the failed attempts of an account and remove its locks; the password stays')
    .argument('<address or id>')
    .addOption(jsonOption())
    .action((given: string, options: Output) =>
      withAccounts(config(), (accounts) => unlock(accounts, given, options)),
    );
  users
    .command('reset')
    .description('revoke all sessions and require a new password, through a link sent by e-mail')
    .argument('<address or id>')
    .option('--factors', 'remove passkeys, authenticator app and recovery codes instead; the password stays')
    .addOption(jsonOption())
    .action((given: string, options: ResetOptions) =>
      withAccounts(config(), (accounts) => reset(accounts, given, options)),
    );
}

function readAddress(text: string): string {
  const problem = emailProblem(text);
  if (problem === null) return text;
  throw new InvalidArgumentError(`The e-mail address ${problem}.`);
}

function readLimit(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number from 1 to 99999.');
}

async function createAdmin(config: Config, address: string, options: CreateOptions): Promise<void> {
  await withAccounts(config, async (accounts) => {
    const { database } = accounts;
    const known = await database
      .of<UsersTables>()
      .selectFrom('users')
      .select('id')
      .where('email_canonical', '=', canonicalEmail(address))
      .executeTakeFirst();
    const id = known?.id ?? (await createUser(config, database, address, options));
    await apply(
      accounts,
      id,
      { role: 'admin' },
      options,
      known ? 'The account is now an administrator.' : 'The administrator was created.',
    );
  });
}

/** The address counts as verified: the operator vouches for it. */
async function createUser(
  config: Config,
  database: Database,
  address: string,
  { passwordFile }: CreateOptions,
): Promise<string> {
  const outcome = await hashNewPassword(config, await readPassword(passwordFile), address);
  if ('weakness' in outcome) throw new CommandProblem(outcome.weakness);
  const id = uuidv7();
  await database.transaction(async (tx) => {
    const user = { id, email: address, passwordHash: outcome.hash, isEmailVerified: true };
    if (!(await insertUser(tx, user)))
      throw new CommandProblem('another process created an account with this address; run the command again');
    await new Audit(database).record({ kind: 'user_created', userId: id, actor: 'operator' }, tx);
  });
  return id;
}

async function list(administration: UserAdministration, options: ListOptions): Promise<void> {
  const { prefix, role, state, after, limit } = options;
  const users = await administration.list({
    ...(prefix !== undefined && { emailPrefix: prefix }),
    ...(role && { role }),
    ...(state && { state }),
    ...(after !== undefined && { after }),
    limit,
  });
  print(
    options,
    { users: users.map(userView) },
    users.length === 0
      ? 'No accounts match.'
      : table(
          ['id', 'address', 'role', 'state', 'sessions', 'since'],
          users.map((user) => [
            user.id,
            user.email,
            user.role,
            user.disabledAt ? 'disabled' : 'enabled',
            String(user.liveSessions),
            user.createdAt.toISOString(),
          ]),
        ),
  );
}

async function unlock({ database, administration }: Accounts, given: string, options: Output): Promise<void> {
  const id = await getUserId(database, given);
  const hadGuesses = await administration.unlock(id, OPERATOR);
  const user = await administration.find(id);
  const message = hadGuesses
    ? 'The failed attempts are cleared; the password stays.'
    : 'The account had no failed attempts.';
  if (user) showUser(options, user, message);
}

async function reset(accounts: Accounts, given: string, options: ResetOptions): Promise<void> {
  if (!options.factors) {
    const message = 'Its sessions are revoked, and a link to choose a new password is sent by e-mail.';
    return apply(accounts, given, { password: 'compromised' }, options, message);
  }
  const { database, administration } = accounts;
  const id = await getUserId(database, given);
  await administration.removeFactors(id, OPERATOR);
  const user = await administration.find(id);
  if (user) showUser(options, user, 'Its second factors are removed, and its sessions are revoked.');
}
