import { describe, expect, it } from '@jest/globals';
import {
  equalsIgnoringCase,
  listElements,
  lowerAscii,
  pathOf,
  trimBlanks,
  upperAscii,
} from '../../src/platform/http/ascii.js';

/** Every character beyond space and tab that `trim()` or `\s` takes for white space. */
const OTHER_SPACES = Array.from({ length: 0xffff }, (_, code) => String.fromCharCode(code)).filter(
  (letter) => /\s/.test(letter) && letter !== ' ' && letter !== '\t',
);

describe('text of protocols [H5]', () => {
  it('is trimmed of spaces and tabs only', () => {
    expect(trimBlanks(' \t a b \t ')).toBe('a b');
    expect(trimBlanks(' \t ')).toBe('');
    expect(OTHER_SPACES).toContain('\u00a0');
    for (const space of OTHER_SPACES) expect(trimBlanks(`${space}a${space}`)).toBe(`${space}a${space}`);
  });

  it('changes case by the letters of ASCII only', () => {
    expect(lowerAscii('ÀIK\u212a\u0130')).toBe('Àik\u212a\u0130');
    expect(upperAscii('à-ik-ß\u017f\u0131')).toBe('à-IK-ß\u017f\u0131');
    expect(equalsIgnoringCase('Identity', 'iDENTITY')).toBe(true);
    expect(equalsIgnoringCase('k', '\u212a')).toBe(false);
    expect(equalsIgnoringCase('s', '\u017f')).toBe(false);
  });

  it('has list elements between commas, of which empty ones do not count', () => {
    expect(listElements(' a,, b\t, ,\u00a0c')).toEqual(['a', 'b', '\u00a0c']);
  });

  it.each([
    ['/me', '/me'],
    ['/me?x=/y', '/me'],
    ['/me#x', '/me'],
    ['http://example.org/me?x', '/me'],
    ['/x/http://example.org/me', '/x/http://example.org/me'],
    ['*', '*'],
  ])('in the request target %s has the path %s', (target, path) => {
    expect(pathOf(target)).toBe(path);
  });
});
