import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from './installed-packages.js';
import { until } from './process.js';

const examples = join(import.meta.dirname, '..', '..', 'examples');
const LEFT_OUT = new Set(['node_modules', 'dist', '.next']);

export interface RunningExample {
  stop(): Promise<void>;
}

/** Installs a copy of an example as its README says: what its lock file names, then a package of Traffy. */
export async function installExample(folder: string, name: string, tarball: string): Promise<string> {
  const place = join(folder, name);
  cpSync(join(examples, name), place, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  // The scripts of the packages are not needed, and the lock file must fit package.json.
  await run('npm', ['ci', '--ignore-scripts'], { cwd: place });
  await run('npm', ['install', '--no-save', '--ignore-scripts', tarball], { cwd: place });
  return place;
}

/** Runs a program of an example to its end. */
export async function runIn(place: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  await run(process.execPath, args, { cwd: place, env: environment(env) });
}

/** Starts a server of an example, and waits until it answers. */
export async function startIn(
  place: string,
  args: string[],
  url: string,
  env: Record<string, string> = {},
): Promise<RunningExample> {
  const child = spawn(process.execPath, args, { cwd: place, env: environment(env) });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const stop = () => stopped(child);
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`);
    return fetch(url, { headers: { connection: 'close' } }).then(
      () => true,
      () => undefined,
    );
  };
  await until(answers, 60_000).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { stop };
}

function environment(env: Record<string, string>): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, NEXT_TELEMETRY_DISABLED: '1', ...env };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
