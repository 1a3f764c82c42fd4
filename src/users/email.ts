import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 5321 §4.5.3.1: octets of the local part, and of an address that fits a path. */
const LOCAL_MAX = 64;
const ADDRESS_MAX = 254;

/** A dot-atom (RFC 5322 §3.2.3). Quoted local parts and comments are where address parsers disagree. */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * The one spelling that stands for an address: ASCII letters of the local part and the domain in lower case, an
 * internationalised domain in Punycode. Two addresses are one account exactly if their canonical forms are equal.
 *
 * Nothing is folded from beyond ASCII into it, and a domain that UTS 46 would map to another one is refused: otherwise the Kelvin
 * sign or a dotless i leads to somebody else's account (CVE-2019-19844).
 *
 * @returns null for what is not an address we take: surrounding space, several addresses, quoted local parts,
 * local parts beyond ASCII, a domain without a dot.
 */
export function canonicalEmail(email: string): string | null {
  const at = email.lastIndexOf('@');
  if (at < 1 || email.length > ADDRESS_MAX) return null;
  const local = lowerAscii(email.slice(0, at));
  if (local.length > LOCAL_MAX || !LOCAL_PART.test(local)) return null;
  const domain = canonicalDomain(email.slice(at + 1));
  if (domain === null) return null;
  const canonical = `${local}@${domain}`;
  return canonical.length <= ADDRESS_MAX ? canonical : null;
}

/** The canonical form of an address that was checked before. */
export function requireCanonical(email: string): string {
  const canonical = canonicalEmail(email);
  if (canonical === null) throw new TypeError('the address was not checked before');
  return canonical;
}

function canonicalDomain(given: string): string | null {
  const domain = lowerDomain(given);
  if (DOMAIN.test(domain) && !domain.includes('xn--')) return domain;
  const ascii = domainToASCII(domain);
  if (!DOMAIN.test(ascii)) return null;
  const isAsWritten = domain === ascii || domainToUnicode(ascii) === domain.normalize('NFC');
  return isAsWritten ? ascii : null;
}

/** Lower case, letter by letter, but never from beyond ASCII into it: the Kelvin sign is no k. */
function lowerDomain(text: string): string {
  return text.replace(/./gu, (letter) => {
    const lower = letter.toLowerCase();
    return /^[\0-\x7f]/.test(lower) && !/^[\0-\x7f]/.test(letter) ? letter : lower;
  });
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
