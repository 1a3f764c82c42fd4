import Negotiator from 'negotiator';
import * as de from './de.js';
import * as en from './en.js';

/** Every language of pages, mails and problems. A new one is one file and one line here. */
const TEXTS = { en, de } as const;

export type Language = keyof typeof TEXTS;
export const LANGUAGES = Object.keys(TEXTS) as readonly Language[];
export const DEFAULT_LANGUAGE: Language = 'en';

/** All texts of a language. */
export function textsIn(language: Language): (typeof TEXTS)[Language] {
  return TEXTS[language];
}

/** Whether there are texts in a language, given by its tag. */
export function isLanguage(tag: unknown): tag is Language {
  return typeof tag === 'string' && Object.hasOwn(TEXTS, tag);
}

/** The language that a request prefers (RFC 9110 §12.5.4); the default if it names none that exists. */
export function languageOf(acceptLanguage: string | undefined): Language {
  if (acceptLanguage === undefined) return DEFAULT_LANGUAGE;
  const headers = { 'accept-language': acceptLanguage };
  const preferred = new Negotiator({ headers }).language([...LANGUAGES]);
  return isLanguage(preferred) ? preferred : DEFAULT_LANGUAGE;
}
