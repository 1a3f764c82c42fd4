import type { PageTexts } from '../texts/en.js';
import type { Language } from '../texts/language.js';

/** The texts of each language. Destructured, so that browsers get those of the pages alone. */
const TEXTS: Readonly<Record<Language, () => Promise<PageTexts>>> = {
  en: () => import('../texts/en.js').then(({ pages }) => pages),
  de: () => import('../texts/de.js').then(({ pages }) => pages),
};

/** The language of the page, as the server chose it. */
export const language = document.documentElement.lang as Language;

/** The texts of the page, in its language. */
export const t = await TEXTS[language]();
