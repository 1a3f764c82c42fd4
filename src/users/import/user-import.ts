import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { recordEvent } from '../../audit/audit.service.js';
import type { Database, Queries } from '../../platform/database/database.js';
import { NOW } from '../../platform/database/sql-time.js';
import type { PasswordHash } from '../passwords/formats/hash-format.js';
import { PasswordFormats } from '../passwords/password-formats.service.js';
import type { UsersTables } from '../users.tables.js';
import { linesOf } from './file-lines.js';
import { type ImportedRow, type LineOptions, readImportLine } from './import-line.js';

/** The result of an import or a dry run. */
export interface ImportReport {
  /** Non-empty lines of this run. */
  readonly lines: number;
  readonly imported: number;
  /** Accounts whose address or id already existed: they are not changed. */
  readonly duplicates: number;
  readonly bad: number;
  /** Accounts by the format of their hash; `none` without a password. */
  readonly formats: Readonly<Record<string, number>>;
  /** The milliseconds that every negative sign-in answer takes at least while a format is stored beside another. */
  readonly floorMs: Readonly<Record<string, number>>;
  /** The last line of an earlier run. */
  readonly resumedAfter: number;
}

/** A line that cannot be imported. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

export interface ImportOptions extends LineOptions {
  /** The database to write to; null for a dry run. */
  readonly database: Database | null;
  /** Starts from the first line even if an earlier run got further. */
  readonly again?: true;
  readonly onBadLine: (bad: BadLine) => void;
  /** The bytes read, and the total. */
  readonly onProgress: (done: number, total: number) => void;
}

/** Why a file was not imported, or only in part. */
export class ImportRefused extends Error {}

/** Accounts stored in one transaction. */
const BATCH = 500;

interface Run {
  readonly id: string;
  linesDone: number;
}

/**
 * Imports a file of accounts, JSON lines, in constant memory. Each batch is stored together with its position, so
 * that importing the same file again resumes where it stopped. An existing account is never changed.
 *
 * @throws ImportRefused
 */
export async function importUsers(path: string, options: ImportOptions): Promise<ImportReport> {
  const file = await open(path);
  try {
    return await importFile(file, options);
  } finally {
    await file.close();
  }
}

