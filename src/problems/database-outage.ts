import { types } from 'node:util';
import { ConnectionException, DriverException } from '@mikro-orm/core';

/**
 * Answers of PostgreSQL that mean "not now": connection (08), resources (53), shutdown (57), locks (55P03), and a server
 * that lets nobody in (28, 3D000, 55000) or is a standby (25006).
 */
const UNAVAILABLE_STATES = /^(08...|53...|57...|55P03|40001|40P01|25P03|28...|3D000|55000|25006)$/;
const UNAVAILABLE_SYSTEM =
  /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
const UNAVAILABLE_MESSAGES =
  /timeout exceeded when trying to connect|Query read timeout|Connection terminated|not queryable|Client has encountered a connection error|PGlite is closed|the database is closed|driver has already been destroyed|pool after calling end/i;

/**
 * Whether an error says that the database cannot answer now, rather than that a statement is wrong. Then nothing
 * is decided and the client may come back.
 */
export function isDatabaseOutage(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if (error instanceof ConnectionException) return true;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (UNAVAILABLE_STATES.test(code) || UNAVAILABLE_SYSTEM.test(code)) return true;
  if (UNAVAILABLE_MESSAGES.test(error.message)) return true;
  // Several addresses of one host, each refused.
  if ('errors' in error && Array.isArray(error.errors))
    return error.errors.some((inner) => isDatabaseOutage(inner));
  return error instanceof DriverException && isDatabaseOutage(error.cause);
}
