import { spawnSync } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mebibytes } from '../harness/report.mjs';
import { root } from '../harness/server.mjs';
import { PEERS } from '../harness/targets.mjs';

/** What better-auth needs to do the same in an Express server on PostgreSQL. */
const BETTER_AUTH = ['argon2', 'better-auth', 'express', 'pg'];

/** How many of the largest packages are named. */
const LARGEST = 10;

/**
 * Production installs in empty folders: how large they are, and how many packages they have.
 *
 * @param folder where they are made.
 */
export function measureInstalls(folder) {
  const traffy = join(folder, 'traffy');
  mkdirSync(traffy);
  for (const file of ['package.json', 'package-lock.json', '.npmrc'])
    copyFileSync(join(root, file), join(traffy, file));
  npm(traffy, 'ci', '--omit=dev');
  const whole = { name: 'traffy', ...sizeOf(traffy), built_mib: mebibytes(bytesIn(join(root, 'dist'))) };
  shell(traffy, slimming());
  const image = { ...whole, name: 'traffy, as in the Docker image', ...sizeOf(traffy) };
  return [whole, image, betterAuth(join(folder, 'better-auth'))];
}

/** What the Dockerfile does to the install, as a command of a shell. */
function slimming() {
  const file = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const found = /^RUN npm ci --omit=dev \\\n {2}&& (?<rest>(?:.*\\\n)*.*)$/m.exec(file);
  if (!found) throw new Error('the Dockerfile has another install than is looked for here');
  return found.groups.rest;
}

function shell(folder, command) {
  const { status, stderr } = spawnSync('sh', ['-ec', command], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}\nfailed:\n${stderr}`);
}

/** The peer alone, in the versions of the peers' lockfile. */
function betterAuth(folder) {
  mkdirSync(folder);
  const { dependencies, ...rest } = JSON.parse(readFileSync(join(PEERS, 'package.json'), 'utf8'));
  const own = Object.fromEntries(BETTER_AUTH.map((name) => [name, dependencies[name]]));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...rest, dependencies: own }));
  for (const file of ['package-lock.json', '.npmrc']) copyFileSync(join(PEERS, file), join(folder, file));
  // Takes the packages that are left out of the lockfile, and leaves the rest of it as it is.
  npm(folder, 'install', '--omit=dev');
  return { name: 'better-auth in Express', ...sizeOf(folder) };
}

function npm(folder, ...args) {
  const { npm_execpath: own } = process.env;
  const [program, before] = own ? [process.execPath, [own]] : ['npm', []];
  const { status, stderr } = spawnSync(program, [...before, ...args], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stderr}`);
}

function sizeOf(folder) {
  const modules = join(folder, 'node_modules');
  return {
    packages: packagesIn(modules),
    node_modules_mib: mebibytes(bytesIn(modules)),
    largest: largestIn(modules),
  };
}

/** The packages that take the most, with what is nested in them. */
function largestIn(modules) {
  return readdirSync(modules)
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((own) => join(name, own)) : [name],
    )
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ name, mib: mebibytes(bytesIn(join(modules, name))) }))
    .toSorted((one, other) => other.mib - one.mib)
    .slice(0, LARGEST);
}

/** What npm noted that it installed, as far as it is still there. */
function packagesIn(modules) {
  const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
  return Object.keys(packages).filter((path) =>
    lstatSync(join(modules, '..', path), { throwIfNoEntry: false }),
  ).length;
}

/** The length of all files below a folder. Links are not followed. */
function bytesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + lstatSync(join(parentPath, name)).size, 0);
}
