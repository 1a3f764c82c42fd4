import { createHash } from 'node:crypto';

/** The prefix of mailed tokens. */
const PREFIX = 'trf_ot_';
/** Crockford's base32: without I, L, O and U, so that nothing is confused or spelt. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 28 characters of 5 bits: 140 bits, in 7 groups. */
const LENGTH = 28;
const GROUP = 4;
/** What is typed between groups: spaces, dashes and invisible characters of mail programs. */
const BETWEEN = /[\s\u00ad\u200b-\u200d\u2060\ufeff_.\p{Pd}\u2212]+/gu;
const FORM = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/**
 * A mailed token in both spellings: as a link carries it, and as a text that can be typed. The first is computed from the
 * second, so that they are one secret, of one strength.
 */
export interface MailedToken {
  readonly token: string;
  /** In groups; null for a token of an older version, which has only the other spelling. */
  readonly code: string | null;
}

/** @param random at least 28 random bytes. */
export function mailedTokenOf(random: Uint8Array): MailedToken {
  // 256 is a multiple of 32, so that every character is equally likely.
  const characters = [...random.subarray(0, LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length));
  const code = characters.join('');
  const groups = code.match(new RegExp(`.{${GROUP}}`, 'g')) ?? [];
  return { token: tokenOf(code), code: groups.join('-') };
}

/**
 * The token that a text means: the token itself, or its code in any case, with any separators, and with O, I and L for 0
 * and 1. Other texts are returned unchanged.
 */
export function tokenMeantBy(text: string): string {
  if (text.startsWith(PREFIX)) return text;
  // Only ASCII letters: others have no place in a code.
  const typed = text.replace(BETWEEN, '').replace(/[a-z]/g, (letter) => letter.toUpperCase());
  const code = typed.replace(/O/g, '0').replace(/[IL]/g, '1');
  return FORM.test(code) ? tokenOf(code) : text;
}

function tokenOf(code: string): string {
  return `${PREFIX}${createHash('sha256').update(`mailed token ${code}`).digest('base64url')}`;
}
