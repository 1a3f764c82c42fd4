import { types } from 'node:util';
import pino, { type DestinationStream, type Logger } from 'pino';
import type { AppConfig } from '../../../config/app.config.js';
import { standardOutput } from './standard-output.js';

/** Injection token of the logger. */
export const LOGGER = Symbol('LOGGER');

/**
 * Unicode line separators and control characters beyond ASCII: JSON does not escape them, and a viewer can break a
 * line at one, or obey it (ASVS 5.0.0 16.4.1).
 */
const CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

/**
 * JSON lines with UTC times. Errors are reduced: the error of a driver contains the statement with its parameters,
 * which are secrets.
 */
export function createLogger(config: AppConfig, destination?: DestinationStream): Logger {
  if (destination) return loggerTo(destination, config);
  const output = standardOutput();
  const logger = loggerTo(output, config);
  output.onRecovery((lines) =>
    logger.warn(
      { event: 'log_lines_dropped', lines },
      'the log could not be written: a full disk, or a reader that did not read',
    ),
  );
  return logger;
}

function loggerTo(destination: DestinationStream, config: AppConfig): Logger {
  return pino(
    {
      level: config.LOG_LEVEL,
      base: null,
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
      // pino copies the message of an error under its errorKey, and that can be a statement. We log errors under
      // `err`.
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

let lastTime = { ms: 0, text: '' };

/** Formats the time for pino as RFC 3339 in UTC. Many lines share a millisecond. */
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
