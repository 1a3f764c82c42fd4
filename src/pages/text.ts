import type { EventTexts, PageTexts } from '../texts/en.js';
import type { Language } from '../texts/language.js';

/** The texts of each language. Destructured, so that browsers get only these. */
const TEXTS: Readonly<Record<Language, () => Promise<{ pages: PageTexts; events: EventTexts }>>> = {
  en: () => import('../texts/en.js').then(({ pages, events }) => ({ pages, events })),
  de: () => import('../texts/de.js').then(({ pages, events }) => ({ pages, events })),
};

/** The language of the page, as the server chose it. */
export const language = document.documentElement.lang as Language;

/** The texts of the page and of audit events, in its language. */
export const { pages: t, events: eventTexts } = await TEXTS[language]();
