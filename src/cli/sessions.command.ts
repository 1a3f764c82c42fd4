import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import { cutOff } from '../auth/sessions/cut-off.js';
import {
  endSessions,
  isNetwork,
  selectSessions,
  type SelectedSession,
  type SessionSelection,
} from '../auth/sessions/session-selection.js';
import type { Database } from '../database/database.js';
import { type CommandContext, jsonOption, type Output, print, table, withDatabase } from './command.js';
import { getUserId } from './user-argument.js';

interface RevokeOptions extends Output {
  readonly user?: string;
  readonly all?: true;
  readonly everybody?: true;
  readonly since?: Date;
  readonly before?: Date;
  readonly cidr?: string;
  readonly kid?: string;
  readonly dryRun?: true;
}

/** Sessions that are shown to a person; with --json, all are. */
const SHOWN = 20;

/** `traffy sessions`: ending sessions from outside. */
export function addSessionsCommand(program: Command, { config }: CommandContext): void {
  const sessions = program.command('sessions').description('end sessions, on every node at once');
  sessions
    .command('revoke')
    .description('end the live sessions that all of this holds for; --dry-run only shows them')
    .option('--user <address or id>', 'of this person')
    .addOption(
      new Option('--all', 'of all people: everybody has to sign in again').conflicts([
        'user',
        'since',
        'cidr',
        'kid',
      ]),
    )
    .addOption(
      new Option('--everybody', 'the same as --all').conflicts(['user', 'since', 'cidr', 'kid']).hideHelp(),
    )
    .addOption(
      new Option('--since <time>', 'made at or after, such as 2026-11-22T12:00:00Z').argParser(readTime),
    )
    .addOption(new Option('--before <time>', 'made before, such as 2026-11-22T12:00:00Z').argParser(readTime))
    .addOption(
      new Option('--cidr <network>', 'signed in from, such as 203.0.113.0/24').argParser(readNetwork),
    )
    .option('--kid <key id>', 'that may hold an access token of this signing key (see keys list)')
    .option('--dry-run', 'show what it would end, and end nothing')
    .addOption(jsonOption())
    .action((options: RevokeOptions, command: Command) => {
      const { user, all, everybody, since, cidr, kid } = options;
      if ([user, all, everybody, since, cidr, kid].every((given) => given === undefined))
        command.error('error: name --user, --all, --since, --cidr or --kid');
      const given = config();
      return withDatabase(given, (database) => revoke(database, given, options));
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

function readNetwork(text: string): string {
  if (isNetwork(text)) return text;
  throw new InvalidArgumentError('It is a network such as 203.0.113.0/24 or 2001:db8::/32.');
}

async function revoke(database: Database, { auth }: Config, options: RevokeOptions): Promise<void> {
  const { since, before, cidr: network, kid } = options;
  const userId = options.user === undefined ? undefined : await getUserId(database, options.user);
  const selection: SessionSelection = {
    ...(userId !== undefined && { userId }),
    ...(since && { since }),
    ...(before && { before }),
    ...(network !== undefined && { network }),
    ...(kid !== undefined && { kid }),
  };
  const selected = await selectSessions(database, selection, auth.SESSION_IDLE_TTL);
  if (!options.dryRun) await end(database, selection, selected);
  const found = selected.filter(({ isLive }) => isLive);
  const count = found.length === 1 ? '1 session' : `${found.length} sessions`;
  print(
    options,
    {
      user: userId ?? null,
      since: since?.toISOString() ?? null,
      before: before?.toISOString() ?? null,
      cidr: network ?? null,
      kid: kid ?? null,
      dry_run: options.dryRun === true,
      sessions: found.map(view),
    },
    [options.dryRun ? `It would end ${count}.` : `Dead: ${count}.`, ...listing(found)].join('\n'),
  );
}

/** What is meant by person and time alone is declared dead by one row, which a sign-in under way does not escape. */
async function end(
  database: Database,
  selection: SessionSelection,
  found: readonly SelectedSession[],
): Promise<void> {
  const { userId = null, since, before = null, network, kid } = selection;
  const isByPerson = !since && network === undefined && kid === undefined;
  await database.transaction(async (tx) => {
    if (isByPerson) await cutOff(tx, userId, before);
    else
      await endSessions(
        tx,
        found.map(({ sessionId }) => sessionId),
      );
    await new Audit(database).record(
      {
        kind: 'sessions_revoked',
        userId,
        actor: 'operator',
        details: {
          sessions: found.filter(({ isLive }) => isLive).length,
          ...(since && { since: since.toISOString() }),
          ...(before && { before: before.toISOString() }),
          ...(network !== undefined && { network }),
          ...(kid !== undefined && { kid }),
        },
      },
      tx,
    );
  });
}

function view({ sessionId, userId, strategy, createdAt, ip }: SelectedSession) {
  return { id: sessionId, user: userId, strategy, created_at: createdAt.toISOString(), ip };
}

function listing(found: readonly SelectedSession[]): string[] {
  if (found.length === 0) return [];
  const rows = found.slice(0, SHOWN).map(view);
  return [
    table(
      ['session', 'user', 'made', 'from'],
      rows.map((row) => [row.id, row.user, row.created_at, row.ip ?? '']),
    ),
    ...(found.length > SHOWN ? [`… and ${found.length - SHOWN} more (--json shows all)`] : []),
  ];
}
