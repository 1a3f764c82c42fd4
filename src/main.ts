import { nodeVersionProblem } from './node-version.js';

const problem = nodeVersionProblem(process.versions.node);
if (problem) {
  process.stderr.write(`Traffy cannot start: ${problem}\n`);
  process.exitCode = 1;
} else {
  // Only now: the modules behind it do not load on an older one.
  const { serve } = await import('./server.js');
  await serve(process.argv.slice(2));
}