async function importFile(file: FileHandle, options: ImportOptions): Promise<ImportReport> {
  const { database, onBadLine, onProgress } = options;
  const { size } = await file.stat();
  const fileHash = database ? await hashOf(file) : null;
  const run = database && fileHash ? await begin(database, fileHash, options) : null;
  const resumedAfter = run?.linesDone ?? 0;
  const counts = { lines: 0, imported: 0, duplicates: 0, bad: 0 };
  const formats = new Map<string, number>();
  const floors = new Map<string, number>();
  let batch = new Batch();
  const store = async (linesDone: number) => {
    counts.imported += database && run ? await batch.store(database, run, linesDone) : batch.size;
    counts.duplicates = counts.lines - counts.bad - counts.imported;
    batch = new Batch();
  };

  const hash = createHash('sha256');
  let last = 0;
  for await (const { number, bytes, offset } of linesOf(
    file.createReadStream({ start: 0, autoClose: false }),
    hash,
  )) {
    last = number;
    if (number <= resumedAfter || isBlank(bytes)) continue;
    counts.lines += 1;
    const reading =
      bytes === null ? { reason: 'it is longer than 16 KiB' } : await readImportLine(bytes, options);
    if ('reason' in reading) {
      counts.bad += 1;
      onBadLine({ line: number, reason: reading.reason });
    } else {
      const format = reading.hash?.format ?? 'none';
      formats.set(format, (formats.get(format) ?? 0) + 1);
      if (reading.hash)
        floors.set(format, Math.max(floors.get(format) ?? 0, await options.costs.floorOf([reading.hash])));
      batch.add(reading.row, reading.hash);
    }
    if (batch.size >= BATCH) {
      await store(number);
      onProgress(offset, size);
    }
  }
  if (fileHash && !hash.digest().equals(fileHash))
    throw new ImportRefused('the file changed while it was read; import it again');
  await store(last);
  onProgress(size, size);
  const report = {
    ...counts,
    formats: Object.fromEntries([...formats].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    floorMs: Object.fromEntries(floors),
    resumedAfter,
  };
  if (database && run) await finish(database, run, report);
  return report;
}

/** Accounts that are stored in one transaction. */
class Batch {
  private readonly rows: ImportedRow[] = [];
  private readonly hashes = new Map<string, PasswordHash>();

  get size(): number {
    return this.rows.length;
  }

  add(row: ImportedRow, hash: PasswordHash | null): void {
    this.rows.push(row);
    if (hash && hash.work > (this.hashes.get(hash.pattern)?.work ?? 0)) this.hashes.set(hash.pattern, hash);
  }

  /** @returns the number of new accounts. */
  store(database: Database, run: Run, linesDone: number): Promise<number> {
    return database.transaction(async (tx) => {
      const moved = await tx
        .of<UsersTables>()
        .updateTable('imports')
        .set({ lines_done: linesDone, updated_at: NOW })
        .where('id', '=', run.id)
        .where('lines_done', '=', run.linesDone)
        .where('finished_at', 'is', null)
        .returning('id')
        .execute();
      if (moved.length === 0) throw new ImportRefused('another process is importing the same file');
      await new PasswordFormats(database).note([...this.hashes.values()], tx);
      const stored = await this.insert(tx);
      run.linesDone = linesDone;
      return stored;
    });
  }

  private async insert(tx: Queries): Promise<number> {
    // Insert in one order to avoid deadlocks between imports of the same addresses.
    const rows = this.rows.toSorted((a, b) => (a.email_canonical < b.email_canonical ? -1 : 1));
    const stored = await tx.query(
      sql`insert into users (id, email, email_canonical, password_hash, name, email_verified_at, disabled_at,
            password_compromised_at, created_at)
          select id, email, email_canonical, password_hash, name, case when is_verified then now() end,
            case when is_disabled then now() end, case when is_compromised then now() end,
            least(coalesce(created_at, now()), now())
          from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (id uuid, email text, email_canonical text,
            password_hash text, name text, is_verified boolean, is_disabled boolean, is_compromised boolean,
            created_at timestamptz)
          on conflict do nothing returning 1`,
    );
    return stored.length;
  }
}

/** @throws ImportRefused for a file that was already imported completely. */
async function begin(database: Database, fileHash: Buffer, { again }: ImportOptions): Promise<Run> {
  return database.transaction(async (tx) => {
    const imports = tx.of<UsersTables>();
    await imports
      .insertInto('imports')
      .values({ id: uuidv7(), file_hash: fileHash })
      .onConflict((conflict) => conflict.column('file_hash').doNothing())
      .execute();
    if (again)
      await imports
        .updateTable('imports')
        .set({ lines_done: 0, finished_at: null, updated_at: NOW })
        .where('file_hash', '=', fileHash)
        .execute();
    const run = await imports
      .selectFrom('imports')
      .select(['id', 'lines_done', 'finished_at'])
      .where('file_hash', '=', fileHash)
      .executeTakeFirst();
    if (!run || run.finished_at !== null)
      throw new ImportRefused('this file was already imported completely; use --again to import it again');
    const linesDone = run.lines_done;
    await recordEvent(tx, {
      kind: 'users_imported',
      userId: null,
      actor: 'operator',
      details: { step: 'begun', file: nameOf(fileHash), resumed_after: linesDone },
    });
    return { id: run.id, linesDone };
  });
}

async function finish(database: Database, run: Run, report: ImportReport): Promise<void> {
  await database.transaction(async (tx) => {
    const row = await tx
      .of<UsersTables>()
      .updateTable('imports')
      .set({ finished_at: NOW, updated_at: NOW })
      .where('id', '=', run.id)
      .where('finished_at', 'is', null)
      .returning('file_hash')
      .executeTakeFirst();
    if (!row) throw new ImportRefused('another process is importing the same file');
    const { imported, duplicates, bad, resumedAfter } = report;
    await recordEvent(tx, {
      kind: 'users_imported',
      userId: null,
      actor: 'operator',
      details: {
        step: 'finished',
        file: nameOf(row.file_hash),
        imported,
        duplicates,
        bad,
        resumed_after: resumedAfter,
      },
    });
  });
}

async function hashOf(file: FileHandle): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }))
    hash.update(chunk as Buffer);
  return hash.digest();
}

/** The name of a file in the audit trail: the start of its SHA-256. */
function nameOf(fileHash: Buffer): string {
  return fileHash.toString('hex').slice(0, 16);
}

function isBlank(bytes: Buffer | null): boolean {
  return bytes !== null && bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
