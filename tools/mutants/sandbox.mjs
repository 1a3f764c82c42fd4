/** A copy of the working tree in which the mutated folders are instrumented: every mutant is in it, behind a switch. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildOnce } from '../../src/cli/build.mjs';
import { DATA, ROOT, SANDBOX } from './paths.mjs';

const MUTANTS = join(DATA, 'mutants.json');

const MUTATED = /^src\/(auth|account|users|platform\/http)\/.*(?<!\.data)\.ts$/;
/** Specs that can notice a mutant. The others read the sources, or test rooms that are not mutated. */
const SPECS = /^test\/(unit|auth|account|users|platform|admin|services|audit|mail|[^/]+\.spec\.ts$).*/;
/** These read the sources, documents or benchmarks, or start programs from them. */
const NOT_COVERING =
  /^test\/(bench|process|requirements|rooms|table-writers|typed-sql|third-strategy)\.spec\.ts$/;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

export const specs = files.filter(
  (file) => file.endsWith('.spec.ts') && SPECS.test(file) && !NOT_COVERING.test(file),
);

/** The state of all code but specs, or of one spec. */
export function stateOf(chosen) {
  const hash = createHash('sha256');
  for (const file of chosen) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}

/** Of what mutants are made from. */
export const sourceState = stateOf(files.filter((file) => /^(src|config)\/|^package-lock\.json$/.test(file)));

/** Copies the tree, instruments it unless that is done, and returns the mutants in the order of the sources. */
export async function prepare() {
  const saved = existsSync(MUTANTS) ? JSON.parse(readFileSync(MUTANTS, 'utf8')) : null;
  const isCurrent = saved?.sourceState === sourceState;
  if (!isCurrent) rmSync(DATA, { recursive: true, force: true });
  mkdirSync(SANDBOX, { recursive: true });
  for (const file of files) {
    if (MUTATED.test(file)) continue;
    mkdirSync(dirname(join(SANDBOX, file)), { recursive: true });
    cpSync(join(ROOT, file), join(SANDBOX, file));
  }
  if (isCurrent) return saved.mutants;
  // The pages are served from the build.
  await buildOnce(() => undefined);
  for (const folder of ['node_modules', 'dist'])
    symlinkSync(join(ROOT, folder), join(SANDBOX, folder), 'dir');
  const mutants = await instrument(files.filter((file) => MUTATED.test(file)));
  writeFileSync(MUTANTS, JSON.stringify({ sourceState, mutants }));
  return mutants;
}

async function instrument(names) {
  const { Instrumenter } = await import('@stryker-mutator/instrumenter');
  const silent = { debug() {}, info() {}, isDebugEnabled: () => false };
  const sources = names.map((name) => ({
    name,
    mutate: true,
    content: readFileSync(join(ROOT, name), 'utf8'),
  }));
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const { files: instrumented, mutants } = await new Instrumenter(silent).instrument(sources, options);
  for (const { name, content } of instrumented) {
    mkdirSync(dirname(join(SANDBOX, name)), { recursive: true });
    writeFileSync(join(SANDBOX, name), content);
  }
  return mutants
    .filter(({ status }) => status !== 'Ignored')
    .map(({ id, fileName, mutatorName, replacement, location: { start } }) => ({
      id,
      file: fileName,
      line: start.line + 1,
      column: start.column + 1,
      mutator: mutatorName,
      replacement,
    }));
}
