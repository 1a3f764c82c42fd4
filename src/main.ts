import { nodeVersionProblem } from './node-version.js';

const problem = nodeVersionProblem(process.versions.node);
if (problem) {
  process.stderr.write(`Traffy cannot start: ${problem}\n`);
  process.exitCode = 1;
} else {
  // Imported late: these modules do not load on an older Node.js.
  const { serve } = await import('./server.js');
  await serve(process.argv.slice(2));
}
