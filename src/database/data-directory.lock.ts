import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The data directory is in use by another process. The message is for a terminal. */
export class DataDirectoryHeld extends Error {}

export interface DataDirectoryLock {
  release(): void;
}

/**
 * Takes the data directory for this process. Two processes on one embedded database lose rows without an error.
 *
 * The lock is the operating system's lock on a small SQLite file, so it ends with the process, however that ends:
 * nothing is left to clean up after a SIGKILL. The pid file beside it only serves the message.
 *
 * @throws DataDirectoryHeld when another process (or another application in this one) has it.
 */
export async function lockDataDirectory(dataDir: string): Promise<DataDirectoryLock> {
  mkdirSync(dataDir, { recursive: true });
  // Loaded here, because only the embedded database needs it.
  const { DatabaseSync } = await import('node:sqlite');
  const pidFile = join(dataDir, 'lock.pid');
  const file = new DatabaseSync(join(dataDir, 'lock'));
  try {
    file.exec('pragma busy_timeout = 0; begin exclusive');
  } catch {
    file.close();
    throw new DataDirectoryHeld(
      `the data directory ${dataDir} is in use by another process${describeHolder(pidFile)}; stop that one, or choose another with DATA_DIR`,
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { release: () => file.close() };
}

function describeHolder(pidFile: string): string {
  try {
    return ` (pid ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
