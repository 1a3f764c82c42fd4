import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

/** The data directory is used by another process. The message is for a terminal. */
export class DataDirectoryHeld extends Error {}

/** The data directory is not writable. The message is for a terminal. */
export class DataDirectoryUnusable extends Error {}

export interface DataDirectoryLock {
  /** Releases the lock. Idempotent. */
  release(): void;
}

/** SQLITE_BUSY: another process has the lock. */
const BUSY = 5;

/**
 * Locks the data directory for this process. Two processes on one embedded database lose rows without an error.
 *
 * The operating system holds the lock, on a small SQLite file, so that it ends with the process: nothing needs
 * cleaning up after a SIGKILL. The pid file beside it only serves the error message.
 *
 * @throws DataDirectoryHeld if another process (or another application in this one) has it.
 * @throws DataDirectoryUnusable
 */
export async function lockDataDirectory(dataDir: string): Promise<DataDirectoryLock> {
  // Imported here because only the embedded database needs it.
  const sqlite = await import('node:sqlite');
  const pidFile = join(dataDir, 'lock.pid');
  let file: DatabaseSync | undefined;
  try {
    // Keep password hashes private from other users of the machine.
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const held = new sqlite.DatabaseSync(join(dataDir, 'lock'));
    file = held;
    held.exec('pragma busy_timeout = 0; begin exclusive');
    writeFileSync(pidFile, `${process.pid}\n`);
    return {
      release: () => {
        if (held.isOpen) held.close();
      },
    };
  } catch (error) {
    file?.close();
    if ((error as { errcode?: number }).errcode === BUSY) {
      throw new DataDirectoryHeld(
        `the data directory ${dataDir} is in use by another process${describeHolder(pidFile)}; stop that one, or choose another with DATA_DIR`,
        { cause: error },
      );
    }
    throw new DataDirectoryUnusable(
      `the data directory ${dataDir} cannot be used: ${(error as Error).message}; make it writable, or choose another with DATA_DIR`,
      { cause: error },
    );
  }
}

/**
 * Creates a private folder, or restricts an existing one that may be open to others. Windows has no such modes; the
 * user's folder is private there.
 *
 * @throws DataDirectoryUnusable
 */
export function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (error) {
    throw new DataDirectoryUnusable(
      `the folder ${path} cannot be kept from other users: ${(error as Error).message}; choose another with DATA_DIR`,
      { cause: error },
    );
  }
}

function describeHolder(pidFile: string): string {
  try {
    return ` (pid ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
