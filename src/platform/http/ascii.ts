/**
 * Text functions for protocol text: header fields, cookies, entity tags, addresses, URLs. Header bytes arrive as
 * Latin-1, and protocols know only ASCII: `trim()`, `\s` and `toLowerCase()` also act on letters and spaces beyond it,
 * so that `\xa0__Host-session` would become the name of our cookie. `npm run lint` keeps such functions out of code
 * that parses protocols.
 */

const SPACE = 0x20;
const TAB = 0x09;

/** Removes the optional white space of RFC 9110 §5.6.3 around a text: spaces and tabs, nothing else. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start += 1;
  while (end > start && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

/** The elements of a comma-separated field without quoted strings (RFC 9110 §5.6.1). Empty elements do not count. */
export function listElements(field: string): string[] {
  return field
    .split(',')
    .map(trimBlanks)
    .filter((element) => element !== '');
}

/** Replaces the letters A to Z. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Replaces the letters a to z. */
export function upperAscii(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** Whether two texts are equal but for the case of A to Z. */
export function equalsIgnoringCase(one: string, other: string): boolean {
  return one.length === other.length && lowerAscii(one) === lowerAscii(other);
}

/** The path of a request target in origin or absolute form (RFC 9112 §3.2), without query and fragment. */
export function pathOf(target: string): string {
  const end = /[?#]/.exec(target)?.index ?? target.length;
  return target.slice(0, end).replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*(?=\/)/, '');
}

function isBlank(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === SPACE || code === TAB;
}
