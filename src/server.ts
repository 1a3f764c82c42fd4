import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import type { AppConfig } from '../config/app.config.js';
import { loadConfig, type Config } from '../config/load.config.js';
import { createApp, type RunningApp } from './app.factory.js';
import { CannotListen, explainStart } from './start-error.js';

/** Milliseconds that requests in flight get at a stop, and after which the process ends whatever happens. */
const DRAIN = 6_000;
const STOP_AT_LATEST = 9_000;
/** Milliseconds between two looks for connections that became idle while it drains. */
const SWEEP = 100;

/**
 * Starts the service and runs it until SIGTERM or SIGINT. What keeps it from starting is told in one line, with
 * exit code 1, or 2 for arguments that are not understood.
 */
export async function serve(args: string[]): Promise<void> {
  const startedAt = Date.now();
  const { port, force } = readArguments(args);
  let config: Config | undefined;
  let running: RunningApp | undefined;
  const stop = stopOnSignal(() => running);
  try {
    config = loadConfig(port === undefined ? process.env : { ...process.env, PORT: port });
    const tell = config.app.APP_ENV === 'development' ? say : () => undefined;
    for (const note of config.notes) process.stderr.write(`Traffy: ${note}.\n`);
    running = await createApp(config, { tell, misfit: force ? 'force' : 'refuse' });
    if (stop.isUnderWay()) return finish(running);
    await listen(running, config.app);
    announce(running, config, Date.now() - startedAt);
  } catch (error) {
    // Whatever failed while it stops, it was to end.
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
      EADDRINUSE: `port ${PORT} is taken; stop what uses it, or choose another: npm start -- --port 8001`,
      EACCES: `port ${PORT} needs more rights; choose one from 1024 on`,
      EADDRNOTAVAIL: `HOST ${HOST} is no address of this machine; 127.0.0.1 is reached from here only, 0.0.0.0 from everywhere`,
      ENOTFOUND: `HOST ${HOST} has no address; 127.0.0.1 is reached from here only, 0.0.0.0 from everywhere`,
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

/** Where a browser on this machine finds what listens on an address. */
function reachableHost(host: string): string {
  if (['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function say(text: string): void {
  process.stdout.write(`Traffy: ${text}\n`);
}

/**
 * Drains and closes once, however often the signal comes: a group and npm may both send it. A signal in the middle of
 * a start waits for its end: cut off while it compiles the embedded database, Node.js hangs in its own exit.
 */
function stopOnSignal(findRunning: () => RunningApp | undefined): { isUnderWay(): boolean } {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(0), STOP_AT_LATEST).unref();
    const running = findRunning();
    if (!running) return;
    running.logger.info({ event: 'stopping', signal });
    const server = running.app.getHttpServer();
    setTimeout(() => server.closeAllConnections(), DRAIN).unref();
    setInterval(() => closeIdle(server), SWEEP).unref();
    finish(running);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return { isUnderWay: () => isStopping };
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

/** Node.js by itself does this once, and counts a connection that never sent anything (browsers open some) as busy. */
function closeIdle(server: Server): void {
  server.closeIdleConnections();
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
}
