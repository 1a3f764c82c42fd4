/**
 * A Jest environment that runs chosen tests, with mutants or without, and writes a line for each.
 *
 * MUTANTS_PLAN names a file of JSON: nothing to record what each test reaches, `tests` for those to run until the first
 * failure, or `batch`, a list of mutants each with its tests. In a batch a test runs without a mutant, then with each
 * of its mutants, and after a failure again without one: that shows whether the mutant failed it, or what the one
 * before left behind.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { TestEnvironment } from 'jest-environment-node';

const { MUTANTS_PLAN, MUTANTS_REPORT } = process.env;

export default class extends TestEnvironment {
  plan = MUTANTS_PLAN ? JSON.parse(readFileSync(MUTANTS_PLAN, 'utf8')) : {};
  stryker = { mutantCoverage: { static: {}, perTest: {} }, activeMutant: this.plan.mutant };
  killed = new Set();
  /** Tests that fail without a mutant when they run twice. */
  unrepeatable = new Set();

  constructor(config, context) {
    super(config, context);
    this.global['__stryker__'] = this.stryker;
  }

  handleTestEvent(event, { rootDescribeBlock: root }) {
    if (event.name === 'run_start') this.choose(root);
    if (event.name === 'test_start') this.start(event.test);
    if (event.name === 'test_skip') this.stryker.currentTestId = undefined;
    if (event.name === 'test_done') this.end(event.test);
    const isFailure =
      event.name === 'hook_failure' || (event.name === 'test_done' && event.test.errors.length > 0);
    // The hooks of tests that are skipped do not run either. Those that a hook failed stay, as failures.
    if (isFailure && this.plan.tests) select(root, (test) => (test.errors.length > 0 ? [test] : []));
  }

  choose(root) {
    const { tests, batch } = this.plan;
    if (tests) select(root, (test) => (tests.includes(nameOf(test)) ? [test] : []));
    if (!batch) return;
    select(root, (test) => {
      const mutants = batch.filter((one) => one.tests.includes(nameOf(test)));
      if (mutants.length === 0) return [];
      return [
        test,
        ...mutants.flatMap(({ mutant, timeout }) => [
          copyOf(test, { mutant, timeout }),
          copyOf(test, { after: mutant }),
        ]),
      ];
    });
  }

  start(test) {
    const name = nameOf(test);
    const isNeedless =
      this.unrepeatable.has(name) ||
      this.killed.has(test.mutant) ||
      (test.after !== undefined && this.last?.mutant !== test.after);
    if (isNeedless && this.plan.batch) {
      test.mode = 'skip';
      return;
    }
    this.stryker.currentTestId = name;
    if (!this.plan.batch) return;
    this.stryker.activeMutant = test.mutant;
    if (test.mutant !== undefined) this.write({ started: test.mutant });
  }

  end(test) {
    const name = nameOf(test);
    const passed = test.errors.length === 0;
    this.stryker.currentTestId = undefined;
    if (!this.plan.batch) {
      const mutants = Object.keys(this.stryker.mutantCoverage.perTest[name] ?? {});
      this.write({ test: name, passed, ms: test.duration ?? 0, ...(!this.plan.tests && { mutants }) });
      return;
    }
    this.stryker.activeMutant = undefined;
    this.last = passed ? undefined : test;
    if (test.mutant !== undefined) this.write({ ended: test.mutant });
    if (passed && test.after !== undefined) {
      this.killed.add(test.after);
      this.write({ killed: test.after, test: name });
    }
    if (!passed && test.mutant === undefined) {
      this.unrepeatable.add(name);
      this.write({ unrepeatable: name });
    }
  }

  write(line) {
    appendFileSync(MUTANTS_REPORT, `${JSON.stringify(line)}\n`);
  }

  async teardown() {
    if (!MUTANTS_PLAN) this.write({ ambient: Object.keys(this.stryker.mutantCoverage.static) });
    if (this.plan.batch) this.write({ isComplete: true });
    await super.teardown();
  }
}

function nameOf(test) {
  const names = [];
  for (let block = test; block.parent; block = block.parent) names.unshift(block.name);
  return names.join(' ');
}

/** Replaces each test by those that `chosen` returns; without any it is skipped, and so are its hooks. */
function select(block, chosen) {
  block.children = block.children.flatMap((child) => {
    if (child.type === 'describeBlock') select(child, chosen);
    if (child.type === 'describeBlock' || child.mode === 'skip') return [child];
    const tests = chosen(child);
    if (tests.length === 0) child.mode = 'skip';
    return tests.length === 0 ? [child] : tests;
  });
}

function copyOf(test, { timeout = test.timeout, ...changes }) {
  return {
    ...test,
    ...changes,
    timeout,
    errors: [],
    retryReasons: [],
    unhandledRejectionErrorByPromise: new Map(),
  };
}
