/** Runs one spec of the sandbox in a process of its own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, SANDBOX } from './paths.mjs';

const NODE = ['--liftoff-only', '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

/**
 * @param {string} spec a path inside the project.
 * @param plan which tests and mutants, as environment.mjs describes; without it, coverage is recorded.
 * @param {number} [timeout] in milliseconds.
 * @returns `outcome`: passed, failed or timeout; `lines`: what environment.mjs wrote; `output`: of Jest.
 */
export async function runSpec(spec, plan, timeout) {
  const folder = mkdtempSync(join(tmpdir(), 'traffy-mutant-'));
  const files = { report: join(folder, 'report.jsonl'), plan: join(folder, 'plan.json') };
  if (plan) writeFileSync(files.plan, JSON.stringify(plan));
  const jest = [
    join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--config',
    join(import.meta.dirname, 'jest.config.mjs'),
    '--runInBand',
    // A mutant can leave a timer or a connection behind.
    '--forceExit',
    '--silent',
    '--runTestsByPath',
    join(SANDBOX, spec),
  ];
  const child = spawn(join(ROOT, 'node_modules', '.bin', 'node'), [...NODE, ...jest], {
    cwd: SANDBOX,
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own: a mutant that never ends takes its child processes with it.
    detached: true,
    env: { ...process.env, MUTANTS_REPORT: files.report, ...(plan && { MUTANTS_PLAN: files.plan }) },
  });
  let output = '';
  child.stderr.on('data', (chunk) => (output = `${output}${chunk}`.slice(-100_000)));
  let isLate = false;
  const end = () => {
    isLate = true;
    process.kill(-child.pid, 'SIGKILL');
  };
  const timer = timeout && setTimeout(end, timeout);
  const started = performance.now();
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const ms = Math.round(performance.now() - started);
  const text = existsSync(files.report) ? readFileSync(files.report, 'utf8') : '';
  rmSync(folder, { recursive: true });
  const outcome = isLate ? 'timeout' : code === 0 ? 'passed' : 'failed';
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { outcome, ms, lines, output };
}
