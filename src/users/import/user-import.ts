import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { recordEvent } from '../../audit/audit.service.js';
import type { Database, Queries } from '../../database/database.js';
import type { PasswordHash } from '../passwords/formats/hash-format.js';
import { PasswordFormats } from '../passwords/password-formats.service.js';
import { linesOf } from './file-lines.js';
import { type ImportedRow, type LineOptions, readImportLine } from './import-line.js';

/** What became of a file, or would become of it. */
export interface ImportReport {
  /** Lines that have something in them, of this run. */
  readonly lines: number;
  readonly imported: number;
  /** Accounts whose address or id there was already: they stay as they were. */
  readonly duplicates: number;
  readonly bad: number;
  /** Accounts by the format of their hash; `none` for those without a password. */
  readonly formats: Readonly<Record<string, number>>;
  /** The line that an earlier run had come to. */
  readonly resumedAfter: number;
}

/** A line that is not imported. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

export interface ImportOptions extends LineOptions {
  /** Where the accounts go; null to look only. */
  readonly database: Database | null;
  /** Begins from the first line although an earlier run came further. */
  readonly again?: true;
  readonly onBadLine: (bad: BadLine) => void;
  /** Bytes that were read, and those there are. */
  readonly onProgress: (done: number, total: number) => void;
}

/** Why a file was not imported, or not to its end. */
export class ImportRefused extends Error {}

/** Accounts that one transaction stores. */
const BATCH = 500;

interface Run {
  readonly id: string;
  linesDone: number;
}

/**
 * Imports a file of accounts, JSON lines, in as little memory for a large file as for a small one. Each batch is stored
 * together with how far it came, so that the same file, imported once more, goes on where it was stopped. An account that
 * exists is never changed.
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
    const reading = bytes === null ? { reason: 'it is longer than 16 KiB' } : readImportLine(bytes, options);
    if ('reason' in reading) {
      counts.bad += 1;
      onBadLine({ line: number, reason: reading.reason });
    } else {
      const format = reading.hash?.format ?? 'none';
      formats.set(format, (formats.get(format) ?? 0) + 1);
      batch.add(reading.row, reading.hash);
    }
    if (batch.size >= BATCH) {
      await store(number);
      onProgress(offset, size);
    }
  }
  if (fileHash && !hash.digest().equals(fileHash))
    throw new ImportRefused('the file changed while it was read; import it once more');
  await store(last);
  onProgress(size, size);
  const report = {
    ...counts,
    formats: Object.fromEntries([...formats].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    resumedAfter,
  };
  if (database && run) await finish(database, run, report);
  return report;
}

/** Accounts that are stored together. */
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

  /** @returns how many there were not yet. */
  store(database: Database, run: Run, linesDone: number): Promise<number> {
    return database.transaction(async (tx) => {
      const moved = await tx.query(
        sql`update imports set lines_done = ${linesDone}, updated_at = now()
            where id = ${run.id} and lines_done = ${run.linesDone} and finished_at is null returning 1`,
      );
      if (moved.length === 0) throw new ImportRefused('another process is importing the same file');
      await new PasswordFormats(database).note([...this.hashes.values()], tx);
      const stored = await this.insert(tx);
      run.linesDone = linesDone;
      return stored;
    });
  }

  private async insert(tx: Queries): Promise<number> {
    // In one order, so that two imports of the same addresses never wait for each other crosswise.
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

/** @throws ImportRefused for a file that was imported to its end before. */
async function begin(database: Database, fileHash: Buffer, { again }: ImportOptions): Promise<Run> {
  return database.transaction(async (tx) => {
    await tx.query(
      sql`insert into imports (id, file_hash) values (${uuidv7()}, ${fileHash}) on conflict (file_hash) do nothing`,
    );
    if (again)
      await tx.query(
        sql`update imports set lines_done = 0, finished_at = null, updated_at = now() where file_hash = ${fileHash}`,
      );
    const [run] = await tx.query(
      sql<{ id: string; lines_done: string; is_finished: boolean }>`select id, lines_done::text as lines_done,
        finished_at is not null as is_finished from imports where file_hash = ${fileHash}`,
    );
    if (!run || run.is_finished)
      throw new ImportRefused('this file was imported before, to its end; --again goes through it once more');
    const linesDone = Number(run.lines_done);
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
    const finished = await tx.query(
      sql<{ file_hash: Uint8Array }>`update imports set finished_at = now(), updated_at = now()
        where id = ${run.id} and finished_at is null returning file_hash`,
    );
    const [row] = finished;
    if (!row) throw new ImportRefused('another process is importing the same file');
    const { imported, duplicates, bad, resumedAfter } = report;
    await recordEvent(tx, {
      kind: 'users_imported',
      userId: null,
      actor: 'operator',
      details: {
        step: 'finished',
        file: nameOf(Buffer.from(row.file_hash)),
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

/** How the audit trail names a file: the beginning of its SHA-256. */
function nameOf(fileHash: Buffer): string {
  return fileHash.toString('hex').slice(0, 16);
}

function isBlank(bytes: Buffer | null): boolean {
  return bytes !== null && bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
