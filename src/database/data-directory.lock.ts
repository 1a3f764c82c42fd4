import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

/** The data directory is in use by another process. The message is for a terminal. */
export class DataDirectoryHeld extends Error {}

/** The data directory cannot be written to. The message is for a terminal. */
export class DataDirectoryUnusable extends Error {}

export interface DataDirectoryLock {
  /** Gives it back; once more does no harm. */
  release(): void;
}

/** What SQLite answers when another process has the lock (SQLITE_BUSY). */
const BUSY = 5;

/**
 * Takes the data directory for this process. Two processes on one embedded database lose rows without an error.
 *
 * The lock is the operating system's lock on a small SQLite file, so it ends with the process, however that ends:
 * nothing is left to clean up after a SIGKILL. The pid file beside it only serves the message.
 *
 * @throws DataDirectoryHeld when another process (or another application in this one) has it.
 * @throws DataDirectoryUnusable
 */
export async function lockDataDirectory(dataDir: string): Promise<DataDirectoryLock> {
  // Loaded here, because only the embedded database needs it.
  const sqlite = await import('node:sqlite');
  const pidFile = join(dataDir, 'lock.pid');
  let file: DatabaseSync | undefined;
  try {
    // Others on this machine have no business with password hashes.
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
 * Makes a folder that nobody else on this machine can look into, or closes one that is there: the data directory
 * may have been made by somebody else, and be open. Windows has no such modes; there the user's folder is private.
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
