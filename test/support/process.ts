import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const root = join(import.meta.dirname, '..', '..');

/** How a process ended. */
interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds since it was last sent a signal, or since its start. */
  readonly ms: number;
}

export interface Program {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exit: Promise<Exit>;
  /** Waits until it serves and gives its origin. */
  ready(): Promise<string>;
  /** Sends a signal to the process, or to its whole group if it has one of its own. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** What runs it: the program itself, or `npm start` as the leader of a process group. */
  readonly by?: 'node' | 'group' | 'npm';
  /** The standard input; empty by default. */
  readonly input?: string;
  /** What becomes of the output: its reader is gone, does not read, or the disk is full. It is read by default. */
  readonly output?: 'closed' | 'unread' | 'full';
  /** Another Node.js than the one that runs the tests, with its own options. */
  readonly node?: readonly [string, ...string[]];
}

const started = new Set<Program>();

/** Runs what `npm start` runs, as a process of its own, with nothing of this process's settings. */
export function startProgram(options: ProgramOptions = {}): Program {
  const { env = {}, args = [], input, by = 'node', node = [process.execPath, '--liftoff-only'] } = options;
  const [file, ...rest] =
    by === 'npm' ? ['npm', 'start', ...args] : [...node, join(root, 'src', 'cli', 'start.mjs'), ...args];
  const isGroup = by !== 'node';
  const { PATH = '', HOME = '', SystemRoot = '' } = process.env;
  const child = spawn(file, rest, {
    cwd: root,
    env: { PATH, HOME, SystemRoot, PORT: '0', ...env },
    stdio: ['pipe', options.output === 'full' ? openSync('/dev/full', 'w') : 'pipe', 'pipe'],
    detached: isGroup,
  });
  child.stdin?.on('error', () => undefined).end(input);
  let since = performance.now();
  let out = '';
  let err = '';
  if (options.output === 'closed') child.stdout?.destroy();
  // A stream without a listener is not read.
  if (options.output !== 'unread') child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  let ended: Exit | undefined;
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      started.delete(program);
      ended = { code, signal, ms: performance.now() - since };
      resolve(ended);
    });
  });
  const pid = child.pid ?? 0;
  const program: Program = {
    pid,
    stdout: () => out,
    stderr: () => err,
    exit,
    ready: () =>
      until(() => {
        if (ended) throw new Error(`it ended with ${ended.code ?? ended.signal}: ${out}${err}`);
        return /ready on (http:\/\/\S+) in/.exec(out)?.[1];
      }),
    kill: (signal) => {
      since = performance.now();
      if (!ended) process.kill(isGroup ? -pid : pid, signal);
      return exit;
    },
  };
  started.add(program);
  return program;
}

/** Ends what a failed test left running. */
export async function endAllPrograms(): Promise<void> {
  await Promise.all([...started].map((program) => program.kill('SIGKILL')));
}

/** Polls until there is a value. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>, ms = 30_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`nothing after ${ms} ms: ${look.toString()}`);
    await pause(20);
  }
}

/** A port of the loopback address, held until it is released. */
export async function holdPort(): Promise<{ port: number; release(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A free port. */
export async function freePort(): Promise<number> {
  const { port, release } = await holdPort();
  await release();
  return port;
}
