import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Config } from '../../config/load.config.js';
import { Audit } from '../audit/audit.service.js';
import {
  isNetwork,
  selectSessions,
  type SelectedSession,
  type SessionSelection,
} from '../auth/sessions/session-selection.js';
import type { Database } from '../platform/database/database.js';
import { operatorContainment } from './administration.js';
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

/** Sessions listed as text; `--json` lists all. */
const SHOWN = 20;

/** Sessions revoked in one statement. */
const BATCH = 1_000;

/** `traffy sessions`: revokes sessions from the command line. */
export function addSessionsCommand(program: Command, { config }: CommandContext): void {
  const sessions = program.command('sessions').description('revoke sessions on all nodes, immediately');
  sessions
    .command('revoke')
    .description('revoke the live sessions that match all filters; --dry-run only lists them')
    .option('--user <address or id>', 'sessions of this user')
    .addOption(
      new Option('--all', 'sessions of all users: everyone must sign in again').conflicts([
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
      new Option('--since <time>', 'created at or after this time, such as 2026-11-22T12:00:00Z').argParser(
        readTime,
      ),
    )
    .addOption(
      new Option('--before <time>', 'created before this time, such as 2026-11-22T12:00:00Z').argParser(
        readTime,
      ),
    )
    .addOption(
      new Option('--cidr <network>', 'signed in from this network, such as 203.0.113.0/24').argParser(
        readNetwork,
      ),
    )
    .option('--kid <key id>', 'sessions that can have an access token of this signing key (see keys list)')
    .option('--dry-run', 'list the sessions without revoking them')
    .addOption(jsonOption())
    .action((options: RevokeOptions, command: Command) => {
      const { user, all, everybody, since, cidr, kid } = options;
      if ([user, all, everybody, since, cidr, kid].every((given) => given === undefined))
        command.error('error: give --user, --all, --since, --cidr or --kid');
      const given = config();
      return withDatabase(given, (database) => revoke(database, given, options));
    });
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError('Expected a time with a time zone, such as 2026-11-22T12:00:00Z.');
  }
  if (time.getTime() > Date.now()) throw new InvalidArgumentError('Expected a time in the past.');
  return time;
}

function readNetwork(text: string): string {
  if (isNetwork(text)) return text;
  throw new InvalidArgumentError('Expected a network such as 203.0.113.0/24 or 2001:db8::/32.');
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
    [options.dryRun ? `Would revoke ${count}.` : `Revoked ${count}.`, ...listing(found)].join('\n'),
  );
}

/** A selection by account and time is revoked by one row, which also covers a concurrent sign-in. */
async function end(
  database: Database,
  selection: SessionSelection,
  found: readonly SelectedSession[],
): Promise<void> {
  const { userId = null, since, before = null, network, kid } = selection;
  const isByAccount = !since && network === undefined && kid === undefined;
  const containment = operatorContainment();
  await database.transaction(async (tx) => {
    if (isByAccount) await containment.containMadeBefore(tx, userId, before);
    else
      for (let start = 0; start < found.length; start += BATCH) {
        const sessionIds = found.slice(start, start + BATCH).map(({ sessionId }) => sessionId);
        await containment.contain(tx, 'one_session_ended', { sessionIds, reason: 'ended_by_operator' });
      }
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
      ['session', 'user', 'created', 'from'],
      rows.map((row) => [row.id, row.user, row.created_at, row.ip ?? '']),
    ),
    ...(found.length > SHOWN ? [`… and ${found.length - SHOWN} more (--json shows all)`] : []),
  ];
}
