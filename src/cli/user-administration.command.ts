import { type Command, InvalidArgumentError, Option } from 'commander';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import type { UserAdministration, UserChange } from '../auth/admin/user-administration.js';
import { userView } from '../auth/admin/user-view.js';
import type { Database } from '../database/database.js';
import { canonicalEmail } from '../users/email.js';
import { hashNewPassword } from '../users/passwords/new-password.js';
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

/** What an operator does to single accounts. */
export function addUserAdministration(users: Command, { config }: CommandContext): void {
  users
    .command('create-admin')
    .description('make an administrator: a new account, or an existing one, whose password stays')
    .argument('<address>', 'the e-mail address', readAddress)
    .option('--password-file <path>', 'where the password stands; else it is read from the input')
    .addOption(jsonOption())
    .action((address: string, options: CreateOptions) => createAdmin(config(), address, options));
  users
    .command('list')
    .description('list accounts, in the order in which they were made')
    .option('--prefix <text>', 'whose address begins so')
    .addOption(new Option('--role <role>', 'of this role').choices(['user', 'admin']))
    .addOption(new Option('--state <state>', 'in this state').choices(['enabled', 'disabled']))
    .option('--after <id>', 'that come after this one: the last of the page before')
    .option('--limit <n>', 'how many at most', readLimit, LIST_DEFAULT)
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
        if (user) showUser(options, user, 'The account:');
      }),
    );
  const changing = (name: string, description: string, change: UserChange, told: string) =>
    users
      .command(name)
      .description(description)
      .argument('<address or id>')
      .addOption(jsonOption())
      .action((given: string, options: Output) =>
        withAccounts(config(), (accounts) => apply(accounts, given, change, options, told)),
      );
  changing(
    'disable',
    'end all sessions of an account at once, and let it not sign in',
    { state: 'disabled' },
    'The account is disabled; its sessions have ended.',
  );
  changing('enable', 'let an account sign in again', { state: 'enabled' }, 'The account is enabled.');
  users
    .command('unlock')
    .description('forget the wrong guesses at an account, so that what they locked opens; the password stays')
    .argument('<address or id>')
    .addOption(jsonOption())
    .action((given: string, options: Output) =>
      withAccounts(config(), (accounts) => unlock(accounts, given, options)),
    );
  users
    .command('reset')
    .description(
      'end all sessions, and let the password open nothing until it is changed by a link sent by mail',
    )
    .argument('<address or id>')
    .option('--factors', 'remove passkeys, authenticator app and recovery codes instead; the password stays')
    .addOption(jsonOption())
    .action((given: string, options: ResetOptions) =>
      withAccounts(config(), (accounts) => reset(accounts, given, options)),
    );
}

function readAddress(text: string): string {
  if (canonicalEmail(text) !== null) return text;
  throw new InvalidArgumentError('It is one e-mail address.');
}

function readLimit(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number from 1 to 99999.');
}

async function createAdmin(config: Config, address: string, options: CreateOptions): Promise<void> {
  await withAccounts(config, async (accounts) => {
    const { database } = accounts;
    const canonical = canonicalEmail(address);
    const [known] = await database.query(
      sql<{ id: string }>`select id from users where email_canonical = ${canonical}`,
    );
    const id = known?.id ?? (await createUser(config, database, address, options));
    await apply(
      accounts,
      id,
      { role: 'admin' },
      options,
      known ? 'The account is an administrator now.' : 'The administrator is made.',
    );
  });
}

/** The operator vouches for the address. */
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
    const made = await tx.query(
      sql`insert into users (id, email, email_canonical, password_hash, email_verified_at)
          values (${id}, ${address}, ${canonicalEmail(address)}, ${outcome.hash}, now())
          on conflict (email_canonical) do nothing returning id`,
    );
    if (made.length === 0)
      throw new CommandProblem('somebody made an account with this address meanwhile; repeat it');
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
      ? 'There are no such accounts.'
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
  const told = hadGuesses
    ? 'The guesses at the account are forgotten; the password stays.'
    : 'There were no guesses to forget.';
  if (user) showUser(options, user, told);
}

async function reset(accounts: Accounts, given: string, options: ResetOptions): Promise<void> {
  if (!options.factors) {
    const told = 'Its sessions have ended, and a mail with a link to choose another password is on its way.';
    return apply(accounts, given, { password: 'compromised' }, options, told);
  }
  const { database, administration } = accounts;
  const id = await getUserId(database, given);
  await administration.removeFactors(id, OPERATOR);
  const user = await administration.find(id);
  if (user) showUser(options, user, 'Its second factors are removed, and its sessions have ended.');
}
