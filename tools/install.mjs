/** Tools have lock files of their own, so that `npm ci` of the project stays light. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Installs the packages of a folder unless the installed ones are those of its lock file. */
export function install(folder) {
  const installed = join(folder, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && versionsIn(installed) === versionsIn(join(folder, 'package-lock.json')))
    return;
  const npm = spawnSync('npm', ['ci'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) process.exit(1);
}

function versionsIn(lockFile) {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'));
  return Object.entries(packages)
    .filter(([path, { optional }]) => path !== '' && !optional)
    .map(([path, { version }]) => `${path}@${version}`)
    .toSorted()
    .join('\n');
}
