import { Command, InvalidArgumentError, Option } from 'commander';
import { sql } from 'kysely';
import { validate as isUuid } from 'uuid';
import { cutOff } from '../auth/sessions/cut-off.js';
import type { Database } from '../database/database.js';
import { canonicalEmail } from '../users/email.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  withDatabase,
} from './command.js';

interface RevokeOptions extends Output {
  readonly user?: string;
  readonly everybody?: true;
  readonly before?: Date;
}

/** `traffy sessions`: ending sessions from outside. */
export function addSessionsCommand(program: Command, { config }: CommandContext): void {
  const sessions = program.command('sessions').description('end sessions, on every node at once');
  sessions
    .command('revoke')
    .description('declare dead every session that was made until now, of one person or of everybody')
    .addOption(new Option('--user <address or id>', 'of this person').conflicts('everybody'))
    .option('--everybody', 'of all people: everybody has to sign in again')
    .addOption(
      new Option('--before <time>', 'only those made before, such as 2026-11-22T12:00:00Z').argParser(
        readTime,
      ),
    )
    .addOption(jsonOption())
    .action((options: RevokeOptions, command: Command) => {
      if (options.user === undefined && !options.everybody)
        command.error('error: name --user or --everybody');
      return withDatabase(config(), (database) => revoke(database, options));
    });
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError('It is a time with its zone, such as 2026-11-22T12:00:00Z.');
  }
  if (time.getTime() > Date.now()) throw new InvalidArgumentError('It has to have passed.');
  return time;
}

async function revoke(database: Database, options: RevokeOptions): Promise<void> {
  const userId = options.user === undefined ? null : await findUser(database, options.user);
  const before = options.before ?? null;
  await cutOff(database, userId, before);
  const whose = userId === null ? 'everybody' : 'that person';
  print(
    options,
    { user: userId, before: before?.toISOString() ?? null },
    `Every session of ${whose} that was made ${before ? `before ${before.toISOString()}` : 'until now'} is dead.`,
  );
}

async function findUser(database: Database, given: string): Promise<string> {
  const condition = isUuid(given) ? sql`id = ${given}` : sql`email_canonical = ${canonicalEmail(given)}`;
  const [user] = await database.query(sql<{ id: string }>`select id from users where ${condition}`);
  if (!user) throw new CommandProblem('there is no account with this address or id');
  return user.id;
}
