/** Runs mutants against the specs that are planned for each, until one of these kills it. */
import { inParallel } from './in-parallel.mjs';
import { runSpec } from './spec-run.mjs';

/** What takes this many times as long as without the mutant, and the minimum, never ends. */
const TIMEOUT_FACTOR = 4;
const TIMEOUT_MIN = 30_000;
/** Mutants that share one process. */
const BATCH = 20;

/**
 * In rounds: first each mutant's first spec, then the second of those that survive. Mutants that a test reaches are run
 * in batches, one process for each spec; what runs when a module loads, and what a batch left open, alone.
 *
 * @param isAlone whether no mutants share a process: slower, and what an earlier run left behind hides nothing.
 * @param add takes the result of a mutant as soon as it is known.
 */
export async function runMutants(mutants, { runsOf, jobs, isAlone, add }) {
  let open = mutants.map((mutant) => ({ id: mutant.id, runs: runsOf(mutant), ms: 0 }));
  for (let round = 0; open.length > 0; round += 1) {
    for (const one of open.filter(({ runs }) => runs.length === round))
      add(resultOf(one, round === 0 ? 'uncovered' : 'survived'));
    open = open.filter(({ runs }) => runs.length > round);
    const survivors = [];
    const settle = (one, outcome, by) =>
      outcome === 'passed' ? survivors.push(one) : add(resultOf(one, outcome, by));
    await inParallel(jobs, jobsOf(open, round, isAlone), async ({ spec, batch, alone = [] }) => {
      const left = batch ? await runBatch(spec, batch, round, settle) : alone;
      for (const one of left) await runAlone(one, one.runs[round], settle);
    });
    open = survivors;
  }
}

function jobsOf(open, round, isAlone) {
  const canShare = ({ runs }) => runs[round].isDirect && !isAlone;
  const alone = open.filter((one) => !canShare(one)).map((one) => ({ alone: [one] }));
  const bySpec = Map.groupBy(open.filter(canShare), ({ runs }) => runs[round].spec);
  const batches = [...bySpec].flatMap(([spec, ones]) =>
    Array.from({ length: Math.ceil(ones.length / BATCH) }, (_, n) => ({
      spec,
      batch: ones.slice(n * BATCH, (n + 1) * BATCH),
    })),
  );
  return [...batches, ...alone];
}

/** Returns those whose result is unknown: the process ended, or a test also failed without a mutant. */
async function runBatch(spec, ones, round, settle) {
  const plans = ones.map(({ id, runs }) => ({
    mutant: id,
    tests: runs[round].tests,
    timeout: TIMEOUT_FACTOR * runs[round].slowest + TIMEOUT_MIN / 3,
  }));
  const time = ones.reduce((sum, { runs }) => sum + runs[round].ms, 0);
  const { lines, ms } = await runSpec(spec, { batch: plans }, TIMEOUT_FACTOR * time + TIMEOUT_MIN);
  const killed = new Map(lines.filter((line) => line.killed).map((line) => [line.killed, line.test]));
  const isComplete = lines.some((line) => line.isComplete);
  const unrepeatable = lines.filter((line) => line.unrepeatable).map((line) => line.unrepeatable);
  const left = [];
  for (const one of ones) {
    one.ms += Math.round(ms / ones.length);
    const test = killed.get(one.id);
    if (test !== undefined) settle(one, 'killed', { spec, test, isControlled: true });
    else if (!isComplete || one.runs[round].tests.some((name) => unrepeatable.includes(name))) left.push(one);
    else settle(one, 'passed');
  }
  return left;
}

async function runAlone(one, { spec, tests, ms }, settle, log = () => undefined) {
  const {
    outcome,
    lines,
    output,
    ms: took,
  } = await runSpec(spec, { mutant: one.id, tests }, TIMEOUT_FACTOR * ms + TIMEOUT_MIN);
  one.ms += took;
  if (outcome === 'passed') return settle(one, 'passed');
  log(output);
  const test = lines.find(({ passed }) => passed === false)?.test ?? null;
  return settle(one, outcome === 'timeout' ? 'timeout' : 'killed', { spec, test });
}

/** Runs one mutant against its specs and logs what the first that fails writes. */
export async function explain({ id }, runs, log) {
  const one = { id, runs, ms: 0 };
  let end;
  for (const run of runs) {
    await runAlone(one, run, (_one, outcome, by) => (end = { outcome, ...by }), log);
    if (end.outcome !== 'passed') break;
  }
  log(JSON.stringify(end ?? { outcome: 'uncovered' }));
}

/**
 * A test that ran alone can fail because those before it were left out. Runs the tests that killed once more, without a
 * mutant; where one fails, its mutants are run against all tests of their specs.
 */
export async function control(all, { jobs, runsOf, results, log }) {
  const bySpec = Map.groupBy(
    all.filter(({ outcome, test, isControlled }) => outcome === 'killed' && test !== null && !isControlled),
    ({ spec }) => spec,
  );
  await inParallel(jobs, [...bySpec], async ([spec, killed], index) => {
    const { lines } = await runSpec(spec, { tests: [...new Set(killed.map(({ test }) => test))] });
    const passed = new Set(lines.filter((line) => line.passed).map((line) => line.test));
    const sound = killed.filter(({ test }) => passed.has(test));
    log(`control ${index + 1}/${bySpec.size} ${spec}: ${sound.length} of ${killed.length} hold`);
    for (const kill of sound) results.add({ ...kill, isControlled: true });
    for (const { id } of killed.filter((kill) => !sound.includes(kill))) {
      const one = { id, runs: runsOf({ id }), ms: 0 };
      let end = { outcome: 'passed' };
      for (const run of one.runs) {
        const whole = { ...run, tests: run.allTests, ms: run.specMs };
        await runAlone(one, whole, (_one, outcome, by) => (end = { outcome, ...by }));
        if (end.outcome !== 'passed') break;
      }
      const { outcome, ...by } = end;
      results.add({ ...resultOf(one, outcome === 'passed' ? 'survived' : outcome, by), isControlled: true });
    }
  });
}

function resultOf({ id, runs, ms }, outcome, by = {}) {
  return { id, outcome, ...by, specs: runs.length, ms };
}
