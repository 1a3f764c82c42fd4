import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, until } from './process.js';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', '..', 'docs', 'recipes');
/** Where Debian puts the sources of Go packages. */
const GO_JWT = '/usr/share/gocode/src/github.com/golang-jwt/jwt';

/** The settings of a recipe: issuer, audience and the location of the keys. */
export interface RecipeSettings {
  readonly issuer: string;
  readonly audience: string;
}

/** A recipe of docs/verifying-tokens.md, and how it is run. */
export interface Recipe {
  readonly file: string;
  /** The Debian packages that it needs. */
  readonly packages: string;
  /** Whether it reads changed keys without a restart. */
  readonly followsRotation: boolean;
  readonly isHere: () => boolean;
  /** Makes what has to be made before it runs, and gives its command line. */
  readonly command: (work: string, env: Env) => Promise<readonly [string, ...string[]]>;
}

type Env = Readonly<Record<string, string>>;

/** A recipe that serves its protected URL. */
export interface RunningRecipe {
  readonly url: URL;
  readonly stderr: () => string;
  stop(): Promise<void>;
}

/** Debian's python has Debian's PyJWT; another one can be first on the PATH. */
const python = ['python3', '/usr/bin/python3'].find((command) =>
  succeeds(command, '-c', 'import jwt, cryptography'),
);

export const RECIPES: readonly Recipe[] = [
  {
    file: 'node-traffy.mjs',
    packages: '',
    followsRotation: true,
    isHere: () => true,
    command: async () => [process.execPath, pathOf('node-traffy.mjs')],
  },
  {
    file: 'node-jose.mjs',
    packages: '',
    followsRotation: true,
    isHere: () => true,
    command: async () => [process.execPath, pathOf('node-jose.mjs')],
  },
  {
    file: 'python_pyjwt.py',
    packages: 'python3-jwt python3-cryptography',
    followsRotation: true,
    isHere: () => python !== undefined,
    command: async () => [python ?? 'python3', pathOf('python_pyjwt.py')],
  },
  {
    file: 'go_jwt.go',
    packages: 'golang-go golang-github-golang-jwt-jwt-dev',
    followsRotation: true,
    isHere: () => succeeds('go', 'version') && existsSync(GO_JWT),
    command: buildGo,
  },
  {
    file: 'ruby_jwt.rb',
    packages: 'ruby ruby-jwt ruby-webrick',
    followsRotation: true,
    isHere: () => succeeds('ruby', '-e', 'require "jwt"; require "webrick"'),
    command: async () => ['ruby', pathOf('ruby_jwt.rb')],
  },
  {
    file: 'haproxy.cfg',
    packages: 'haproxy',
    followsRotation: false,
    isHere: () => succeeds('haproxy', '-v'),
    command: async (_work, env) => {
      await run(process.execPath, [pathOf('haproxy-keys.mjs')], { env });
      return ['haproxy', '-db', '-f', pathOf('haproxy.cfg')];
    },
  },
];

/** Starts a recipe on a free port of the loopback address. The issuer must be served already. */
export async function startRecipe(recipe: Recipe, settings: RecipeSettings): Promise<RunningRecipe> {
  const work = mkdtempSync(join(tmpdir(), 'traffy-recipe-'));
  const port = await freePort();
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    ISSUER: settings.issuer,
    AUDIENCE: settings.audience,
    JWKS_URL: `${settings.issuer}/.well-known/jwks.json`,
    PORT: String(port),
    KEYS: work,
  };
  const [file, ...args] = await recipe.command(work, env);
  const child = spawn(file, args, { cwd: work, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const url = new URL(`http://127.0.0.1:${port}/protected`);
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${recipe.file} ended with ${child.exitCode}: ${errors}`);
    return fetch(url).then(
      (reply) => reply.status,
      () => undefined,
    );
  });
  return { url, stderr: () => errors, stop: () => end(child, work) };
}

async function end(child: ChildProcess, work: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(work, { recursive: true, force: true });
}

/** Without the network: against the sources that Debian ships. */
async function buildGo(work: string, env: Env): Promise<readonly [string]> {
  const module = join(work, 'service');
  mkdirSync(module);
  const version = 'github.com/golang-jwt/jwt/v4';
  writeFileSync(
    join(module, 'go.mod'),
    `module example.com/service\n\ngo 1.19\n\nrequire ${version} v4.4.3\n\nreplace ${version} => ${GO_JWT}\n`,
  );
  copyFileSync(pathOf('go_jwt.go'), join(module, 'main.go'));
  await run('go', ['build', '-o', join(work, 'server'), '.'], {
    cwd: module,
    env: { ...env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOCACHE: join(work, 'cache'), GOPATH: work },
  });
  return [join(work, 'server')];
}

function pathOf(file: string): string {
  return join(folder, file);
}

function succeeds(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
