import { createCipheriv, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import {
  fromBase64,
  type HashReading,
  isDigestLength,
  isSaltLength,
  literally,
  type PasswordHash,
  toBase64,
  wholeNumber,
} from './hash-format.js';

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** log2 of N, r and p (RFC 7914 §2). */
interface Cost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

const MAX = { ln: 24, r: 64, p: 64 };
const PHC = /^(\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$)([^$]*)\$([^$]+)$/;
const DJANGO = /^scrypt\$(\d{1,9})\$([!-#%-~]+)\$(\d{1,2})\$(\d{1,2})\$([^$]+)$/;
const FIREBASE =
  /^(firebase-scrypt\$ln=(\d{1,2}),r=(\d{1,2})\$)([A-Za-z0-9+/=]*)\$([A-Za-z0-9+/=]+)\$([^$]+)\$([^$]+)$/;

/** scrypt as passlib writes it (PHC), in Django's form, and Firebase's variant. */
export function readScrypt(text: string): HashReading {
  if (text.startsWith('$scrypt$')) return readPhc(text);
  if (text.startsWith('scrypt$')) return readDjango(text);
  return text.startsWith('firebase-scrypt$') ? readFirebase(text) : 'other';
}

function readPhc(text: string): HashReading {
  const [, prefix = '', ln, r, p, salt64 = '', digest64 = ''] = PHC.exec(text) ?? [];
  const [cost, salt, digest] = [readCost(ln, r, p), fromBase64(salt64), fromBase64(digest64)];
  if (!cost || !salt || !digest || !isSaltLength(salt.length) || !isDigestLength(digest.length))
    return 'damaged';
  return {
    ...common(cost),
    format: 'scrypt',
    pattern: `${literally(prefix)}%`,
    sample: `${prefix}${toBase64(Buffer.alloc(16))}$${toBase64(Buffer.alloc(digest.length))}`,
    matches: async (password) => timingSafeEqual(await run(password, salt, digest.length, cost), digest),
  };
}

/** `scrypt$<N>$<salt, as text>$<r>$<p>$<digest>`. */
function readDjango(text: string): HashReading {
  const [, n, saltText = '', r, p, digest64 = ''] = DJANGO.exec(text) ?? [];
  const ln = Math.log2(Number(n));
  const [cost, digest] = [readCost(String(ln), r, p), fromBase64(digest64)];
  const salt = Buffer.from(saltText);
  if (!cost || !digest || !isSaltLength(salt.length) || !isDigestLength(digest.length)) return 'damaged';
  const [before, after] = [`scrypt$${n}$`, `$${r}$${p}$`];
  return {
    ...common(cost),
    format: 'scrypt (django)',
    pattern: `${before}%${after}%`,
    sample: `${before}${'0'.repeat(16)}${after}${Buffer.alloc(digest.length).toString('base64')}`,
    matches: async (password) => timingSafeEqual(await run(password, salt, digest.length, cost), digest),
  };
}

/**
 * `firebase-scrypt$ln=<mem_cost>,r=<rounds>$<salt separator>$<signer key>$<salt>$<hash>`, base64: Firebase encrypts
 * the project's signer key (AES-256-CTR from a zero block) under the scrypt key of the password.
 */
function readFirebase(text: string): HashReading {
  const [, prefix = '', ln, r, separator64 = '', key64 = '', salt64 = '', digest64 = ''] =
    FIREBASE.exec(text) ?? [];
  const cost = readCost(ln, r, '1');
  const [separator, key, salt, digest] = [separator64, key64, salt64, digest64].map(fromBase64);
  if (!cost || !separator || !key || !salt || !digest) return 'damaged';
  if (!isSaltLength(salt.length) || !isDigestLength(digest.length) || key.length !== digest.length)
    return 'damaged';
  const zeros = toBase64(Buffer.alloc(digest.length));
  return {
    ...common(cost),
    format: 'scrypt (firebase)',
    pattern: `${literally(prefix)}%`,
    sample: `${prefix}$${zeros}$${toBase64(Buffer.alloc(8))}$${zeros}`,
    matches: async (password) => {
      const derived = await run(password, Buffer.concat([salt, separator]), 32, cost);
      const cipher = createCipheriv('aes-256-ctr', derived, Buffer.alloc(16));
      return timingSafeEqual(Buffer.concat([cipher.update(key), cipher.final()]), digest);
    },
  };
}

/** RFC 7914 §2 requires N below 2^(128·r/8): no implementation computes others. */
function readCost(
  lnText: string | undefined,
  rText: string | undefined,
  pText: string | undefined,
): Cost | null {
  const [ln, r, p] = [wholeNumber(lnText, MAX.ln), wholeNumber(rText, MAX.r), wholeNumber(pText, MAX.p)];
  return ln && r && p && ln < 16 * r ? { ln, r, p } : null;
}

function common({ ln, r, p }: Cost): Pick<PasswordHash, 'algorithm' | 'work' | 'memory'> {
  return { algorithm: 'scrypt', work: 2 ** ln * r * p, memory: 128 * 2 ** ln * r };
}

function run(password: string, salt: Buffer, length: number, { ln, r, p }: Cost): Promise<Buffer> {
  // OpenSSL's memory limit covers more than the 128·N·r bytes of the algorithm; the rest grows with p.
  const maxmem = 128 * r * (2 ** ln + p + 2) + 1024 * 1024;
  return derive(password, salt, length, { N: 2 ** ln, r, p, maxmem });
}
