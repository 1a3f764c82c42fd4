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
  readonly report?: string;
  readonly firebaseKey?: string;
}

interface ExportArguments extends Output {
  readonly out?: string;
}

/** Bad lines that are shown to a person; a report has all of them. */
const SHOWN = 20;
/** Whoever else can read files on this machine must not read these. */
const PRIVATE = 0o600;

/** `traffy users import` and `traffy users export`: accounts in bulk, as JSON lines. */
export function addUserTransfer(users: Command, { config }: CommandContext): void {
  users
    .command('import')
    .description('import accounts with the hashes of another system; the same file goes on where it stopped')
    .argument('<file>', 'an account a line, as JSON')
    .option('--dry-run', 'count formats and list bad lines, and write nothing')
    .option('--again', 'go through a file that was imported before; accounts that exist stay as they are')
    .option('--report <path>', 'where to write every bad line, as JSON lines')
    .option('--firebase-key <path>', 'where the password hash parameters of a Firebase project stand')
    .addOption(jsonOption())
    .action((path: string, options: ImportArguments) => importFile(config(), path, options));
  users
    .command('export')
    .description('write every account with its hash, so that import reads it: as secret as the database')
    .option('--out <path>', 'into a new file that only you can read, instead of standard output')
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
  const { lines, imported, duplicates, bad, formats, resumedAfter } = result;
  const done = options.dryRun ? 'would be imported, less those that exist' : 'imported';
  const text = [
    ...(resumedAfter > 0 ? [`Went on after line ${resumedAfter}.`] : []),
    `${lines} lines: ${imported} ${done}, ${duplicates} that there were already, ${bad} bad.`,
    ...Object.entries(formats).map(([format, count]) => `  ${format}: ${count}`),
    ...listed.map(({ line, reason }) => `  line ${line}: ${reason}`),
    ...(bad > listed.length ? [`  and ${bad - listed.length} more; --report <path> writes all of them`] : []),
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
      resumed_after: resumedAfter,
      bad_lines: listed,
    },
    text.join('\n'),
  );
  if (bad > 0) throw new CommandProblem(`${bad} lines cannot be imported`);
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
        ? 'traffy: 1 of the accounts is an administrator; an import makes it a user\n'
        : `traffy: ${admins} of the accounts are administrators; an import makes them users\n`,
    );
  if (out !== undefined)
    print(options, { accounts, admins, file: out }, `${accounts} accounts are in ${out}.`);
}

/** A new file of ours alone: what another may have made there beforehand is not written to. */
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

/** What went wrong with a file, in words; anything else as it is. */
function explain(error: unknown, path: string): unknown {
  if (error instanceof ImportRefused) return new CommandProblem(error.message);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return new CommandProblem(`${path} exists already; name a new file`);
  if (code === undefined || syscall === undefined || !/^(open|read|write)$/.test(syscall)) return error;
  return new CommandProblem(`cannot use ${path} (${code})`);
}
