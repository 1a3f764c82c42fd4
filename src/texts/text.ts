import type { ProblemTexts } from './en.js';
import { DEFAULT_LANGUAGE, type Language, textsIn } from './language.js';

/**
 * A text of a problem. For people: a function that picks it, with its parameters, from the texts of a language. For
 * developers: a string, in English.
 */
export type Text = string | ((texts: ProblemTexts) => string);

export function inLanguage(text: Text, language: Language): string {
  return typeof text === 'string' ? text : text(textsIn(language).problems);
}

export function inEnglish(text: Text): string {
  return inLanguage(text, DEFAULT_LANGUAGE);
}

/** A value of JSON with each text in it turned into a string. */
export function valueInLanguage(value: unknown, language: Language): unknown {
  if (typeof value === 'function') return inLanguage(value as Text, language);
  if (Array.isArray(value)) return value.map((item) => valueInLanguage(item, language));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, valueInLanguage(item, language)]),
  );
}

const said = new Map<string, Text>();

/** The English of a text, for libraries that take strings only; `textOf` finds the text again. Not for user input. */
export function say(text: Text): string {
  const english = inEnglish(text);
  said.set(english, text);
  return english;
}

/** The text whose English `say` gave; any other string as it is. */
export function textOf(english: string): Text {
  return said.get(english) ?? english;
}
