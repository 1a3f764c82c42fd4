/**
 * The checks of `npm run lint` that are not oxlint's: import rules, unused code, spelling, the house style, and text
 * functions in parsers of protocols. Their packages have a lock file of their own in this folder and are installed at the first run.
 *
 *   node tools/lint/lint.mjs [imports|unused|spelling|style|text …]
 */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { install } from '../install.mjs';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const config = (name) => relative(root, join(here, name));
const bin = (path) => join(here, 'node_modules', ...path.split('/'));

const CHECKS = {
  imports: [
    bin('dependency-cruiser/bin/dependency-cruise.mjs'),
    ['--config', config('dependency-cruiser.cjs'), '--output-type', 'err', 'config', 'src', 'test'],
  ],
  unused: [bin('knip/bin/knip.js'), ['--config', config('knip.json'), '--no-progress']],
  spelling: [
    bin('cspell/bin.mjs'),
    [
      'lint',
      '--config',
      config('cspell.json'),
      '--root',
      root,
      '--no-progress',
      '--no-summary',
      '--dot',
      '**/*.{ts,mjs,cjs,md,yml,yaml}',
    ],
  ],
  style: [join(here, 'style.mjs'), []],
  text: [join(here, 'protocol-text.mjs'), []],
};

install(here);
const wanted = process.argv.slice(2);
const failed = (wanted.length > 0 ? wanted : Object.keys(CHECKS)).filter((name) => !passes(name));
process.exitCode = failed.length > 0 ? 1 : 0;

function passes(name) {
  const [script, args] = CHECKS[name] ?? unknown(name);
  return spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' }).status === 0;
}

function unknown(name) {
  throw new Error(`There is no check named ${name}: choose from ${Object.keys(CHECKS).join(', ')}`);
}
