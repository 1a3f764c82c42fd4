/** The outcome of each mutant, one line of JSON each: the last line of a mutant counts. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATA } from './paths.mjs';
import { specs, stateOf } from './sandbox.mjs';

const FILE = join(DATA, 'results.jsonl');

export class Results {
  /** What survived these specs can be killed by others. */
  specsState = stateOf(specs);
  lines = new Map();

  constructor() {
    const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
    for (const line of text.split('\n').filter(Boolean)) {
      const result = JSON.parse(line);
      this.lines.set(result.id, result);
    }
  }

  has({ id }, { again }) {
    const found = this.lines.get(id);
    return found !== undefined && (isKilled(found) || (found.specsState === this.specsState && !again));
  }

  get({ id }) {
    return this.lines.get(id);
  }

  add(result) {
    const line = { ...result, specsState: this.specsState };
    this.lines.set(result.id, line);
    appendFileSync(FILE, `${JSON.stringify(line)}\n`);
  }
}

export const isKilled = ({ outcome }) => outcome === 'killed' || outcome === 'timeout';
