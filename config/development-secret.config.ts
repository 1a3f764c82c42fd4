import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The path of the generated secret in a data folder. */
export function developmentSecretPath(dataDir: string): string {
  return join(dataDir, 'auth-secret');
}

/**
 * The secret of a development environment, generated at the first start and kept in the data folder, readable by the
 * owner only. Concurrent starts agree on one secret: a hard link makes the complete file appear exactly once.
 *
 * @throws the file system's error if the folder cannot be used.
 */
export function developmentSecret(dataDir: string): string {
  const path = developmentSecretPath(dataDir);
  const existing = readIfThere(path);
  if (existing !== null) return existing;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8').trim();
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
