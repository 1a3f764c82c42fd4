import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { AppConfig } from '../../../config/app.config.js';
import type { PasswordConfig } from '../../../config/password.config.js';
import { APP_CONFIG, PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { BreachedPasswords } from './breached-passwords.service.js';
import { loadCommonPasswords } from './common-passwords.js';
import { feedbackOn, type PasswordFeedback } from './password-feedback.js';

export type PasswordWeakness = 'too_short' | 'common' | 'context_specific' | 'breached' | 'unchanged';

/** Why a password is refused. */
export interface WeakPassword {
  readonly reason: PasswordWeakness;
  /** The sentence that tells a person what to do. */
  readonly detail: string;
  readonly feedback?: PasswordFeedback;
}

const SERVICE_NAME = 'traffy';
/** Shorter words stand in too many innocent passwords. */
const WORD_MIN = 3;

/** Digits and signs that people write for letters. */
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
 * NIST SP 800-63B-4 §3.1.1.2: a least length in code points, a list of common passwords (Mozilla's, of the million
 * most common), words of the context, and, where an operator names a service that knows them, leaked passwords. No composition rules. The whole password is compared, never a part.
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
    this.common = await loadCommonPasswords(this.minLength);
  }

  /**
   * Whether a new password may be taken: the one question that sign-up, change and reset all ask, before they hash it.
   * It looks at everything, also at what others know of the password; `weakPassword` makes the answer of it.
   *
   * @param email the address of its account.
   * @returns why it is refused; null for a password that may be taken.
   * @throws BreachCheckUnavailable where nothing is known and BREACHED_PASSWORDS_UNAVAILABLE says to refuse.
   */
  async assess(password: string, email: string): Promise<WeakPassword | null> {
    const reason =
      this.weaknessOf(password, email) ?? ((await this.breached.includes(password)) ? 'breached' : null);
    if (reason === null) return null;
    const feedback = await feedbackOn(password, this.contextOf(email));
    return { reason, detail: this.explain(reason), ...(feedback && { feedback }) };
  }

  /** What `assess` finds without asking anybody. New passwords go through `assess`. */
  weaknessOf(password: string, email: string): PasswordWeakness | null {
    const normalized = password.normalize('NFC');
    if ([...normalized].length < this.minLength) return 'too_short';
    if (this.common.has(normalized.toLowerCase())) return 'common';
    return isMadeOf(normalized, this.contextOf(email)) ? 'context_specific' : null;
  }

  /** The sentence that tells a person what to do about a weakness. */
  explain(weakness: PasswordWeakness): string {
    if (weakness === 'too_short') {
      return `The password must have at least ${this.minLength} characters. A few unrelated words are easy to remember.`;
    }
    if (weakness === 'common')
      return 'The password is one of the most common ones. Choose words of your own.';
    if (weakness === 'breached')
      return 'The password stands in collections of leaked passwords that attackers try first. Choose another one, and change it wherever you use it.';
    return 'The password is made of the service name or your e-mail address. Choose unrelated words.';
  }

  /** Words that an attacker would try first for this account. */
  private contextOf(email: string): string[] {
    return [...this.serviceWords, ...words(email.toLowerCase().split(/[@.+_-]/)), ...words(email.split('@'))];
  }
}

function words(parts: readonly string[]): string[] {
  return parts.map((part) => letters(part.toLowerCase())).filter((word) => word.length >= WORD_MIN);
}

/**
 * Whether nothing but words of the context is left of a password, however it is dressed up. The derivations are:
 * other case, look-alike characters, the word reversed, repeated or joined with others, and digits and signs
 * before, between and after.
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
