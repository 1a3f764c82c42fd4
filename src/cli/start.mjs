/**
 * What `npm start` and `npm run traffy` run: builds when the sources changed, then serves, or runs the command, in
 * this same process, so that a signal to the process or to its whole group finds one server. Plain JavaScript, because it runs before the build.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const stamp = join(root, 'dist', 'built-from');
const isCommand = process.argv[2] === 'traffy';
const entry = join(root, 'dist', 'src', ...(isCommand ? ['cli', 'main.js'] : ['main.js']));

// What is imported above exists in every Node.js that is still around, so that an old one gets as far as this.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 17)) {
  process.stderr.write(
    `Traffy cannot start: it needs Node.js 22.17 or newer, this is ${process.versions.node}, and the Node.js 24 that ` +
      'npm ci brings along is missing (left out by --omit=dev, or its install script was blocked); install Node.js 24\n',
  );
  process.exit(1);
}

// Without it every start and every command compiles some thousand modules anew. It changes nothing if it cannot be written.
nodeModule.enableCompileCache(join(root, 'node_modules', '.cache', 'traffy-compiled'));
await buildOnce();
stopWithNpm();
process.argv.splice(1, isCommand ? 2 : 1, entry);
await import(pathToFileURL(entry).href);

/** Builds unless the build is of these sources. Several starts at once queue here, and one builds. */
async function buildOnce() {
  const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  // A production install has no compiler, and takes the build as it is.
  if (!existsSync(nest) && existsSync(entry)) return;
  const wanted = sourceHash();
  if (isBuiltFrom(wanted)) return;
  const { DatabaseSync } = await import('node:sqlite');
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  // A lock of the operating system: it ends with the process that holds it.
  const lock = new DatabaseSync(join(cache, 'traffy-build.lock'));
  lock.exec('pragma busy_timeout = 120000; begin exclusive');
  try {
    if (isBuiltFrom(wanted)) return;
    // Commands print data on standard output.
    (isCommand ? process.stderr : process.stdout).write('Traffy: building\n');
    const { status, stdout, stderr } = spawnSync(process.execPath, [nest, 'build'], {
      cwd: root,
      encoding: 'utf8',
    });
    if (status !== 0) {
      process.stderr.write(`Traffy cannot start: the build failed.\n${stdout}${stderr}`);
      process.exit(1);
    }
    writeFileSync(stamp, wanted);
  } finally {
    lock.close();
  }
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
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

/**
 * Between npm and this process stands a shell, which does not pass a signal on: a SIGTERM to npm alone ends npm and
 * the shell. Then this process stops as well, instead of holding port and data without anybody who knows it.
 */
function stopWithNpm() {
  // Set by npm itself.
  if (process.env.npm_lifecycle_event === undefined) return; // oxlint-disable-line node/no-process-env
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
}
