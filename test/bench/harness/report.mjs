import { writeFileSync } from 'node:fs';
import { markdownTable } from 'markdown-table';

export const say = (text) => process.stdout.write(`${text}\n`);

/** Reports progress to the person who waits. */
export const progress = (text) => process.stderr.write(`${text}\n`);

/** Prints rows of cells under a head, as Markdown: the first column is a name, the others are figures. */
export function printTable(head, rows) {
  const align = head.map((_name, column) => (column === 0 ? 'l' : 'r'));
  say(`\n${markdownTable([head, ...rows], { align })}`);
}

/** One line about the machine and what runs on it. */
export function printMachine({ cpu, cores, memory_gib: memory, os, node }, versions) {
  const software = Object.entries({ 'Node.js': node, ...versions }).map(
    ([name, version]) => `${name} ${version}`,
  );
  say(`\n${cpu}, ${cores} cores, ${memory} GiB, ${os}\n${software.join(', ')}`);
}

/** What keeps the figures from telling anything, if something does. */
export function printDoubts(doubts) {
  if (doubts.length > 0) say(`\nToo noisy to tell:\n${doubts.map((doubt) => `- ${doubt}`).join('\n')}`);
}

/** Writes the figures where `--json` says, if it does. */
export function writeJson(path, figures) {
  if (path === undefined) return;
  writeFileSync(path, `${JSON.stringify(figures, (_key, value) => rounded(value), 2)}\n`);
  progress(`figures: ${path}`);
}

export const fixed = (value, digits = 2) => value.toFixed(digits);

export const mebibytes = (bytes) => bytes / 2 ** 20;

function rounded(value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
