import { isLanguage, type Language, DEFAULT_LANGUAGE } from '../../texts/language.js';

/** The language of the page. */
export function pageLanguage(): Language {
  const { lang } = document.documentElement;
  return isLanguage(lang) ? lang : DEFAULT_LANGUAGE;
}
