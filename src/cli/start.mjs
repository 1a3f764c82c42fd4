/**
 * The entry of `npm start` and `npm run traffy`: builds if the sources changed, then serves or runs the command. All
 * in one process, so that a signal to the process or to its group reaches the server. Plain JavaScript, because it
 * runs before the build.
 */
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const isCommand = process.argv[2] === 'traffy';

// The imports above exist in every Node.js in use, so that an old one reaches this message.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 17)) {
  process.stderr.write(
    `Traffy cannot start: it needs Node.js 22.17 or newer, this is ${process.versions.node}, and the Node.js 24 that ` +
      'npm ci brings along is missing (left out by --omit=dev, or its install script was blocked); install Node.js 24\n',
  );
  process.exit(1);
}

// Without this cache, every start compiles about a thousand modules again. A cache that cannot be written changes
// nothing.
nodeModule.enableCompileCache(join(root, 'node_modules', '.cache', 'traffy-compiled'));
const { buildOnce, commandEntry, entry } = await import('./build.mjs');
try {
  // Standard output is for the data of commands.
  await buildOnce((text) => void (isCommand ? process.stderr : process.stdout).write(text));
} catch (error) {
  process.stderr.write(`Traffy cannot start: the build failed.\n${error.message}`);
  process.exit(1);
}
stopWithNpm();
const program = isCommand ? commandEntry : entry;
process.argv.splice(1, isCommand ? 2 : 1, program);
await import(pathToFileURL(program).href);

/**
 * npm starts this process through a shell that does not forward signals: a SIGTERM to npm alone ends only npm and the
 * shell. This process then stops too, or it would keep its port and its data directory without a parent.
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
