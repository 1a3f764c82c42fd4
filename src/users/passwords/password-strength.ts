import type { ZxcvbnFactory } from '@zxcvbn-ts/core';
import type { Text } from '../../texts/text.js';
import { spellingsOf } from './password-spellings.js';

/** Why a password is easy to guess, and how to improve it: sentences for users. */
export interface PasswordFeedback {
  readonly warning?: Text;
  readonly suggestions: readonly Text[];
}

/** How early an attacker guesses a password. */
export interface PasswordStrength {
  /** The decimal logarithm of the guesses before it, by the estimate of zxcvbn. */
  readonly guessesLog10: number;
  /** Null without feedback. */
  readonly feedback: PasswordFeedback | null;
}

/** The maximum of look-alike characters that are tried as letters. */
const SUBSTITUTIONS_MAX = 8;

let loading: Promise<ZxcvbnFactory> | undefined;

/**
 * The strength of the weakest spelling of a password. It knows common passwords, English words, first names, sequences,
 * repetitions, dates, keyboard rows and look-alike characters; a text in another language counts as random characters.
 *
 * @param context words that an attacker knows.
 */
export async function strengthOf(password: string, context: readonly string[]): Promise<PasswordStrength> {
  // About 15 MB, loaded with the first new password.
  loading ??= load();
  const estimator = await loading;
  const estimates = spellingsOf(password, context).map((spelling) => estimator.check(spelling, [...context]));
  const weakest = estimates.toSorted((a, b) => a.guessesLog10 - b.guessesLog10)[0];
  if (!weakest) throw new Error('a password has at least one spelling');
  const { warning, suggestions } = weakest.feedback;
  const isSilent = warning === null && suggestions.length === 0;
  return {
    guessesLog10: weakest.guessesLog10,
    feedback: isSilent
      ? null
      : {
          ...(warning !== null && { warning: ({ warnings }) => warnings[warning as keyof typeof warnings] }),
          suggestions: suggestions.map(
            (key): Text =>
              ({ suggestions: texts }) =>
                texts[key as keyof typeof texts],
          ),
        },
  };
}

/** Translations that name themselves: the estimator answers with keys, and src/texts has the words. */
function keysOf<T extends object>(translations: T): T {
  return Object.fromEntries(Object.keys(translations).map((key) => [key, key])) as T;
}

async function load(): Promise<ZxcvbnFactory> {
  const [core, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ]);
  const { azerty, keypad, qwerty, qwertz } = common.adjacencyGraphs;
  return new core.ZxcvbnFactory({
    translations: {
      ...english.translations,
      warnings: keysOf(english.translations.warnings),
      suggestions: keysOf(english.translations.suggestions),
    },
    graphs: { azerty, keypad, qwerty, qwertz },
    // The larger lists (last names, Wikipedia) would double the memory and refuse hardly more.
    dictionary: {
      'passwords-common': common.dictionary['passwords-common'],
      'commonWords-en': english.dictionary['commonWords-en'],
      'firstnames-en': english.dictionary['firstnames-en'],
    },
    l33tMaxSubstitutions: SUBSTITUTIONS_MAX,
  });
}
