import { readArgon2 } from './argon2.format.js';
import { readBcrypt } from './bcrypt.format.js';
import type { HashAlgorithm, HashReading, PasswordHash } from './hash-format.js';
import { readPbkdf2 } from './pbkdf2.format.js';
import { readScrypt } from './scrypt.format.js';

const READERS: readonly ((text: string) => HashReading)[] = [readArgon2, readBcrypt, readScrypt, readPbkdf2];

/** Longer than any hash of a format that we know. */
const TEXT_MAX = 1024;

/** A stored hash, understood; otherwise whether it is of no format that we know, or damaged. */
export function readPasswordHash(text: string): HashReading {
  if (text.length > TEXT_MAX) return 'other';
  for (const read of READERS) {
    const reading = read(text);
    if (reading !== 'other') return reading;
  }
  return 'other';
}

/**
 * The most that a hash from elsewhere may cost, in the units of `PasswordHash.work`: about a second on a slow server.
 * Whoever could bring in a dearer one could make each sign-in a burden.
 */
const WORK_MAX: Readonly<Record<HashAlgorithm, number>> = {
  // KiB times passes
  argon2: 1_048_576,
  // 2^cost
  bcrypt: 2 ** 14,
  // N·r·p
  scrypt: 2 ** 21,
  // iterations times blocks
  'pbkdf2-sha1': 3_000_000,
  'pbkdf2-sha256': 2_000_000,
  'pbkdf2-sha512': 1_000_000,
};
const MEMORY_MAX = 256 * 1024 * 1024;

/**
 * Whether a hash from elsewhere costs no more than we are ready to pay at a sign-in.
 *
 * @param own a hash of the configured parameters: as much is always paid.
 */
export function isAffordable(hash: PasswordHash, own: Pick<PasswordHash, 'work' | 'memory'>): boolean {
  const { algorithm, work, memory } = hash;
  if (algorithm === 'argon2' && work <= own.work && memory <= own.memory) return true;
  return work <= WORK_MAX[algorithm] && memory <= MEMORY_MAX;
}
