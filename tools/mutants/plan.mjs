/** Chooses the specs, and in each the tests, that a mutant is run against. */

import { dirname } from 'node:path';

/** Specs for one mutant: the later ones hardly ever notice what the first ones missed. */
const SPECS_MAX = 8;

/** What compares declarations with what is documented or migrated; these tests call no code of the files. */
const OF_DECLARATIONS = [
  { files: /\.triggers\.ts$/, spec: 'test/triggers.spec.ts', tests: /./ },
  { files: /\.entity\.ts$/, spec: 'test/conventions.spec.ts', tests: /^database schema/ },
  { files: /\.dto\.ts$/, spec: 'test/unit/request-fields.spec.ts', tests: /./ },
  // One strategy, and without the slowest test.
  {
    files: /\.dto\.ts$/,
    spec: 'test/platform/specification.spec.ts',
    tests: /=session,jwt (?!lists exactly)/,
  },
];

/**
 * @param coverage an entry for each spec, of `readCoverage`.
 * @param seconds that the specs of one mutant may take together, as they take without it.
 * @returns a function from a mutant to its runs: unit specs first, then those of its room, then those whose tests
 *   reach most of the file, the cheaper first. What no test
 *   reaches because it runs when a module loads or a hook prepares, is run against the tests that reach the rest of its
 *   file; if none does, against those of its room and those that reach its folder.
 */
export function planner(mutants, coverage, seconds) {
  const places = new Map(mutants.map(({ id, file }) => [id, { file, folder: dirname(file) }]));
  const entries = coverage.map((entry) => ({
    ...entry,
    reached: placesOf([...new Set(Object.values(entry.tests).flatMap((test) => test.mutants))], places),
    ambient: new Set(entry.ambient),
    passed: Object.entries(entry.tests)
      .filter(([, test]) => test.passed)
      .map(([name, { mutants: ids }]) => ({ name, ids: new Set(ids), places: placesOf(ids, places) })),
  }));
  return ({ id }) => {
    const { file } = places.get(id);
    const declaring = OF_DECLARATIONS.filter(({ files }) => files.test(file));
    const isReached = entries.some(({ passed }) => passed.some((test) => test.places.has(file)));
    const runs = entries.flatMap((entry) => {
      const chosen = testsFor(entry, id, isReached ? file : dirname(file), {
        declaring,
        isOfRoom: !isReached && nearness(file, entry.spec) > 0,
      });
      return chosen
        ? [{ ...chosen, spec: entry.spec, ms: costOf(entry, chosen.tests), specMs: entry.ms }]
        : [];
    });
    const most = Math.max(1, ...runs.map(({ reach }) => reach));
    const rank = (run) => [
      run.isDirect ? 0 : 1,
      !run.isDirect && declaring.some(({ spec }) => spec === run.spec) ? 0 : 1,
      run.spec.startsWith('test/unit/') ? 0 : 1,
      -nearness(file, run.spec),
      // Two classes only, so that the cost decides between similar specs.
      run.reach * 2 >= most ? 0 : 1,
      run.ms,
    ];
    return within(runs.map((run) => ({ ...run, rank: rank(run) })).toSorted(byRank), seconds * 1000);
  };
}

/** The number of folders, and of words of the name, that a spec shares with a file: test/auth/keys with src/auth/keys. */
function nearness(file, spec) {
  const [parts, others] = [file, spec].map((path) => path.replace(/\..*$/, '').split('/').slice(1));
  const length = parts.findIndex((part, index) => part !== others[index]);
  return length === -1 ? parts.length : length;
}

/** How many of the mutants are in each file and folder. */
function placesOf(ids, places) {
  const counts = new Map();
  for (const { file, folder } of ids.map((id) => places.get(id)))
    for (const place of [file, folder]) counts.set(place, (counts.get(place) ?? 0) + 1);
  return counts;
}

/** The tests of a spec for a mutant, and how much of its place the spec reaches; null without any. */
function testsFor({ spec, passed, ambient, reached }, id, place, { declaring }) {
  const reach = reached.get(place) ?? 0;
  const direct = passed.filter(({ ids }) => ids.has(id));
  if (direct.length > 0) return { tests: namesOf(direct), reach, isDirect: true };
  if (!ambient.has(id)) return null;
  const declared = declaring.find((one) => one.spec === spec);
  const isNear = declared ? ({ name }) => declared.tests.test(name) : ({ places }) => places.has(place);
  const near = passed.filter(isNear);
  return near.length > 0 ? { tests: namesOf(near), reach, isDirect: false } : null;
}

const namesOf = (tests) => tests.map(({ name }) => name);

/** Start-up and hooks of the spec, and the chosen tests. */
function costOf({ ms, tests }, names) {
  const time = (chosen) => chosen.reduce((sum, name) => sum + tests[name].ms, 0);
  return ms - time(Object.keys(tests)) + time(names);
}

function byRank(a, b) {
  const index = a.rank.findIndex((value, at) => value !== b.rank[at]);
  return index === -1 ? 0 : a.rank[index] - b.rank[index];
}

function within(runs, timeMax) {
  let total = 0;
  return runs
    .filter(({ ms }, index) => {
      const isKept = index === 0 || total + ms <= timeMax;
      if (isKept) total += ms;
      return isKept;
    })
    .slice(0, SPECS_MAX);
}
