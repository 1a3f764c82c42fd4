import type { Language } from '../texts/language.js';
import { language } from './text.js';

/** Every language by its own name. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: 'English', de: 'Deutsch' };

/** The server reads it, and prefers it to the language of the browser. */
const COOKIE = 'traffy_language';
const YEAR = 31_536_000;

const isKept = (chosen: string) => document.cookie.split('; ').includes(`${COOKIE}=${chosen}`);

/**
 * Shows the pages in the language of the account from now on, in this browser.
 *
 * @param chosen null for none: the language of the browser stays.
 */
export function adoptLanguage(chosen: Language | null): void {
  // Another language despite the cookie: a reload would change nothing.
  if (chosen === null || chosen === language || isKept(chosen)) return;
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${COOKIE}=${chosen}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  if (isKept(chosen)) location.reload();
}
