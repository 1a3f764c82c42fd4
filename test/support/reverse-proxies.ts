import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort, until } from './process.js';

/** Placeholders in the files of docs/proxies, and their values in a test. */
interface Places {
  /** host:port that the proxy listens on. */
  readonly listen: string;
  readonly traffy: string;
  readonly application: string;
  /** Another node of Traffy, where there are two. */
  readonly second?: string;
}

export interface ProxyKind {
  readonly name: string;
  /** The files of docs/proxies that it reads, the configuration first. */
  readonly files: readonly [string, ...string[]];
  /** Writes what the operator's machine has around them, and says how to start it in the foreground. */
  readonly prepare: (folder: string) => readonly string[];
}

/** A reverse proxy that runs as docs/proxies has it. */
export interface ReverseProxy {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

const DOCUMENTED: Required<Places> = {
  listen: '127.0.0.1:8080',
  traffy: '127.0.0.1:8000',
  application: '127.0.0.1:3000',
  second: '127.0.0.1:8001',
};
const documents = join(import.meta.dirname, '..', '..', 'docs', 'proxies');

/** The proxies whose configuration is run. */
export const PROXIES: readonly ProxyKind[] = [
  {
    name: 'nginx',
    files: ['nginx.conf'],
    prepare: (folder) => nginxIn(folder, 'nginx.conf'),
  },
  {
    name: 'haproxy',
    files: ['haproxy.cfg', 'traffy.lua'],
    prepare: (folder) => {
      const file = join(folder, 'haproxy.cfg');
      const text = readFileSync(file, 'utf8');
      writeFileSync(file, replaceIn(text, '/etc/haproxy/traffy.lua', join(folder, 'traffy.lua')));
      return ['-db', '-f', file];
    },
  },
  {
    name: 'caddy',
    files: ['Caddyfile'],
    prepare: (folder) => ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  },
];

/** The load balancers whose configuration is run. */
export const LOAD_BALANCERS: readonly ProxyKind[] = [
  {
    name: 'nginx',
    files: ['load-balancer.nginx.conf'],
    prepare: (folder) => nginxIn(folder, 'load-balancer.nginx.conf'),
  },
  {
    name: 'haproxy',
    files: ['load-balancer.haproxy.cfg'],
    prepare: (folder) => ['-db', '-f', join(folder, 'load-balancer.haproxy.cfg')],
  },
];

function nginxIn(folder: string, file: string): readonly string[] {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${folder}/${what};`,
  );
  writeFileSync(
    join(folder, 'main.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
    events {} http { access_log off; ${temporary.join(' ')} include ${folder}/${file}; }`,
  );
  return ['-e', 'stderr', '-p', folder, '-c', join(folder, 'main.conf')];
}

/** Where the program of a proxy is; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

const started = new Set<ReverseProxy>();

/** Ends what a test, failed or not, left running. */
export async function stopAllProxies(): Promise<void> {
  await Promise.all([...started].map((proxy) => proxy.stop()));
}

/**
 * Runs a proxy with its files of docs/proxies: only addresses are replaced.
 *
 * @param change what a test breaks in a file on purpose.
 */
export async function startProxy(
  { name, files, prepare }: ProxyKind,
  upstreams: Omit<Places, 'listen'>,
  change: (text: string) => string = (text) => text,
): Promise<ReverseProxy> {
  const program = findProgram(name);
  if (program === undefined) throw new Error(`${name} is not installed`);
  const port = await freePort();
  const places: Places = { listen: `127.0.0.1:${port}`, ...upstreams };
  const folder = mkdtempSync(join(tmpdir(), `traffy-${name}-`));
  mkdirSync(join(folder, 'home'));
  for (const file of files) {
    const text = change(readFileSync(join(documents, file), 'utf8'));
    writeFileSync(join(folder, file), withPlaces(text, places));
  }
  const child = spawn(program, prepare(folder), {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: join(folder, 'home') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const proxy: ReverseProxy = {
    name,
    host: '127.0.0.1',
    port,
    stop: async () => {
      started.delete(proxy);
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  started.add(proxy);
  await until(async () => {
    if (hasEnded(child)) throw new Error(`${name} did not start: ${log}`);
    return (await isListening(port)) || undefined;
  }, 10_000);
  return proxy;
}

/** One pass: an address that was put in must not be taken for one to replace. */
function withPlaces(text: string, places: Places): string {
  const replacements = new Map(
    (Object.keys(DOCUMENTED) as (keyof Places)[]).map((key) => [
      DOCUMENTED[key],
      places[key] ?? DOCUMENTED[key],
    ]),
  );
  const pattern = new RegExp(
    [...replacements.keys()].map((key) => key.replaceAll('.', '\\.')).join('|'),
    'g',
  );
  return text.replaceAll(pattern, (address) => replacements.get(address) ?? address);
}

function replaceIn(text: string, documented: string, real: string): string {
  if (!text.includes(documented)) throw new Error(`${documented} stands nowhere`);
  return text.replaceAll(documented, real);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await closed;
  clearTimeout(tooLong);
}
