import { describe, expect, it } from '@jest/globals';
import type { MailValues } from '../../src/texts/en.js';
import { LANGUAGES, languageOf, textsIn } from '../../src/texts/language.js';

/** Texts that are the same in a language and in English. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  de: [
    'pages.account.passkeys.title',
    'pages.account.profile.name',
    'pages.admin.roles.admin',
    'pages.fields.name',
    'problems.fields.formats.base64url',
    'problems.fields.types.null',
  ],
};

const VALUES: MailValues = {
  url: 'https://auth.example.com',
  isByAdmin: false,
  factor: 'passkey',
  name: 'My phone',
  newAddress: 'n**@example.com',
  areFactorsRemoved: true,
  isPasswordKept: false,
  codesLeft: '7',
  failures: '12',
};

const OTHER_VALUES: MailValues = {
  url: 'https://auth.example.com',
  isByAdmin: true,
  factor: 'totp',
  name: '',
  newAddress: '',
  areFactorsRemoved: false,
  isPasswordKept: true,
  codesLeft: '',
  failures: '',
};

/** Every text with its path; functions are called. */
function textsOf(value: unknown, path = ''): Map<string, string> {
  if (typeof value === 'string') return new Map([[path, value]]);
  if (typeof value === 'function') {
    const call = value as (...given: unknown[]) => unknown;
    if (!path.startsWith('mails.kinds.')) return textsOf(call('A', 'B', 'C', 'D'), `${path}()`);
    return new Map([...textsOf(call(VALUES), `${path}()`), ...textsOf(call(OTHER_VALUES), `${path}(other)`)]);
  }
  if (typeof value !== 'object' || value === null) return new Map();
  const prefix = path === '' ? '' : `${path}.`;
  return new Map(Object.entries(value).flatMap(([key, inner]) => [...textsOf(inner, `${prefix}${key}`)]));
}

const { events, pages, mails, problems } = textsIn('en');
const english = textsOf({ events, pages, mails, problems });
const others = LANGUAGES.filter((language) => language !== 'en');

describe('the texts', () => {
  it.each(others)('of %s have exactly the keys of the English ones', (language) => {
    const texts = textsOf(textsIn(language));
    expect([...texts.keys()].toSorted()).toEqual([...english.keys()].toSorted());
    expect([...texts.values()].filter((text) => text.trim() === '')).toEqual([]);
  });

  it.each(others)('of %s are translated, except those that are listed', (language) => {
    const same = [...textsOf(textsIn(language))].filter(([path, text]) => english.get(path) === text);
    expect(same.map(([path]) => path).toSorted()).toEqual(SAME[language]?.toSorted());
  });

  it('are one set in English: no other export, and more than a few texts', () => {
    expect(Object.keys(textsIn('en')).toSorted()).toEqual(['events', 'mails', 'pages', 'problems']);
    expect(english.size).toBeGreaterThan(200);
  });
});

describe('the language of a request', () => {
  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-CH', 'de'],
    ['fr, de;q=0.5', 'de'],
    ['en, de', 'en'],
    ['fr', 'en'],
    ['de;q=0', 'en'],
    ['constructor', 'en'],
  ])('with Accept-Language %j is %s', (given, language) => {
    expect(languageOf(given)).toBe(language);
  });
});
