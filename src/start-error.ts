import { ConfigError, type Config } from '../config/load.config.js';
import { ChainKeyDoesNotFit } from './audit/chain-key.js';
import { SecretsDoNotFit, UnfitSigningKey } from './auth/keys/key-pair.js';
import { StepRefused } from './auth/nodes/step-refused.js';
import { DataDirectoryHeld, DataDirectoryUnusable } from './database/data-directory.lock.js';
import { isDatabaseOutage } from './problems/database-outage.js';

/** The address cannot be listened on. The message is for a terminal. */
export class CannotListen extends Error {}

/** Errors whose message says it all. */
const PLAIN_ERRORS = [
  ConfigError,
  DataDirectoryHeld,
  DataDirectoryUnusable,
  SecretsDoNotFit,
  ChainKeyDoesNotFit,
  UnfitSigningKey,
  StepRefused,
  CannotListen,
];

/**
 * What kept the service, or a command, from starting, in one line and without a stack.
 *
 * @param config what was read of the configuration before that.
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

/** Wrong user, password or database (classes 28 and 3D of PostgreSQL), no rights there, or only for reading. */
function isDatabaseRefusal(code: string): boolean {
  return /^(28...|3D000|42501|25006)$/.test(code);
}
