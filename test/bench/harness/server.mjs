import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';

const METER = pathToFileURL(join(import.meta.dirname, 'meter.mjs')).href;
/** Milliseconds. */
const PATIENCE = { start: 180_000, stop: 10_000 };

/** The package's root: servers run there. */
export const root = join(import.meta.dirname, '..', '..', '..');

/** A free port of the loopback address. */
export async function freePort() {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Starts a server as a process of its own, with the Node.js that runs this, and waits until it answers 2xx.
 *
 * @param program what it runs: `args` for Node.js, the path to ask whether it is `ready`, `env` for what it needs beside
 *   PORT and NODE_ENV.
 * @param folder where its output goes, in a file: a log costs what it costs in production.
 * @param everyMs how often it is asked whether it is ready.
 */
export async function startServer(name, { args, ready, env = {} }, folder, everyMs = 25) {
  const port = await freePort();
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const since = performance.now();
  const child = spawn(process.execPath, ['--import', METER, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port), ...env },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const server = new Server(name, child, `http://127.0.0.1:${port}`, logFile);
  try {
    await server.becomesReady(ready, everyMs);
  } catch (error) {
    await server.stop();
    throw error;
  }
  server.startedIn = performance.now() - since;
  return server;
}

class Server {
  constructor(name, child, origin, logFile) {
    this.name = name;
    this.origin = origin;
    this.child = child;
    this.logFile = logFile;
    this.exited = once(child, 'exit');
    this.gone = this.exited.then(() => {
      throw new Error(`${name} ended by itself:\n${this.lastWords()}`);
    });
    // The next request reports the error.
    this.gone.catch(() => undefined);
  }

  /** What the process has used so far: CPU time in microseconds, memory now and at most in bytes, pages it was given. */
  usage() {
    return this.ask('usage');
  }

  /** Sends the process a message and waits for the next one that comes back. One at a time. */
  async ask(message) {
    const answer = once(this.child, 'message');
    answer.catch(() => undefined);
    this.child.send(message, () => undefined);
    const [value] = await Promise.race([answer, this.gone]);
    return value;
  }

  async becomesReady(path, everyMs) {
    const deadline = performance.now() + PATIENCE.start;
    while (performance.now() < deadline) {
      const asked = fetch(`${this.origin}${path}`).then(async (reply) => {
        await reply.arrayBuffer();
        return reply.ok;
      });
      if (await Promise.race([asked.catch(() => false), this.gone])) return;
      await pause(everyMs);
    }
    throw new Error(`${this.name} did not come up:\n${this.lastWords()}`);
  }

  lastWords() {
    return readFileSync(this.logFile, 'utf8').slice(-2_000);
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE.stop);
    await this.exited;
    clearTimeout(late);
  }
}
