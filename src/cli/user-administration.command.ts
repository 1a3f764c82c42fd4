import { type Command, InvalidArgumentError, Option } from 'commander';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import {
  type AdministeredUser,
  UserAdministration,
  type UserChange,
} from '../auth/admin/user-administration.js';
import { userView } from '../auth/admin/user-view.js';
import { endSessionsOf } from '../auth/sessions/session-selection.js';
import type { Database } from '../database/database.js';
import { Outbox } from '../mail/outbox.service.js';
import { canonicalEmail } from '../users/email.js';
import { hashNewPassword } from '../users/passwords/new-password.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';
import { readPassword } from './read-password.js';
import { getUserId } from './user-argument.js';

const OPERATOR = { actor: 'operator' } as const;
const LIST_DEFAULT = 100;
const REFUSALS = {
  not_found: 'there is no account with this address or id',
  last_admin: 'it is the last administrator who may sign in; make another one first',
} as const;

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
    .action((options: ListOptions) => withDatabase(config(), (database) => list(database, options)));
  users
    .command('show')
    .description('show an account, without secrets')
    .argument('<address or id>')
    .addOption(jsonOption())
    .action((given: string, options: Output) =>
      withDatabase(config(), async (database) => {
        const user = await administration(database).find(await getUserId(database, given));
        if (user) show(options, user, 'The account:');
      }),
    );
  const changing = (name: string, description: string, change: UserChange, told: string) =>
    users
      .command(name)
      .description(description)
      .argument('<address or id>')
      .addOption(jsonOption())
      .action((given: string, options: Output) =>
        withDatabase(config(), (database) => apply(database, given, change, options, told)),
      );
  changing(
    'disable',
    'end all sessions of an account at once, and let it not sign in',
    { state: 'disabled' },
    'The account is disabled; its sessions have ended.',
  );
  changing('enable', 'let an account sign in again', { state: 'enabled' }, 'The account is enabled.');
  users
    .command('reset')
    .description(
      'end all sessions, and let the password open nothing until it is changed by a link sent by mail',
    )
    .argument('<address or id>')
    .option('--factors', 'remove passkeys, authenticator app and recovery codes instead; the password stays')
    .addOption(jsonOption())
    .action((given: string, options: ResetOptions) =>
      withDatabase(config(), (database) => reset(database, given, options)),
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

/** Other nodes hear of ended sessions by themselves. */
function administration(database: Database): UserAdministration {
  const sessions = { revokeOfUser: endSessionsOf, catchUp: () => Promise.resolve() };
  return new UserAdministration(database, sessions, new Audit(database), new Outbox());
}

async function createAdmin(config: Config, address: string, options: CreateOptions): Promise<void> {
  await withDatabase(config, async (database) => {
    const canonical = canonicalEmail(address);
    const [known] = await database.query(
      sql<{ id: string }>`select id from users where email_canonical = ${canonical}`,
    );
    const id = known?.id ?? (await createUser(config, database, address, options));
    await apply(
      database,
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

async function list(database: Database, options: ListOptions): Promise<void> {
  const { prefix, role, state, after, limit } = options;
  const users = await administration(database).list({
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

async function apply(
  database: Database,
  given: string,
  change: UserChange,
  options: Output,
  told: string,
): Promise<void> {
  const outcome = await administration(database).change(await getUserId(database, given), change, OPERATOR);
  if (outcome.status !== 'changed') throw new CommandProblem(REFUSALS[outcome.status]);
  show(options, outcome.user, told);
}

async function reset(database: Database, given: string, options: ResetOptions): Promise<void> {
  if (!options.factors) {
    const told = 'Its sessions have ended, and a mail with a link to choose another password is on its way.';
    return apply(database, given, { password: 'compromised' }, options, told);
  }
  const id = await getUserId(database, given);
  await administration(database).removeFactors(id, OPERATOR);
  const user = await administration(database).find(id);
  if (user) show(options, user, 'Its second factors are removed, and its sessions have ended.');
}

function show(options: Output, user: AdministeredUser, told: string): void {
  const shown = userView(user);
  print(
    options,
    { user: shown },
    [
      told,
      table(
        ['', ''],
        Object.entries(shown).map(([name, value]) => [
          name,
          typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value),
        ]),
      ),
    ].join('\n'),
  );
}
