import { progress } from './report.mjs';

/**
 * Visits all subjects repeatedly, each round starting with another one, so that other load of the machine affects
 * all.
 */
export async function inRounds(rounds, subjects, visit, signal) {
  for (let round = 0; round < rounds; round += 1) {
    const from = round % subjects.length;
    for (const subject of [...subjects.slice(from), ...subjects.slice(0, from)]) {
      signal.throwIfAborted();
      await visit(subject);
    }
    progress(`round ${round + 1} of ${rounds}`);
  }
}
