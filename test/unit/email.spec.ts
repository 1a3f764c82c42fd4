import { describe, expect, it } from '@jest/globals';
import { canonicalEmail, emailProblem } from '../../src/users/email.js';

describe('a canonical e-mail address', () => {
  it.each([
    ['Mike@Example.COM', 'mike@example.com'],
    ['o.o+tag@example.org', 'o.o+tag@example.org'],
    ['a@bücher.example', 'a@xn--bcher-kva.example'],
    ['a@BÜCHER.example', 'a@xn--bcher-kva.example'],
    ["weird!#$%&'*+/=?^_`{|}~-@example.com", "weird!#$%&'*+/=?^_`{|}~-@example.com"],
  ])('of %s is %s [E8]', (given, canonical) => {
    expect(canonicalEmail(given)).toBe(canonical);
  });

  it.each([
    ['a dotless i in the local part', 'm\u0131ke@example.com'],
    ['a Kelvin sign in the domain', 'mike@\u212Aelvin.example'],
    ['full-width letters', 'mike@ｅxample.com'],
    ['surrounding space', ' mike@example.com'],
    ['a trailing space', 'mike@example.com '],
    ['two addresses', 'a@example.com,b@example.com'],
    ['a quoted local part', '"mike"@example.com'],
    ['a comment', 'mike(x)@example.com'],
    ['a line break', 'mike@example.com\r\nBcc: x@example.com'],
    ['a domain without a dot', 'mike@localhost'],
    ['an address literal', 'mike@[127.0.0.1]'],
    ['a numeric top-level domain', 'mike@example.123'],
    ['two dots', 'mike..x@example.com'],
    ['a local part of 65 characters', `${'a'.repeat(65)}@example.com`],
    [
      '255 characters',
      `a@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(60)}.example.com`,
    ],
    ['no at sign', 'mike.example.com'],
    ['nothing', ''],
  ])('does not exist for %s [E7, E8, incident 33, incident 35]', (_what, given) => {
    expect(canonicalEmail(given)).toBeNull();
  });

  it.each([
    ['', 'must not be empty'],
    [' a@example.com', 'must not begin or end with a space'],
    ['a@example.com\u00a0', 'must not begin or end with a space'],
    ['a@example.com\n', 'must not contain line breaks, control characters or unpaired surrogates'],
    ['a\0@example.com', 'must not contain line breaks, control characters or unpaired surrogates'],
    ['\ud800@example.com', 'must not contain line breaks, control characters or unpaired surrogates'],
    ['a@example.com,b@example.com', 'must be one address, not several'],
    ['Ada <a@example.com>', 'must be the address alone, without a name and angle brackets'],
    ['a.example.com', 'must contain an @, as in name@example.com'],
    ['@example.com', 'must have a name before the @'],
    ['a@', 'must have a domain after the @'],
    ['"a b"@example.com', 'must not have a quoted name before the @'],
    ['a b@example.com', 'must not contain a space before the @'],
    ['a@b@example.com', 'must not contain "@" before the @'],
    ['\u0131ke@example.com', 'must not contain U+0131 before the @'],
    ['a..b@example.com', 'must not begin or end with a dot or have two dots in a row before the @'],
    [`${'a'.repeat(65)}@example.com`, 'must have at most 64 characters before the @'],
    [`a@${'b'.repeat(250)}.com`, 'must have at most 254 characters'],
    ['a@localhost', 'must have a domain with a dot after the @, as in example.com'],
    ['a@127.0.0.1', 'must have a domain after the @, not an IP address'],
    ['a@[127.0.0.1]', 'must have a domain after the @, not an IP address'],
    ['a@example_x.com', 'must not contain "_" after the @'],
    ['a@example.123', 'must not have a domain that ends with a number'],
    ['a@example..com', 'must not have a domain that begins or ends with a dot, or has two in a row'],
    [
      'a@-x.com',
      'must have a domain whose parts have 1 to 63 letters, digits and hyphens, without a hyphen at an end',
    ],
    ['a@ｅxample.com', 'must have the domain in its usual spelling after the @: example.com'],
    [
      'a..b@localhost',
      'must not begin or end with a dot or have two dots in a row before the @; must have a domain with a dot after the @, as in example.com',
    ],
  ])('%j is refused with its real reason', (given, problem) => {
    expect(emailProblem(given)).toBe(problem);
    expect(emailProblem('Mike@Example.COM')).toBeNull();
  });

  it('is its own canonical form', () => {
    const canonical = canonicalEmail('Mike@Bücher.example') ?? '';
    expect(canonicalEmail(canonical)).toBe(canonical);
  });
});
