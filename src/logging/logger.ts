import { types } from 'node:util';
import pino, { type DestinationStream, type Logger } from 'pino';
import type { AppConfig } from '../../config/app.config.js';

/** Injection token of the logger. */
export const LOGGER = Symbol('LOGGER');

/**
 * Line separators of Unicode, and the control characters beyond ASCII's: JSON leaves them as they are, and a viewer
 * may break a line at one, or obey it (ASVS 5.0.0 16.4.1).
 */
const CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

/** Bytes of lines that are written at once, and the milliseconds that a line waits for others at most. */
const BLOCK = 8_192;
const FLUSH_INTERVAL = 100;

/**
 * JSON lines with UTC times. Errors are reduced to what helps: a driver's error carries its statement with the
 * parameters, and these are secrets.
 */
export function createLogger(
  config: AppConfig,
  destination: DestinationStream = openStandardOutput(),
): Logger {
  return pino(
    {
      level: config.LOG_LEVEL,
      base: null,
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
      // Of the error under its errorKey pino copies the message, and that may be a statement. We log under `err`.
      errorKey: 'error',
      messageKey: 'message',
    },
    {
      write: (line: string) => {
        destination.write(line.replace(CONTROLS, escapeControl));
      },
    },
  );
}

/**
 * Standard output, some lines at a time: a system call for each request would cost more than the request's own work.
 * Whoever does not read makes the process wait, so no line is dropped; a killed process loses the last 100 ms.
 */
function openStandardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true, minLength: BLOCK, periodicFlush: FLUSH_INTERVAL });
  process.once('exit', () => output.flushSync());
  return output;
}

let lastTime = { ms: 0, text: '' };

/** The time as RFC 3339 in UTC, as pino wants it. Many lines are of one millisecond. */
function isoTime(): string {
  const ms = Date.now();
  if (ms !== lastTime.ms) lastTime = { ms, text: `,"time":"${new Date(ms).toISOString()}"` };
  return lastTime.text;
}

function describeError(error: unknown): Record<string, unknown> {
  if (!types.isNativeError(error)) return { type: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const isDriverError = 'severity' in error || 'sqlState' in error;
  return {
    type: error.name,
    ...(code && { code }),
    message: isDriverError ? 'a database statement failed' : error.message,
    stack: error.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 12)
      .join('\n'),
  };
}

function escapeControl(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
