import { readArgon2 } from './argon2.format.js';
import { readBcrypt } from './bcrypt.format.js';
import type { HashAlgorithm, HashReading, PasswordHash } from './hash-format.js';
import { readPbkdf2 } from './pbkdf2.format.js';
import { readScrypt } from './scrypt.format.js';

const READERS: readonly ((text: string) => HashReading)[] = [readArgon2, readBcrypt, readScrypt, readPbkdf2];

/** Longer than any hash of a known format. */
const TEXT_MAX = 1024;

/** Parses a stored hash; returns whether it is of an unknown format or damaged otherwise. */
export function readPasswordHash(text: string): HashReading {
  if (text.length > TEXT_MAX) return 'other';
  for (const read of READERS) {
    const reading = read(text);
    if (reading !== 'other') return reading;
  }
  return 'other';
}

/**
 * The maximum cost of an imported hash, in the units of `PasswordHash.work`: about a second on a slow server. A more
 * expensive hash would make every sign-in of its account a load on the server.
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
 * Whether an imported hash is cheap enough to verify at each sign-in.
 *
 * @param own a hash with the configured parameters: that cost is always accepted.
 */
export function isAffordable(hash: PasswordHash, own: Pick<PasswordHash, 'work' | 'memory'>): boolean {
  const { algorithm, work, memory } = hash;
  if (algorithm === 'argon2' && work <= own.work && memory <= own.memory) return true;
  return work <= WORK_MAX[algorithm] && memory <= MEMORY_MAX;
}
