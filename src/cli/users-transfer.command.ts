import { createWriteStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { Config } from '../../config/load.config.js';
import { recordEvent } from '../audit/audit.service.js';
import { type FirebaseKey, readFirebaseKey } from '../users/import/firebase-key.js';
import { type ExportCount, exportedLines } from '../users/import/user-export.js';
import {
  type BadLine,
  type ImportOptions,
  ImportRefused,
  type ImportReport,
  importUsers,
} from '../users/import/user-import.js';
import { inSeconds } from '../users/import/import-line.js';
import { HashCosts } from '../users/passwords/hash-costs.js';
import { costOf, hashParameters } from '../users/passwords/new-hash.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  withDatabase,
} from './command.js';

interface ImportArguments extends Output {
  readonly dryRun?: true;
  readonly again?: true;
  readonly force?: true;
  readonly report?: string;
  readonly firebaseKey?: string;
}

interface ExportArguments extends Output {
  readonly out?: string;
}

/** Bad lines listed as text; the report has all. */
const SHOWN = 20;
/** Password hashes: other users of the machine must not read the file. */
const PRIVATE = 0o600;

/** `traffy users import` and `traffy users export`: accounts in bulk, as JSON lines. */
export function addUserTransfer(users: Command, { config }: CommandContext): void {
  users
    .command('import')
    .description(
      'import accounts with the password hashes of another system; resumes a file where it stopped',
    )
    .argument('<file>', 'JSON lines, one account a line')
    .option('--dry-run', 'count formats and list bad lines without writing')
    .option('--again', 'import a file again from its start; existing accounts do not change')
    .option('--force', 'import hashes that slow negative answers down by more than ANSWER_FLOOR_MAX')
    .option('--report <path>', 'write all bad lines to this new file, as JSON lines')
    .option('--firebase-key <path>', 'a file with the password hash parameters of a Firebase project')
    .addOption(jsonOption())
    .action((path: string, options: ImportArguments) => importFile(config(), path, options));
  users
    .command('export')
    .description(
      'write all accounts with their password hashes, in the format of import; keep the output secret',
    )
    .option('--out <path>', 'write to a new file that only you can read, not to standard output')
    .addOption(jsonOption())
    .action((options: ExportArguments) => exportAll(config(), options));
}

async function importFile(config: Config, path: string, options: ImportArguments): Promise<void> {
  const firebaseKey = options.firebaseKey === undefined ? null : await readKey(options.firebaseKey);
  const report = options.report === undefined ? null : await createPrivate(options.report);
  const listed: BadLine[] = [];
  const bar = new SingleBar({ format: '{bar} {percentage}% | {eta_formatted} left', clearOnComplete: true });
  if (process.stderr.isTTY) bar.start(1, 0);
  const common: Omit<ImportOptions, 'database'> = {
    firebaseKey,
    own: costOf(hashParameters(config.password)),
    floorMaxMs: options.force ? null : config.password.ANSWER_FLOOR_MAX * 1000,
    costs: new HashCosts(),
    ...(options.again && { again: true }),
    onBadLine: (bad) => {
      report?.write(`${JSON.stringify(bad)}\n`);
      if (options.json || listed.length < SHOWN) listed.push(bad);
    },
    onProgress: (done, total) => {
      bar.setTotal(total);
      bar.update(done);
    },
  };
  try {
    const result = options.dryRun
      ? await importUsers(path, { ...common, database: null })
      : await withDatabase(config, (database) => importUsers(path, { ...common, database }));
    bar.stop();
    tell(result, listed, options);
  } catch (error) {
    throw explain(error, path);
  } finally {
    bar.stop();
    await closed(report);
  }
}

function tell(result: ImportReport, listed: readonly BadLine[], options: ImportArguments): void {
  const { lines, imported, duplicates, bad, formats, floorMs, resumedAfter } = result;
  const done = options.dryRun ? 'would be imported, minus those that exist' : 'imported';
  const text = [
    ...(resumedAfter > 0 ? [`Resumed after line ${resumedAfter}.`] : []),
    `${lines} lines: ${imported} ${done}, ${duplicates} existed already, ${bad} bad.`,
    ...Object.entries(formats).map(
      ([format, count]) => `  ${format}: ${count}${costOfFormat(floorMs[format])}`,
    ),
    ...listed.map(({ line, reason }) => `  line ${line}: ${reason}`),
    ...(bad > listed.length ? [`  and ${bad - listed.length} more; use --report <path> to write all`] : []),
  ];
  print(
    options,
    {
      dry_run: options.dryRun ?? false,
      lines,
      imported,
      duplicates,
      bad,
      formats,
      answer_floor_ms: floorMs,
      resumed_after: resumedAfter,
      bad_lines: listed,
    },
    text.join('\n'),
  );
  if (bad > 0) throw new CommandProblem(`${bad} lines cannot be imported`);
}

/** What a format costs everybody. */
function costOfFormat(floorMs: number | undefined): string {
  return floorMs === undefined
    ? ''
    : `; while stored beside other formats, every negative sign-in answer takes at least ${inSeconds(floorMs)}`;
}

async function readKey(path: string): Promise<FirebaseKey> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw explain(error, path);
  });
  const key = readFirebaseKey(text);
  if (key) return key;
  throw new CommandProblem(
    `${path} does not have base64_signer_key, base64_salt_separator, rounds and mem_cost as the Firebase console shows them`,
  );
}

async function exportAll(config: Config, options: ExportArguments): Promise<void> {
  const { out } = options;
  const count: ExportCount = { accounts: 0, admins: 0 };
  await withDatabase(config, async (database) => {
    const file = out === undefined ? null : await createPrivate(out);
    await recordEvent(database, { kind: 'users_exported', userId: null, actor: 'operator' });
    const lines = Readable.from(exportedLines(database, count));
    await (file ? pipeline(lines, file) : pipeline(lines, process.stdout, { end: false }));
  });
  const { accounts, admins } = count;
  if (admins > 0)
    process.stderr.write(
      admins === 1
        ? 'traffy: 1 of the accounts is an administrator; an import makes it an ordinary user\n'
        : `traffy: ${admins} of the accounts are administrators; an import makes them ordinary users\n`,
    );
  if (out !== undefined)
    print(options, { accounts, admins, file: out }, `${accounts} accounts are in ${out}.`);
}

/** Creates a new file with mode 0600. A file that another user created in advance is refused. */
async function createPrivate(path: string): Promise<ReturnType<typeof createWriteStream>> {
  try {
    const file = await open(path, 'wx', PRIVATE);
    return file.createWriteStream();
  } catch (error) {
    throw explain(error, path);
  }
}

async function closed(stream: ReturnType<typeof createWriteStream> | null): Promise<void> {
  if (stream) await new Promise<void>((resolve) => stream.end(() => resolve()));
}

/** Turns an error of a file into a message; returns other errors unchanged. */
function explain(error: unknown, path: string): unknown {
  if (error instanceof ImportRefused) return new CommandProblem(error.message);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return new CommandProblem(`${path} already exists; give the path of a new file`);
  if (code === undefined || syscall === undefined || !/^(open|read|write)$/.test(syscall)) return error;
  return new CommandProblem(`cannot use ${path} (${code})`);
}
