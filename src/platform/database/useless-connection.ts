/**
 * SQLSTATEs after which a connection is of no use: the server is a standby or read-only (25006), ended the session (57P,
 * 25P03, 25P04), is not what it was (58, XX001, XX002), or the connection broke (08).
 */
const USELESS = /^(08...|25006|25P03|25P04|57P0.|58...|XX001|XX002)$/;

/** Whether the error of a statement means that its connection must not be used again. */
export function makesUseless(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // The driver would return the connection to the pool with the old query still running.
  if (error.message === 'Query read timeout') return true;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (severity === 'FATAL' || severity === 'PANIC') return true;
  return typeof code === 'string' && USELESS.test(code);
}
