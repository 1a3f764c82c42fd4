import { createHash, createHmac } from 'node:crypto';
import bcrypt from 'bcrypt';
import { type HashReading, literally } from './hash-format.js';

/** bcrypt reads only the first 72 bytes of a password. */
const BCRYPT_READS = 72;

/** `2y` (PHP) and `2b` (OpenBSD) are the correct algorithm; `2a` is older and identical up to 72 bytes. */
const MODULAR = /^(\$2[aby]\$(\d\d)\$)([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/;
const PASSLIB_SHA256 =
  /^(\$bcrypt-sha256\$v=2,t=2([ab]),r=(\d{1,2})\$)([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/;

const DJANGO = 'bcrypt$';
const DJANGO_SHA256 = 'bcrypt_sha256$';

/**
 * bcrypt in the modular crypt format, in Django's form, and after SHA-256 as Django and passlib use it.
 *
 * Plain bcrypt refuses passwords longer than 72 bytes here: every password with the same start would match. After
 * SHA-256, passwords of any length count in full.
 */
export function readBcrypt(text: string): HashReading {
  if (text.startsWith('$bcrypt-sha256$')) return readPasslibSha256(text);
  if (text.startsWith(DJANGO_SHA256))
    return modular(text.slice(DJANGO_SHA256.length), DJANGO_SHA256, 'bcrypt-sha256 (django)', (password) =>
      createHash('sha256').update(password).digest('hex'),
    );
  if (text.startsWith(DJANGO)) return modular(text.slice(DJANGO.length), DJANGO, 'bcrypt (django)', whole);
  return /^\$2[abxy]?\$/.test(text) ? modular(text, '', 'bcrypt', whole) : 'other';
}

/** @returns null for a password that bcrypt would truncate. */
function whole(password: string): string | null {
  return Buffer.byteLength(password) > BCRYPT_READS ? null : password;
}

function modular(
  inner: string,
  wrapper: string,
  format: string,
  prepare: (password: string) => string | null,
): HashReading {
  const [, head, cost, salt, digest] = MODULAR.exec(inner) ?? [];
  if (head === undefined || cost === undefined || salt === undefined || digest === undefined)
    return 'damaged';
  return reading(format, Number(cost), `${wrapper}${head}`, `$2b$${cost}$${salt}${digest}`, prepare, '');
}

function readPasslibSha256(text: string): HashReading {
  const [, head, type, rounds, salt, digest] = PASSLIB_SHA256.exec(text) ?? [];
  if (head === undefined || rounds === undefined || salt === undefined || digest === undefined)
    return 'damaged';
  const cost = rounds.padStart(2, '0');
  const plain = `$2${type}$${cost}$${salt}${digest}`;
  return reading(
    'bcrypt-sha256 (passlib)',
    Number(rounds),
    head,
    plain,
    (password) => createHmac('sha256', salt).update(password).digest('base64'),
    '$',
  );
}

function reading(
  format: string,
  cost: number,
  prefix: string,
  plain: string,
  prepare: (password: string) => string | null,
  separator: string,
): HashReading {
  if (cost < 4 || cost > 31) return 'damaged';
  return {
    format,
    algorithm: 'bcrypt',
    work: 2 ** cost,
    memory: 0,
    pattern: `${literally(prefix)}%`,
    sample: `${prefix}${'.'.repeat(22)}${separator}${'.'.repeat(31)}`,
    matches: async (password) => {
      const prepared = prepare(password);
      return prepared !== null && bcrypt.compare(prepared, plain);
    },
  };
}
