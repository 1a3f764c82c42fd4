import type { IncomingHttpHeaders } from 'node:http';
import { parseCookie } from 'cookie';
import { isLanguage, type Language, languageOf } from '../texts/language.js';

/** The language of a page: the one that was chosen in this browser (src/pages/language.ts), else by Accept-Language. */
export function pageLanguage(headers: IncomingHttpHeaders): Language {
  const { traffy_language: chosen } = parseCookie(headers.cookie ?? '');
  return isLanguage(chosen) ? chosen : languageOf(headers['accept-language']);
}
