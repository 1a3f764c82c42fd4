import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { duration, wholeNumber, type Setting, type Values } from './setting.config.js';

const rangeUrl = z
  .string()
  .refine(isRangeUrl, {
    error:
      'an https URL without query, such as https://api.pwnedpasswords.com/range (http for loopback addresses only)',
  })
  .transform((text) => {
    const url = new URL(text);
    const path = url.pathname.replace(/\/+$/, '');
    return `${url.origin}${path === '' ? '/range' : path}/`;
  });

export const passwordSettings = {
  PASSWORD_MIN_LENGTH: {
    schema: wholeNumber(8, 64),
    default: '15',
    meaning: 'Minimum length of a password in Unicode code points (NIST SP 800-63B-4 §3.1.1.2).',
  },
  ARGON2_MEMORY_KIB: {
    schema: wholeNumber(12_288, 4_194_304),
    default: '19456',
    meaning: 'Memory per hash in KiB (OWASP: at least 19456).',
  },
  ARGON2_PASSES: {
    schema: wholeNumber(1, 100),
    default: '2',
    meaning: 'Passes over the memory (OWASP: at least 2 with 19456 KiB).',
  },
  ARGON2_PARALLELISM: {
    schema: wholeNumber(1, 16),
    default: '1',
    meaning: 'Lanes per hash.',
  },
  ARGON2_CONCURRENCY: {
    schema: wholeNumber(1, 64),
    // File reads and DNS share libuv's four threads: hashing must not take all of them.
    default: String(Math.max(1, Math.min(availableParallelism(), 3))),
    defaultText: 'one per core, at most 3',
    meaning: 'Hashes computed concurrently; others wait in a bounded queue.',
  },
  ANSWER_FLOOR_MAX: {
    schema: duration({ min: 1, max: 30 }),
    default: '2s',
    meaning:
      'The most that stored hashes of other formats may slow every negative sign-in answer down. An import refuses hashes that need more.',
  },
  BREACHED_PASSWORDS_URL: {
    schema: rangeUrl,
    defaultText: 'unset: not checked',
    meaning:
      'Range API in the format of Have I Been Pwned that new passwords are checked with. Only five hex digits of the SHA-1 are sent.',
  },
  BREACHED_PASSWORDS_UNAVAILABLE: {
    schema: z.enum(['accept', 'refuse'], { error: 'accept or refuse' }),
    default: 'accept',
    meaning:
      'What happens to a new password while BREACHED_PASSWORDS_URL does not answer: accepted, or refused with 503.',
  },
} satisfies Record<string, Setting>;

export type PasswordConfig = Values<typeof passwordSettings>;

function isRangeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  if (username !== '' || password !== '' || search !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLocal);
}
