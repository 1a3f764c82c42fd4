/** The figures of a run, and its survivors. */
import { isKilled } from './results.mjs';

export function summary(chosen, results, { all, seed }) {
  const outcomes = Map.groupBy(chosen, (mutant) => results.get(mutant).outcome);
  const killed = chosen.filter((mutant) => isKilled(results.get(mutant)));
  const rooms = Map.groupBy(chosen, ({ file }) => file.split('/').slice(0, 3).join('/'));
  const counts = [...outcomes].map(([outcome, mutants]) => `${mutants.length} ${outcome}`);
  const lines = [
    `${all ? 'all mutants' : `seed ${seed}`}: ${share(killed, chosen)} killed (${counts.join(', ')})`,
    ...[...rooms].toSorted().map(([room, mutants]) => {
      const dead = mutants.filter((mutant) => isKilled(results.get(mutant)));
      return `  ${room}: ${share(dead, mutants)}`;
    }),
    'survivors:',
    ...chosen
      .filter((mutant) => !isKilled(results.get(mutant)))
      .map((mutant) => lineOf(mutant, results.get(mutant))),
  ];
  return `${lines.join('\n')}\n`;
}

function share(part, whole) {
  return `${part.length} of ${whole.length} (${((part.length / whole.length) * 100).toFixed(1)} %)`;
}

function lineOf({ id, file, line, column, mutator, replacement }, { outcome, specs }) {
  const shown = replacement.replaceAll(/\s+/g, ' ').slice(0, 80);
  return `  ${id} ${file}:${line}:${column} ${mutator} → ${shown} (${outcome}, ${specs} specs)`;
}
