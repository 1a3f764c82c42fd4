import { timingSafeEqual } from 'node:crypto';
import argon2 from 'argon2';
import {
  fromBase64,
  type HashReading,
  isDigestLength,
  isSaltLength,
  literally,
  toBase64,
  wholeNumber,
} from './hash-format.js';

const TEXT =
  /^(?:argon2)?(\$(argon2(?:id|i|d))\$(?:v=(16|19)\$)?((?:[mtp]=\d{1,10},){2}[mtp]=\d{1,10})\$)([^$]+)\$([^$]+)$/;
const TYPES = { argon2d: argon2.argon2d, argon2i: argon2.argon2i, argon2id: argon2.argon2id } as const;
const DJANGO = 'argon2$';

/** The limits of our own settings; imported hashes have tighter limits at import. */
const MAX = { m: 4_194_304, t: 100, p: 16 };

/** Argon2 (RFC 9106) in the PHC string format, and Django's form with the prefix `argon2`. */
export function readArgon2(text: string): HashReading {
  if (!text.startsWith('$argon2') && !text.startsWith(DJANGO)) return 'other';
  const [, head = '', type = '', version = '16', parameters = '', salt64 = '', digest64 = ''] =
    TEXT.exec(text) ?? [];
  const given = new Map(parameters.split(',').map((pair) => [pair.slice(0, 1), pair.slice(2)]));
  const [m, t, p] = (['m', 't', 'p'] as const).map((name) => wholeNumber(given.get(name), MAX[name]));
  const [salt, digest] = [fromBase64(salt64), fromBase64(digest64)];
  if (!m || !t || !p || m < 8 * p || !salt || !digest) return 'damaged';
  // The library refuses shorter salts (RFC 9106 §3.1 requires at least 8).
  if (salt.length < 8 || !isSaltLength(salt.length) || !isDigestLength(digest.length)) return 'damaged';
  const isDjango = text.startsWith(DJANGO);
  const prefix = isDjango ? `argon2${head}` : head;
  const options = {
    type: TYPES[type as keyof typeof TYPES],
    version: Number(version),
    memoryCost: m,
    timeCost: t,
    parallelism: p,
    salt,
    hashLength: digest.length,
  };
  return {
    format: isDjango ? `${type} (django)` : type,
    algorithm: 'argon2',
    work: m * t,
    memory: m * 1024,
    pattern: `${literally(prefix)}%`,
    sample: `${prefix}${toBase64(Buffer.alloc(16))}$${toBase64(Buffer.alloc(digest.length))}`,
    matches: async (password) =>
      timingSafeEqual(await argon2.hash(password, { ...options, raw: true }), digest),
  };
}
