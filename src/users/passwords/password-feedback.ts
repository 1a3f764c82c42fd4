import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

/** What makes a password easy to guess, and what would make a better one: sentences for a person. */
export interface PasswordFeedback {
  readonly warning?: string;
  readonly suggestions: readonly string[];
}

/** Code points of a password that are looked at. The search grows faster than its text: these take 30 ms at worst. */
const LOOKED_AT = 40;
/** Look-alike characters that it tries to read as letters. */
const SUBSTITUTIONS_MAX = 8;

let loading: Promise<ZxcvbnFactory> | undefined;

/**
 * What zxcvbn says of a password that was refused. It refuses nothing by itself: its score counts guesses of an attacker
 * who knows English, and says little of passphrases in other languages and scripts.
 *
 * @param context words that an attacker knows.
 * @returns null if it has nothing to say.
 */
export async function feedbackOn(
  password: string,
  context: readonly string[],
): Promise<PasswordFeedback | null> {
  // Some 15 MB, of which a service that never refuses a password needs none.
  loading ??= load();
  const estimator = await loading;
  const beginning = [...password].slice(0, LOOKED_AT).join('');
  const { warning, suggestions } = estimator.check(beginning, [...context]).feedback;
  if (warning === null && suggestions.length === 0) return null;
  return { ...(warning !== null && { warning }), suggestions };
}

async function load(): Promise<ZxcvbnFactory> {
  const [core, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ]);
  return new core.ZxcvbnFactory({
    translations: english.translations,
    graphs: { qwerty: common.adjacencyGraphs.qwerty },
    // The larger lists (last names, Wikipedia) would double the memory and say nothing else.
    dictionary: {
      'passwords-common': common.dictionary['passwords-common'],
      'commonWords-en': english.dictionary['commonWords-en'],
      'firstnames-en': english.dictionary['firstnames-en'],
    },
    l33tMaxSubstitutions: SUBSTITUTIONS_MAX,
  });
}
