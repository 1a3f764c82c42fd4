/**
 * Generates clients from specifications by three generators, and compiles them in strict mode together with programs
 * that use them. The packages have a lock file of their own in this folder and are installed at the first run.
 *
 *   node tools/clients/clients.mjs [<folder>]
 *
 * The folder has one `<name>.json` for each specification, and gets one folder `<name>` with the clients. Without a
 * folder, it only installs.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import { install } from '../install.mjs';

const here = import.meta.dirname;
const bin = (path) => join(here, 'node_modules', ...path.split('/'));

const GENERATORS = {
  'openapi-typescript': [
    bin('openapi-typescript/bin/cli.js'),
    (input, to) => [input, '--output', join(to, 'types.ts')],
  ],
  orval: [
    bin('orval/dist/bin/orval.mjs'),
    (input, to) => ['--input', input, '--output', join(to, 'orval.ts'), '--client', 'fetch'],
  ],
  'openapi-ts': [
    bin('@hey-api/openapi-ts/bin/run.js'),
    (input, to) => ['-i', input, '-o', join(to, 'hey'), '--no-log-file'],
  ],
};

install(here);
const [folder] = process.argv.slice(2);
if (folder !== undefined) compileClients(resolve(folder));

function compileClients(folder) {
  const specifications = readdirSync(folder).filter(
    (file) => file.endsWith('.json') && file !== 'tsconfig.json',
  );
  if (specifications.length === 0) throw new Error(`${folder} has no specification`);
  for (const file of specifications) {
    const to = join(folder, parse(file).name);
    mkdirSync(to, { recursive: true });
    for (const [name, [script, args]] of Object.entries(GENERATORS))
      run(name, script, args(join(folder, file), to), folder);
    for (const program of ['every-strategy.ts', ...(file === 'all.json' ? ['union.ts'] : [])])
      copyFileSync(join(here, 'programs', program), join(to, program));
  }
  writeFileSync(join(folder, 'tsconfig.json'), readFileSync(join(here, 'tsconfig.clients.json')));
  run('tsc', bin('typescript/bin/tsc'), ['--project', folder], folder);
  process.stdout.write(`${specifications.map((file) => parse(file).name).join(', ')}: the clients compile\n`);
}

function run(name, script, args, folder) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status === 0) return;
  process.stderr.write(`${name} failed\n${stdout}${stderr}`);
  process.exit(1);
}
