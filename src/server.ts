import { parseArgs } from 'node:util';
import { ConfigError, loadConfig, type Config } from '../config/load.config.js';
import { createApp, type RunningApp } from './app.factory.js';
import { SecretsDoNotFit } from './auth/keys/signing-keys.service.js';
import { DataDirectoryHeld } from './database/data-directory.lock.js';
import { isDatabaseOutage } from './problems/database-outage.js';

/** Milliseconds that requests in flight get at a stop, and after which the process ends whatever happens. */
const DRAIN = 6_000;
const STOP_AT_LATEST = 9_000;

/**
 * Starts the service and runs it until SIGTERM or SIGINT. What keeps it from starting is told in one line, with
 * exit code 1, or 2 for arguments that are not understood.
 */
export async function serve(args: string[]): Promise<void> {
  const startedAt = Date.now();
  const port = readPort(args);
  let running: RunningApp | undefined;
  try {
    const config = loadConfig(port === undefined ? process.env : { ...process.env, PORT: port });
    const tell = config.app.APP_ENV === 'development' ? say : () => undefined;
    for (const note of config.notes) process.stderr.write(`Traffy: ${note}.\n`);
    running = await createApp(config, { tell });
    await running.app.listen({ host: config.app.HOST, port: config.app.PORT });
    stopOnSignal(running);
    announce(running, config, Date.now() - startedAt);
  } catch (error) {
    process.stderr.write(`Traffy cannot start: ${explain(error)}\n`);
    await running?.close().catch(() => undefined);
    process.exit(1);
  }
}

function readPort(args: string[]): string | undefined {
  try {
    return parseArgs({ args, options: { port: { type: 'string' } }, allowPositionals: false }).values.port;
  } catch (error) {
    process.stderr.write(
      `Traffy cannot start: ${(error as Error).message}\nUsage: npm start [-- --port 8001]\n`,
    );
    process.exit(2);
  }
}

function announce({ app, logger }: RunningApp, config: Config, ms: number): void {
  const address = app.getHttpServer().address() as { port: number };
  if (config.app.APP_ENV !== 'development') {
    logger.info({ event: 'ready', port: address.port, strategy: config.auth.AUTH_STRATEGY.join(','), ms });
    return;
  }
  say(
    `ready on http://localhost:${address.port} in ${(ms / 1000).toFixed(1)} s, strategy: ${config.auth.AUTH_STRATEGY.join(',')}`,
  );
  if (config.app.DOCS) say(`API docs: http://localhost:${address.port}/docs`);
}

function say(text: string): void {
  process.stdout.write(`Traffy: ${text}\n`);
}

/** Drains and closes once, however often the signal comes: a group and npm may both send it. */
function stopOnSignal(running: RunningApp): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) return;
    isStopping = true;
    running.logger.info({ event: 'stopping', signal });
    setTimeout(() => process.exit(0), STOP_AT_LATEST).unref();
    setTimeout(() => running.app.getHttpServer().closeAllConnections(), DRAIN).unref();
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        running.logger.error({ event: 'stop_failed', err: error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** One line about what went wrong, without a stack. */
function explain(error: unknown): string {
  if (
    error instanceof ConfigError ||
    error instanceof DataDirectoryHeld ||
    error instanceof SecretsDoNotFit
  ) {
    return error.message;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const { port } = error as { port?: number };
    return `port ${port} is taken; stop what uses it, or choose another: npm start -- --port 8001`;
  }
  if (code === 'EACCES' && (error as NodeJS.ErrnoException).syscall === 'listen') {
    return 'this port needs more rights; choose one from 1024 on';
  }
  if (isDatabaseOutage(error)) return `the database is unreachable (${code ?? message}); check DATABASE_URL`;
  if (isDatabaseRefusal(code)) return `the database refuses DATABASE_URL: ${message}`;
  return `${message} (${code ?? 'unexpected'})`;
}

/** Wrong user, password or database (classes 28 and 3D of PostgreSQL). */
function isDatabaseRefusal(code: string | undefined): boolean {
  return /^(28...|3D000)$/.test(code ?? '');
}
