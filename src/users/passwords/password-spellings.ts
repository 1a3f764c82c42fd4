/** The code points that are estimated. The search time grows faster than the length. */
const LOOKED_AT = 40;
/** Shorter words of the context are part of too many good passwords. */
const CONTEXT_WORD_MIN = 5;
/** Characters that separate others: more kinds of them are not a pattern. */
const SEPARATORS_MAX = 2;
/** Digits and symbols that users write in place of letters. */
const INSTEAD: Readonly<Record<string, string>> = {
  a: '4@',
  e: '3',
  i: '1!',
  l: '1',
  o: '0',
  s: '5$',
  t: '7',
};
/** Cyrillic letters that look like Latin ones, and these. */
const LOOKALIKES = new Map([...'асеорхуіѕјһ'].map((letter, at) => [letter, 'aceopxyisjh'.charAt(at)])); // cspell:disable-line

/**
 * The spellings of a password whose guesses are estimated, each cut to a bounded length. The second one is without
 * disguise: accents, invisible characters, letters of other scripts, separators between single characters and digits,
 * and words that an attacker knows. The third one is the second with every other character at its end, as a
 * pattern of two woven patterns has them (`a1b2c3`, `ppaassss`). Spellings that are the same are left out.
 *
 * @param context words that an attacker knows, in lower case.
 */
export function spellingsOf(password: string, context: readonly string[]): readonly string[] {
  const typed = password.normalize('NFKC');
  const plain = withoutContext(withoutSeparators(withoutMarks(typed)), context);
  return [...new Set([typed, plain, unwoven(plain)].map(cut))];
}

function cut(text: string): string {
  return [...text].slice(0, LOOKED_AT).join('');
}

function withoutMarks(text: string): string {
  const bare = text.normalize('NFKD').replace(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, '');
  // Recomposed, because the letters of some scripts consist of several code points.
  return [...bare.normalize('NFC')].map((letter) => LOOKALIKES.get(letter) ?? letter).join('');
}

/** Joins `p.a.s.s` and `31-12-1999`: the separators do not make them harder to guess. */
function withoutSeparators(text: string): string {
  const separators = new Set(text.match(/[^\p{L}\p{N}]/gu));
  if (separators.size === 0 || separators.size > SEPARATORS_MAX) return text;
  const parts = text.split(/[^\p{L}\p{N}]+/u).filter((part) => part !== '');
  const joined = parts.join('');
  const isSpelt =
    parts.length > 1 && (parts.every((part) => [...part].length === 1) || !/\p{L}/u.test(joined));
  return isSpelt ? joined : text;
}

/** The characters of even places, then those of odd places. */
function unwoven(text: string): string {
  const characters = [...text].slice(0, LOOKED_AT);
  const of = (parity: number) => characters.filter((_, at) => at % 2 === parity).join('');
  return of(0) + of(1);
}

function withoutContext(text: string, context: readonly string[]): string {
  const known = context
    .filter((word) => word.length >= CONTEXT_WORD_MIN)
    .toSorted((a, b) => b.length - a.length);
  return known.reduce((rest, word) => rest.replaceAll(disguised(word), ''), text);
}

/** Matches a word, which consists of letters only, also with digits and symbols in their place. */
function disguised(word: string): RegExp {
  const letters = [...word].map((letter) => (INSTEAD[letter] ? `[${letter}${INSTEAD[letter]}]` : letter));
  return new RegExp(letters.join(''), 'giu');
}
