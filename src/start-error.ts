import { ConfigError, type Config } from '../config/load.config.js';
import { ChainKeyDoesNotFit } from './audit/chain-key.js';
import { SecretsDoNotFit, UnfitSigningKey } from './auth/keys/key-pair.js';
import { StepRefused } from './cluster/step-refused.js';
import { DataDirectoryHeld, DataDirectoryUnusable } from './platform/database/data-directory.lock.js';
import { DatabaseUnfit } from './platform/database/database-unfit.js';
import { isDatabaseOutage } from './platform/http/database-outage.js';

/** The service cannot listen on the address. The message is for a terminal. */
export class CannotListen extends Error {}

/** Errors whose message needs no explanation. */
const PLAIN_ERRORS = [
  ConfigError,
  DataDirectoryHeld,
  DataDirectoryUnusable,
  DatabaseUnfit,
  SecretsDoNotFit,
  ChainKeyDoesNotFit,
  UnfitSigningKey,
  StepRefused,
  CannotListen,
];

/**
 * Explains why the service or a command could not start, in one line without a stack.
 *
 * @param config the configuration, if it was read before that.
 */
export function explainStart(error: unknown, config?: Config): string {
  if (PLAIN_ERRORS.some((type) => error instanceof type)) return (error as Error).message;
  const { code = 'unexpected', syscall } = error as NodeJS.ErrnoException;
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ') || code;
  if (config?.database.DATABASE_URL === undefined) return `${message} (${code})`;
  if (syscall === 'open') return `DATABASE_URL names a file that cannot be read: ${message}`;
  if (isDatabaseRefusal(code) || /\b(SSL|certificate)\b/i.test(message))
    return `the database refuses DATABASE_URL: ${message}`;
  if (isDatabaseOutage(error)) return `the database is unreachable (${message}); check DATABASE_URL`;
  return `${message} (${code})`;
}

/** Wrong user, password or database (classes 28 and 3D of PostgreSQL), missing rights, or a read-only database. */
function isDatabaseRefusal(code: string): boolean {
  return /^(28...|3D000|42501|25006)$/.test(code);
}
