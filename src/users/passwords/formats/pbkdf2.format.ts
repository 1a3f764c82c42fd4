import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import {
  fromBase64,
  type HashReading,
  isDigestLength,
  isSaltLength,
  literally,
  toBase64,
  wholeNumber,
} from './hash-format.js';

const derive = promisify(pbkdf2);

const OUTPUT_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const;
type Digest = keyof typeof OUTPUT_BYTES;

const ITERATIONS_MAX = 100_000_000;
const DASHED = /^(\$pbkdf2(?:-(sha1|sha256|sha512))?\$)([^$]+)\$([^$]*)\$([^$]+)$/;
const PHC_PARAMETERS = /^i=(\d{1,10})(?:,l=(\d{1,3}))?$/;
const DJANGO = /^(pbkdf2_(sha1|sha256|sha512)\$)(\d{1,10})\$([!-#%-~]+)\$([^$]+)$/;

/** PBKDF2 (RFC 8018 §5.2) as passlib writes it, in the PHC string format, and in Django's form. */
export function readPbkdf2(text: string): HashReading {
  if (text.startsWith('pbkdf2_')) return readDjango(text);
  return /^\$pbkdf2(-sha\d+)?\$/.test(text) ? readDashed(text) : 'other';
}

function readDashed(text: string): HashReading {
  const [, prefix = '', digestName = 'sha1', parameters = '', salt64 = '', key64 = ''] =
    DASHED.exec(text) ?? [];
  const phc = PHC_PARAMETERS.exec(parameters);
  const iterations = wholeNumber(phc ? phc[1] : parameters, ITERATIONS_MAX);
  // passlib writes `.` where base64 has `+`.
  const decode = (part: string) => fromBase64(phc ? part : part.replaceAll('.', '+'));
  const [salt, key] = [decode(salt64), decode(key64)];
  if (!iterations || !salt || !key || (phc?.[2] !== undefined && Number(phc[2]) !== key.length))
    return 'damaged';
  return reading(digestName as Digest, phc ? '' : ' (passlib)', { prefix, iterations, salt, key }, (zeros) =>
    [
      prefix,
      phc ? `i=${iterations}` : iterations,
      '$',
      toBase64(Buffer.alloc(16)),
      '$',
      toBase64(zeros),
    ].join(''),
  );
}

/** `pbkdf2_sha256$<iterations>$<salt, as text>$<key>`. */
function readDjango(text: string): HashReading {
  const [, prefix = '', digestName = '', count, saltText = '', key64 = ''] = DJANGO.exec(text) ?? [];
  const [iterations, key] = [wholeNumber(count, ITERATIONS_MAX), fromBase64(key64)];
  if (!iterations || !key) return 'damaged';
  const salt = Buffer.from(saltText);
  return reading(
    digestName as Digest,
    ' (django)',
    { prefix, iterations, salt, key },
    (zeros) => `${prefix}${iterations}$${'0'.repeat(16)}$${zeros.toString('base64')}`,
  );
}

interface Parts {
  readonly prefix: string;
  readonly iterations: number;
  readonly salt: Buffer;
  readonly key: Buffer;
}

function reading(
  digest: Digest,
  spelling: string,
  { prefix, iterations, salt, key }: Parts,
  sample: (zeros: Buffer) => string,
): HashReading {
  if (!isSaltLength(salt.length) || !isDigestLength(key.length)) return 'damaged';
  return {
    format: `pbkdf2-${digest}${spelling}`,
    algorithm: `pbkdf2-${digest}`,
    // A key longer than the digest is computed in blocks.
    work: iterations * Math.ceil(key.length / OUTPUT_BYTES[digest]),
    memory: 0,
    // Some systems vary the iterations for each hash: the pattern contains only the format.
    pattern: `${literally(prefix)}%`,
    sample: sample(Buffer.alloc(key.length)),
    matches: async (password) =>
      timingSafeEqual(await derive(password, salt, iterations, key.length, digest), key),
  };
}
