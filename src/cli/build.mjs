/**
 * The build of the server and of the pages. Plain JavaScript, because it runs before the build.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const stamp = join(root, 'dist', 'built-from');
const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');

export const entry = join(root, 'dist', 'src', 'main.js');
export const commandEntry = join(root, 'dist', 'src', 'cli', 'main.js');

/**
 * Builds unless the build matches the sources. Concurrent starts wait here, and one of them builds.
 *
 * @param tell reports the begin to the operator.
 * @throws what the build printed, if it failed.
 */
export async function buildOnce(tell) {
  // A production install has no compiler and uses the existing build.
  if (!existsSync(nest) && existsSync(entry)) return;
  const wanted = sourceHash();
  if (isBuiltFrom(wanted)) return;
  const { DatabaseSync } = await import('node:sqlite');
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  // A file lock of the operating system: it is released when its process ends.
  const lock = new DatabaseSync(join(cache, 'traffy-build.lock'));
  lock.exec('pragma busy_timeout = 120000; begin exclusive');
  try {
    if (isBuiltFrom(wanted)) return;
    tell('Traffy: building\n');
    run([nest, 'build']);
    for (const pages of ['vite.config.ts', join('dev', 'vite.config.ts')])
      run([vite, 'build', '--config', join('src', 'pages', pages)]);
    writeFileSync(stamp, wanted);
  } finally {
    lock.close();
  }
}

function run(command) {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
}

function isBuiltFrom(hash) {
  return existsSync(entry) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

function sourceHash() {
  const hash = createHash('sha256').update(process.versions.node);
  const files = [
    'package-lock.json',
    '.swcrc',
    'nest-cli.json',
    ...['config', 'src'].flatMap((folder) => sourcesIn(folder)),
  ];
  for (const file of files.toSorted()) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function sourcesIn(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((file) => /\.(?:ts|tsx|css)$/.test(file))
    .map((file) => join(folder, file));
}
