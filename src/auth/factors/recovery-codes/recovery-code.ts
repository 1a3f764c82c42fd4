import { createHash, randomBytes } from 'node:crypto';
import { upperAscii } from '../../../platform/http/ascii.js';

/** Crockford's base32: no letter resembles a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 125 bits: NIST SP 800-63B-4 §3.1.2.2 requires a password hash only below 112. */
const LENGTH = 25;
const GROUP = /.{5}(?!$)/g;
const CANONICAL = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** Creates a code, in groups of five characters. */
export function newRecoveryCode(): string {
  const letters = [...randomBytes(LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length));
  return letters.join('').replace(GROUP, '$&-');
}

/**
 * The stored form of a code. Users can type it in either case, with any dashes and spaces, with O for 0 and I or L
 * for 1.
 *
 * @returns null if the text is not a code.
 */
export function recoveryCodeHash(typed: string): Buffer | null {
  const code = upperAscii(typed)
    .replaceAll(/[\s\p{Pd}]/gu, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return CANONICAL.test(code) ? createHash('sha256').update(code).digest() : null;
}
