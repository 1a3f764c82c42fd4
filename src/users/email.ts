import { domainToASCII, domainToUnicode } from 'node:url';
import { lowerAscii } from '../platform/http/ascii.js';
import type { ProblemTexts } from '../texts/en.js';
import { inEnglish } from '../texts/text.js';

type Texts = ProblemTexts['email'];

/** RFC 5321 §4.5.3.1: maximum octets of the local part, and of an address in a path. */
const LOCAL_MAX = 64;
const ADDRESS_MAX = 254;

/** A dot-atom (RFC 5322 §3.2.3). Address parsers disagree on quoted local parts and comments. */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LOCAL_LETTER = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]/;
const DOMAIN =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * The canonical form of an address: the ASCII letters of the local part and the domain in lower case, an
 * internationalised domain in Punycode. Two addresses belong to one account exactly if their canonical forms are
 * equal.
 *
 * No character beyond ASCII is folded into ASCII, and a domain that UTS 46 would map to another one is refused:
 * otherwise the Kelvin sign or a dotless i would match another user's account (CVE-2019-19844).
 *
 * @returns null for an address that is not accepted; `emailProblem` says why.
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

/** Returns why an address is not accepted, in words for its owner; null if it is. */
export function emailText(email: string): ((texts: ProblemTexts) => string) | null {
  if (canonicalEmail(email) !== null) return null;
  return ({ email: texts }) => {
    const problem = problemOfForm(email, texts);
    if (problem) return problem;
    const at = email.lastIndexOf('@');
    const problems = [
      ...problemsOfLocalPart(email.slice(0, at), texts),
      ...problemsOfDomain(email.slice(at + 1), texts),
    ];
    return problems.join('; ') || texts.tooLong(ADDRESS_MAX);
  };
}

/** The same in English. */
export function emailProblem(email: string): string | null {
  const text = emailText(email);
  return text && inEnglish(text);
}

/** The canonical form of an address that was checked before. */
export function requireCanonical(email: string): string {
  const canonical = canonicalEmail(email);
  if (canonical === null) throw new TypeError('the address was not checked before');
  return canonical;
}

/** The reason why a text is not of the form `name@domain` at all. */
function problemOfForm(email: string, texts: Texts): string | null {
  if (email === '') return texts.empty;
  if (email.length > ADDRESS_MAX) return texts.tooLong(ADDRESS_MAX);
  if (!email.isWellFormed() || /\p{Cc}|\p{Zl}|\p{Zp}/u.test(email)) return texts.unprintable;
  if (email.trim() !== email) return texts.spaceAround;
  if (/[<>]/.test(email)) return texts.withName;
  if (/@[^@]*[,;][^@]*@/.test(email)) return texts.several;
  if (!email.includes('@')) return texts.noAt;
  return null;
}

function problemsOfLocalPart(local: string, texts: Texts): string[] {
  if (local === '') return [texts.noLocalPart];
  if (local.startsWith('"')) return [texts.quoted];
  const stranger = [...local].find((letter) => !LOCAL_LETTER.test(letter));
  return [
    ...(local.length > LOCAL_MAX ? [texts.localTooLong(LOCAL_MAX)] : []),
    ...(stranger === undefined ? [] : [texts.localCharacter(nameOf(stranger, texts))]),
    ...(/^\.|\.\.|\.$/.test(local) ? [texts.localDots] : []),
  ];
}

function problemsOfDomain(domain: string, texts: Texts): string[] {
  if (canonicalDomain(domain) !== null) return [];
  if (domain === '') return [texts.noDomain];
  if (domain.startsWith('[') || /^[\d.]+$/.test(domain)) return [texts.ipAddress];
  if (!domain.includes('.')) return [texts.noDot];
  if (/^\.|\.\.|\.$/.test(domain)) return [texts.domainDots];
  const stranger = [...domain].find((letter) => /[\0-\x7f]/.test(letter) && !/[a-z0-9.-]/i.test(letter));
  if (stranger !== undefined) return [texts.domainCharacter(nameOf(stranger, texts))];
  if (/\.\d+$/.test(domain)) return [texts.endsWithNumber];
  const ascii = domainToASCII(domain);
  return [DOMAIN.test(ascii) ? texts.otherSpelling(ascii) : texts.domainForm];
}

/** A character in a message: itself if it can be seen, else its code point. */
function nameOf(letter: string, texts: Texts): string {
  if (letter === ' ') return texts.space;
  const code = `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  return /[!-~]/.test(letter) ? JSON.stringify(letter) : code;
}

function canonicalDomain(given: string): string | null {
  const domain = lowerDomain(given);
  if (DOMAIN.test(domain) && !domain.includes('xn--')) return domain;
  const ascii = domainToASCII(domain);
  if (!DOMAIN.test(ascii)) return null;
  const isAsWritten = domain === ascii || domainToUnicode(ascii) === domain.normalize('NFC');
  return isAsWritten ? ascii : null;
}

/** Lower case by letter, but never from beyond ASCII into it: the Kelvin sign is not a k. */
function lowerDomain(text: string): string {
  return text.replace(/./gu, (letter) => {
    const lower = letter.toLowerCase();
    return /^[\0-\x7f]/.test(lower) && !/^[\0-\x7f]/.test(letter) ? letter : lower;
  });
}
