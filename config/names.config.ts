import { distance } from 'fastest-levenshtein';

/** Two edits are a typing error in a long name only: short names such as HOME and HOST differ by as little. */
const LONG_NAME = 7;

/**
 * Returns the known name that an unknown one is probably a misspelling of, or null if it belongs to another program. For
 * short names, only one edit or two swapped letters count.
 */
export function meantName(name: string, known: Iterable<string>): string | null {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) return null;
  const nearest = nearestName(name, known);
  if (nearest.edits > 2) return null;
  if (nearest.name.length >= LONG_NAME || nearest.edits === 1) return nearest.name;
  return sortLetters(name) === sortLetters(nearest.name) ? nearest.name : null;
}

/** Returns the known name with the fewest edits (Levenshtein distance), and their number. */
export function nearestName(name: string, known: Iterable<string>): { name: string; edits: number } {
  let best = { name: '', edits: Number.POSITIVE_INFINITY };
  for (const candidate of known) {
    const edits = distance(name, candidate);
    if (edits < best.edits) best = { name: candidate, edits };
  }
  return best;
}

function sortLetters(text: string): string {
  return [...text].toSorted().join('');
}
