/** Which mutants each test reaches, by one run of each spec without an active mutant. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inParallel } from './in-parallel.mjs';
import { DATA } from './paths.mjs';
import { sourceState, specs, stateOf } from './sandbox.mjs';
import { runSpec } from './spec-run.mjs';

const FOLDER = join(DATA, 'coverage');

/** Reads what was recorded for this state of the sources and specs, and records the rest. */
export async function readCoverage(jobs, log) {
  mkdirSync(FOLDER, { recursive: true });
  const missing = specs.filter((spec) => read(spec) === null);
  await inParallel(jobs, missing, async (spec, index) => {
    const { outcome, ms, lines, output } = await runSpec(spec);
    log(`coverage ${index + 1}/${missing.length} ${spec}: ${outcome} in ${ms} ms`);
    if (outcome !== 'passed') log(output);
    const { ambient = [] } = lines.find((line) => line.ambient) ?? {};
    const tests = Object.fromEntries(
      lines.filter(({ test }) => test !== undefined).map(({ test, ...found }) => [test, found]),
    );
    const entry = { spec, state: stateWith(spec), ms, ambient, tests };
    writeFileSync(fileOf(spec), JSON.stringify(entry));
  });
  return specs.map((spec) => read(spec));
}

function read(spec) {
  if (!existsSync(fileOf(spec))) return null;
  const entry = JSON.parse(readFileSync(fileOf(spec), 'utf8'));
  return entry.state === stateWith(spec) ? entry : null;
}

const stateWith = (spec) => `${sourceState}-${stateOf([spec])}`;
const fileOf = (spec) => join(FOLDER, `${spec.replaceAll('/', '_')}.json`);
