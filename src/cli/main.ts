#!/usr/bin/env node
import { nodeVersionProblem } from '../node-version.js';

const problem = nodeVersionProblem(process.versions.node);
if (problem) {
  process.stderr.write(`traffy: ${problem}\n`);
  process.exitCode = 1;
} else {
  // Imported late: these modules do not load on an older Node.js.
  const { ignoreBrokenPipes } = await import('./broken-pipe.js');
  ignoreBrokenPipes();
  const { run } = await import('./program.js');
  process.exitCode = await run(process.argv.slice(2));
}
