import { createHash, randomBytes } from 'node:crypto';

/** Crockford's base32: no letter that looks like a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 125 bits: more than the 112 below which NIST SP 800-63B-4 §3.1.2.2 wants a password hash. */
const LENGTH = 25;
const GROUP = /.{5}(?!$)/g;
const CANONICAL = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** A new code, in groups of five. */
export function newRecoveryCode(): string {
  const letters = [...randomBytes(LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length));
  return letters.join('').replace(GROUP, '$&-');
}

/**
 * What is stored of a code. It may be typed in either case, with any dashes and spaces, with O for 0 and I or L for 1.
 *
 * @returns null for what is no code.
 */
export function recoveryCodeHash(typed: string): Buffer | null {
  const code = typed
    .toUpperCase()
    .replaceAll(/[\s\p{Pd}]/gu, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return CANONICAL.test(code) ? createHash('sha256').update(code).digest() : null;
}
