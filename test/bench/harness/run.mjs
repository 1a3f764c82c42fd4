import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs a measurement and ends the process with 1 if it fails. What it opened is closed again, in reverse, also when it is
 * interrupted.
 *
 * @param measure gets `defer`, for what has to be done at the end, a `folder` that is removed then, and the `signal` that
 *   says it is to stop.
 */
export async function run(measure) {
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'])
    process.once(name, () => interruption.abort(new Error(`interrupted by ${name}`)));
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'traffy-bench-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  try {
    await measure({ defer: (work) => stack.defer(work), folder, signal: interruption.signal });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } finally {
    await stack.disposeAsync();
  }
}
