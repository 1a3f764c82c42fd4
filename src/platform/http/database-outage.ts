import { types } from 'node:util';
import { ConnectionException, DriverException } from '@mikro-orm/core';

/**
 * SQLSTATEs that mean "not now": connection (08), resources (53), shutdown (57), locks (55P03), and a server that
 * refuses connections (28, 3D000, 55000) or is a standby (25006).
 */
const UNAVAILABLE_STATES = /^(08...|53...|57...|55P03|40001|40P01|25P03|28...|3D000|55000|25006)$/;
const UNAVAILABLE_SYSTEM =
  /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
const UNAVAILABLE_MESSAGES =
  /timeout exceeded when trying to connect|Query read timeout|Connection terminated|not queryable|Client has encountered a connection error|PGlite is closed|the database is closed|driver has already been destroyed|pool after calling end/i;

/**
 * Whether an error means that the database is unavailable, rather than that a statement is wrong. Nothing is decided
 * then, and the client can retry.
 */
export function isDatabaseOutage(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if (error instanceof ConnectionException) return true;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (UNAVAILABLE_STATES.test(code) || UNAVAILABLE_SYSTEM.test(code)) return true;
  if (UNAVAILABLE_MESSAGES.test(error.message)) return true;
  // One error per address of the host.
  if ('errors' in error && Array.isArray(error.errors))
    return error.errors.some((inner) => isDatabaseOutage(inner));
  return error instanceof DriverException && isDatabaseOutage(error.cause);
}
