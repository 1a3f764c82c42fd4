/**
 * Mutation tests of the rooms that decide who gets in (docs/adr/0040). Everything is kept in `.mutants/`: an
 * interrupted run continues, and after a change of the specs only the survivors are run again.
 *
 *   npm run mutants -- --seed 1 --sample 300    a random sample
 *   npm run mutants -- --all                    every mutant: takes a day
 *   npm run mutants -- --id 42                  one mutant, with the output of the spec that noticed it
 *
 *   --jobs 2      processes that run concurrently
 *   --seconds 90  that the specs of a mutant may take together; more finds more
 *   --alone       no mutants share a process: slower, finds more
 *   --again       run also those survivors again whose specs have not changed
 */
import { parseArgs } from 'node:util';
import { install } from '../install.mjs';

const { values } = parseArgs({
  options: {
    again: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    id: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    sample: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '90' },
    seed: { type: 'string' },
  },
});
const log = (line) => process.stderr.write(`${line}\n`);

if (!values.all && values.id === undefined && !/^\d+$/.test(values.seed ?? '')) {
  log(
    'Usage: npm run mutants -- --seed <number> [--sample 300] | --all | --id <mutant>  [--jobs 1] [--seconds 90] [--alone] [--again]',
  );
  process.exit(2);
}

install(import.meta.dirname);
const { prepare } = await import('./sandbox.mjs');
const { readCoverage } = await import('./coverage.mjs');
const { planner } = await import('./plan.mjs');
const { chosenFrom } = await import('./sample.mjs');
const { Results } = await import('./results.mjs');
const { runMutants, explain, control } = await import('./mutant-run.mjs');
const { summary } = await import('./summary.mjs');

const jobs = Number(values.jobs);
const mutants = await prepare();
const coverage = await readCoverage(jobs, log);
const runsOf = planner(mutants, coverage, Number(values.seconds));
const chosen = chosenFrom(mutants, values);

if (values.id !== undefined) {
  for (const mutant of chosen) await explain(mutant, runsOf(mutant), log);
} else {
  const results = new Results();
  const missing = chosen.filter((mutant) => !results.has(mutant, values));
  let done = 0;
  const add = (result) => {
    results.add(result);
    done += 1;
    log(`${done}/${missing.length} ${result.id} ${result.outcome}${result.spec ? ` by ${result.spec}` : ''}`);
  };
  await runMutants(missing, { runsOf, jobs, isAlone: values.alone, add });
  await control(
    chosen.map((mutant) => results.get(mutant)),
    { jobs, runsOf, results, log },
  );
  process.stdout.write(summary(chosen, results, values));
}
