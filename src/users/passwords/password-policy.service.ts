import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { AppConfig } from '../../../config/app.config.js';
import type { PasswordConfig } from '../../../config/password.config.js';
import { APP_CONFIG, PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import type { Text } from '../../texts/text.js';
import { BreachedPasswords } from './breached-passwords.service.js';
import { loadCommonPasswords } from './common-passwords.js';
import { type PasswordFeedback, strengthOf } from './password-strength.js';

export type PasswordWeakness =
  'too_short' | 'common' | 'context_specific' | 'guessable' | 'breached' | 'unchanged';

/** A reason for the refusal of a password. */
interface WeaknessFound {
  readonly reason: PasswordWeakness;
  /** The sentence that tells a user what to do. */
  readonly detail: Text;
}

/** Why a password is refused: all reasons. */
export interface WeakPassword {
  readonly reasons: readonly [WeaknessFound, ...WeaknessFound[]];
  readonly feedback?: PasswordFeedback;
}

const SERVICE_NAME = 'traffy';
/** The decimal logarithm of guesses that a password must withstand: half a minute of a graphics card at a fast hash. */
const GUESSES_LOG10 = 10;
const ADVICE: Text = (texts) => texts.suggestions.anotherWord;
/** Shorter words are part of too many good passwords. */
const WORD_MIN = 3;

/** Digits and symbols that users write instead of letters. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/**
 * NIST SP 800-63B-4 §3.1.1.2: a minimum length in code points, a list of common passwords (Mozilla's, of the million
 * most common), words of the context, a minimum of guesses and, if an operator configures a service, leaked passwords.
 * No composition rules. Lists are compared with the complete password.
 */
@Injectable()
export class PasswordPolicy implements OnModuleInit {
  private readonly minLength: number;
  private readonly serviceWords: readonly string[];
  private common: ReadonlySet<string> = new Set();

  constructor(
    @Inject(PASSWORD_CONFIG) passwords: PasswordConfig,
    @Inject(APP_CONFIG) app: AppConfig,
    private readonly breached: BreachedPasswords,
  ) {
    this.minLength = passwords.PASSWORD_MIN_LENGTH;
    this.serviceWords = words([SERVICE_NAME, ...new URL(app.PUBLIC_URL).hostname.split('.')]);
  }

  async onModuleInit(): Promise<void> {
    this.common = await loadCommonPasswords();
  }

  /**
   * Whether a new password is accepted: used by sign-up, change and reset before they hash it. It checks everything;
   * `weakPassword` turns the result into the answer. Leaks are looked up only for passwords without other weaknesses.
   *
   * @param email the address of its account.
   * @returns all reasons why it is refused; null if it is accepted.
   * @throws BreachCheckUnavailable if the leak check has no answer and BREACHED_PASSWORDS_UNAVAILABLE says to refuse.
   */
  async assess(password: string, email: string): Promise<WeakPassword | null> {
    const { guessesLog10, feedback } = await strengthOf(password, this.contextOf(email));
    const weaknesses = this.weaknessesOf(password, email);
    if (guessesLog10 < this.minGuessesLog10(password)) weaknesses.push('guessable');
    if (weaknesses.length === 0 && (await this.breached.includes(password))) weaknesses.push('breached');
    const [first, ...more] = weaknesses.map((reason) => ({ reason, detail: this.explain(reason) }));
    if (first === undefined) return null;
    // The estimator is silent from its third score on, which the bound exceeds.
    const advice = feedback ?? (weaknesses.includes('guessable') ? { suggestions: [ADVICE] } : null);
    return { reasons: [first, ...more], ...(advice && { feedback: advice }) };
  }

  /** The weaknesses that need no estimate of guesses and no leak check. */
  private weaknessesOf(password: string, email: string): PasswordWeakness[] {
    const normalized = password.normalize('NFC');
    const weaknesses: PasswordWeakness[] = [];
    if (lengthOf(password) < this.minLength) weaknesses.push('too_short');
    if (this.common.has(normalized.toLowerCase())) weaknesses.push('common');
    if (isMadeOf(normalized, this.contextOf(email))) weaknesses.push('context_specific');
    return weaknesses;
  }

  /**
   * The decimal logarithm of guesses that a password must withstand. Random characters count 10 guesses each: the bound
   * must not call all passwords of a lower minimum length guessable, nor those that are only too short.
   */
  private minGuessesLog10(password: string): number {
    return Math.min(GUESSES_LOG10, Math.min(this.minLength, lengthOf(password)) - 2);
  }

  /** The sentence that tells a user what to do about a weakness. */
  private explain(weakness: PasswordWeakness): Text {
    if (weakness === 'too_short') return (texts) => texts.weakPassword.too_short(this.minLength);
    return (texts) => texts.weakPassword[weakness];
  }

  /** Words that an attacker would try first for this account. */
  private contextOf(email: string): string[] {
    return [...this.serviceWords, ...words(email.toLowerCase().split(/[@.+_-]/)), ...words(email.split('@'))];
  }
}

/** In code points of the composed form (NFC), which is hashed. */
function lengthOf(password: string): number {
  return [...password.normalize('NFC')].length;
}

function words(parts: readonly string[]): string[] {
  return parts.map((part) => letters(part.toLowerCase())).filter((word) => word.length >= WORD_MIN);
}

/**
 * Whether a password consists only of words of the context, in disguise: another case, look-alike characters, the
 * word reversed, repeated or joined with others, and digits and symbols before, between and after.
 */
function isMadeOf(password: string, context: readonly string[]): boolean {
  const lower = password.normalize('NFKC').toLowerCase();
  const undressed = [...lower].map((character) => LOOKALIKES[character] ?? character).join('');
  const candidates = [...context, ...context.map(reverse)].toSorted((a, b) => b.length - a.length);
  return [letters(lower), letters(undressed)].some(
    (text) => text !== '' && candidates.reduce((rest, word) => rest.replaceAll(word, ''), text) === '',
  );
}

function letters(text: string): string {
  return text.replace(/[^\p{L}]/gu, '');
}

function reverse(text: string): string {
  return [...text].toReversed().join('');
}
