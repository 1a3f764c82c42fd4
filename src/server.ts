import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import type { AppConfig } from '../config/app.config.js';
import { loadConfig, type Config } from '../config/load.config.js';
import { createApp, type RunningApp } from './app.factory.js';
import { standardOutput } from './platform/logging/standard-output.js';
import { CannotListen, explainStart } from './start-error.js';

/** Milliseconds after the closing of the port for requests in flight, and for the rest; then the process ends. */
const DRAIN = 5_500;
const CLOSE = 1_000;
/** Milliseconds between two checks for idle connections during the drain. */
const IDLE_CHECK = 100;

/**
 * Starts the service and runs it until SIGTERM or SIGINT. Reports a failure to start in one line, with exit code 1,
 * or 2 for invalid arguments.
 */
export async function serve(args: string[]): Promise<void> {
  const startedAt = Date.now();
  const { port, force } = readArguments(args);
  let config: Config | undefined;
  let running: RunningApp | undefined;
  // Standard error has no reader that the service depends on.
  process.stderr.on('error', () => undefined);
  const stop = stopOnSignal(() => running && { running, delay: config?.app.SHUTDOWN_DELAY ?? 0 });
  try {
    config = loadConfig(port === undefined ? process.env : { ...process.env, PORT: port });
    const tell = config.app.APP_ENV === 'development' ? say : () => undefined;
    running = await createApp(config, { tell, onIncompatible: force ? 'force' : 'refuse' });
    if (stop.isUnderWay()) return finish(running);
    await listen(running, config.app);
    announce(running, config, Date.now() - startedAt);
  } catch (error) {
    // The process was to end anyway: ignore failures during the stop.
    if (stop.isUnderWay()) process.exit(0);
    process.stderr.write(`Traffy cannot start: ${explainStart(error, config)}\n`);
    await running?.close().catch(() => undefined);
    process.exit(1);
  }
}

function readArguments(args: string[]): { port?: string; force?: boolean } {
  try {
    const { values } = parseArgs({
      args,
      options: { port: { type: 'string' }, force: { type: 'boolean' } },
      allowPositionals: false,
    });
    if (values.port === '') throw new TypeError("Option '--port' is empty");
    return values;
  } catch (error) {
    process.stderr.write(
      `Traffy cannot start: ${(error as Error).message}\nUsage: npm start [-- [--port 8001] [--force]]\n`,
    );
    process.exit(2);
  }
}

/** @throws CannotListen */
async function listen({ app }: RunningApp, { HOST, PORT }: AppConfig): Promise<void> {
  app.getHttpServer().on('connection', noteConnection);
  try {
    await app.listen({ host: HOST, port: PORT });
  } catch (error) {
    const { code = 'unexpected', message } = error as NodeJS.ErrnoException;
    const causes: Record<string, string> = {
      EADDRINUSE: `port ${PORT} is in use; stop the other process or choose another port: npm start -- --port 8001`,
      EACCES: `port ${PORT} requires more rights; choose a port from 1024 on`,
      EADDRNOTAVAIL: `HOST ${HOST} is not a local address; use 127.0.0.1 for this machine only, or 0.0.0.0 for all networks`,
      ENOTFOUND: `HOST ${HOST} has no address; use 127.0.0.1 for this machine only, or 0.0.0.0 for all networks`,
    };
    throw new CannotListen(causes[code] ?? `cannot listen on ${HOST}, port ${PORT}: ${message}`, {
      cause: error,
    });
  }
}

function announce({ app, logger }: RunningApp, config: Config, ms: number): void {
  const { APP_ENV, DOCS, HOST } = config.app;
  const { port } = app.getHttpServer().address() as { port: number };
  const strategy = config.auth.AUTH_STRATEGY.join(',');
  if (APP_ENV !== 'development') {
    logger.info({ event: 'ready', host: HOST, port, strategy, docs: DOCS ? '/docs' : 'off', ms });
    return;
  }
  const origin = `http://${reachableHost(HOST)}:${port}`;
  say(`ready on ${origin} in ${(ms / 1000).toFixed(1)} s, strategy: ${strategy}`);
  if (DOCS) say(`API docs: ${origin}/docs`);
}

/** A URL host under which a local browser reaches the listening address. */
function reachableHost(host: string): string {
  if (['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function say(text: string): void {
  standardOutput().write(`Traffy: ${text}\n`);
}

/** A running application, and for how many seconds it accepts requests after a signal. */
interface Stoppable {
  readonly running: RunningApp;
  readonly delay: number;
}

/**
 * Drains and closes once, for any number of signals: a process group and npm may both send one. A signal during the
 * start waits for its end: interrupted while it compiles the embedded database, Node.js hangs at exit.
 */
function stopOnSignal(findRunning: () => Stoppable | undefined): { isUnderWay(): boolean } {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) return;
    isStopping = true;
    const found = findRunning();
    const delay = (found?.delay ?? 0) * 1000;
    setTimeout(() => process.exit(0), delay + DRAIN + CLOSE).unref();
    if (!found) return;
    const { running } = found;
    running.logger.info({ event: 'stopping', signal, accepting_for_ms: delay });
    running.drain.begin();
    setTimeout(() => closePort(running), delay);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Sent by a terminal that is closed. Without one, SIGHUP has another meaning.
  if ([0, 1, 2].some((fd) => isatty(fd))) process.on('SIGHUP', stop);
  return { isUnderWay: () => isStopping };
}

/** Accepts no further connections, and gives requests in flight their time. */
function closePort(running: RunningApp): void {
  const server = running.app.getHttpServer();
  setTimeout(() => server.closeAllConnections(), DRAIN).unref();
  setInterval(() => closeIdle(server), IDLE_CHECK).unref();
  finish(running);
}

/** Closes everything and ends the process. */
function finish(running: RunningApp): void {
  running.close().then(
    () => {
      running.logger.info({ event: 'stopped' });
      process.exit(0);
    },
    (error: unknown) => {
      running.logger.error({ event: 'stop_failed', err: error });
      process.exit(1);
    },
  );
}

const connections = new Set<Socket>();

function noteConnection(socket: Socket): void {
  connections.add(socket);
  socket.once('close', () => connections.delete(socket));
}

/** Node.js does this only once, and counts a connection that never sent anything (browsers open some) as busy. */
function closeIdle(server: Server): void {
  server.closeIdleConnections();
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
}
