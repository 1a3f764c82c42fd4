import { type Command, InvalidArgumentError, Option } from 'commander';
import { sql } from 'kysely';
import { AUDIT_KINDS, type AuditKind } from '../audit/audit-kinds.js';
import { AuditLog, type AuditRecord } from '../audit/audit-log.service.js';
import { type ChainPlace, placeText, readChain, readPlace } from '../audit/chain-head.js';
import { verifyChain } from '../audit/chain-verification.js';
import type { Config } from '../../config/load.config.js';
import type { Database } from '../platform/database/database.js';
import { chainText, faultText } from './chain-report.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';
import { getUserId } from './user-argument.js';

interface VerifyOptions extends Output {
  readonly head?: ChainPlace;
}

interface ListOptions extends Output {
  readonly user?: string;
  readonly kind?: AuditKind;
  readonly since?: Date;
  readonly limit: number;
}

/** Characters that a terminal would interpret, or that would break a line. */
// oxlint-disable-next-line no-control-regex -- matching control characters is the purpose
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `traffy audit`: the audit trail. */
export function addAuditCommand(program: Command, { config: read }: CommandContext): void {
  const run = (work: (database: Database, config: Config) => Promise<void>) => {
    const config = read();
    return withDatabase(config, (database) => work(database, config));
  };
  const audit = program.command('audit').description('show and verify the audit trail');
  audit
    .command('verify')
    .description('recompute the hash chain; exit with 1 if events were changed, cut or reordered')
    .addOption(
      new Option(
        '--head <place>',
        'also check a head that was saved elsewhere, such as 17:9f86…, as printed by audit head',
      ).argParser(readHead),
    )
    .addOption(jsonOption())
    .action((options: VerifyOptions) => run((database, config) => verify(database, config, options)));
  audit
    .command('list')
    .description('list events, newest first')
    .option('--user <address or id>', 'only events of this user')
    .addOption(
      new Option('--kind <kind>', 'only events of this kind, such as login_failed').argParser(readKind),
    )
    .addOption(
      new Option('--since <time>', 'only events since this time, such as 2026-11-22T12:00:00Z').argParser(
        readTime,
      ),
    )
    .addOption(new Option('--limit <count>', 'maximum number of events').argParser(readLimit).default(50))
    .addOption(jsonOption())
    .action((options: ListOptions) => run((database) => list(database, options)));
  audit
    .command('head')
    .description('show the head of the chain; save it elsewhere for audit verify --head')
    .addOption(jsonOption())
    .action((options: Output) => run((database) => head(database, options)));
}

async function verify(database: Database, { auth }: Config, options: VerifyOptions): Promise<void> {
  const report = await database.transaction(async (tx) => {
    // Nodes seal more events during the check: read one snapshot.
    await tx.query(sql`set transaction isolation level repeatable read, read only`);
    return verifyChain(tx, auth.AUTH_SECRETS, options.head ?? null);
  });
  const { broken, events, first, head: last, unsealed } = report;
  const data = {
    intact: broken === null,
    broken: broken && { fault: broken.fault, seq: Number(broken.seq), id: broken.id },
    events,
    first: first && Number(first.seq) + 1,
    head: last && placeText(last),
    unsealed: unsealed.events,
    unsealed_since: unsealed.since,
  };
  print(options, data, chainText(report));
  if (broken) throw new CommandProblem(faultText(broken));
}

async function list(database: Database, options: ListOptions): Promise<void> {
  const { kind, since, limit } = options;
  const userId = options.user === undefined ? undefined : await getUserId(database, options.user);
  const { events } = await new AuditLog(database).list({ userId, kind, since, limit });
  if (options.json) return print(options, { events: events.map(view) }, '');
  print(
    options,
    {},
    events.length === 0
      ? 'No events match.'
      : table(
          ['at', 'kind', 'user', 'actor', 'from', 'details', 'user agent'],
          events.map((event) =>
            [
              event.at.toISOString(),
              event.kind,
              event.userId ?? '-',
              event.actor,
              event.ip ?? '-',
              JSON.stringify(event.details),
              event.userAgent ?? '-',
            ].map(visible),
          ),
        ),
  );
}

async function head(database: Database, options: Output): Promise<void> {
  const chain = await readChain(database);
  if (!chain) throw new CommandProblem('no event has been sealed yet');
  const { seq, hash } = chain.head;
  print(options, { seq: Number(seq), hash: hash.toString('hex') }, placeText(chain.head));
}

function view(event: AuditRecord) {
  const { id, kind, at, actor, ip, details, seq } = event;
  return {
    id,
    kind,
    at,
    user: event.userId,
    actor,
    session: event.sessionId,
    ip,
    user_agent: event.userAgent,
    request_id: event.requestId,
    details,
    seq: seq === null ? null : Number(seq),
  };
}

function visible(text: string): string {
  return text.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function readHead(text: string): ChainPlace {
  const place = readPlace(text);
  if (!place)
    throw new InvalidArgumentError('Expected a sequence number and 64 hexadecimal digits, such as 17:9f86….');
  return place;
}

function readKind(text: string): AuditKind {
  if (Object.hasOwn(AUDIT_KINDS, text)) return text as AuditKind;
  throw new InvalidArgumentError(`Expected one of ${Object.keys(AUDIT_KINDS).join(', ')}.`);
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('Expected a time with a time zone, such as 2026-11-22T12:00:00Z.');
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= 100_000) return limit;
  throw new InvalidArgumentError('Expected a number from 1 to 100000.');
}
