import { distance } from 'fastest-levenshtein';

/** Two edits make a typing error of a long name; two short names (OS and DOCS, HOME and HOST) may just differ so. */
const LONG_NAME = 7;

/**
 * The known name that an unknown one was probably meant to be; null if it belongs to somebody else. Of a short
 * name only one edit or two swapped letters count.
 */
export function meantName(name: string, known: Iterable<string>): string | null {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) return null;
  const nearest = nearestName(name, known);
  if (nearest.edits > 2) return null;
  if (nearest.name.length >= LONG_NAME || nearest.edits === 1) return nearest.name;
  return sortLetters(name) === sortLetters(nearest.name) ? nearest.name : null;
}

/** The known name that takes the fewest edits (Levenshtein distance), and how many. */
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
