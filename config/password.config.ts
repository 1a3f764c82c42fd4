import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { wholeNumber, type Setting, type Values } from './setting.config.js';

const rangeUrl = z
  .string()
  .refine(isRangeUrl, {
    error:
      'an https URL without query, such as https://api.pwnedpasswords.com/range (http only for this machine itself)',
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
    meaning: 'Least number of Unicode code points in a password (NIST SP 800-63B-4 §3.1.1.2).',
  },
  ARGON2_MEMORY_KIB: {
    schema: wholeNumber(12_288, 4_194_304),
    default: '19456',
    meaning: 'Memory of one hash in KiB (OWASP: at least 19456).',
  },
  ARGON2_PASSES: {
    schema: wholeNumber(1, 100),
    default: '2',
    meaning: 'Passes of a hash over its memory (OWASP: at least 2 with 19456 KiB).',
  },
  ARGON2_PARALLELISM: {
    schema: wholeNumber(1, 16),
    default: '1',
    meaning: 'Lanes of one hash.',
  },
  ARGON2_CONCURRENCY: {
    schema: wholeNumber(1, 64),
    // libuv has four threads that file reads and DNS share: hashing never takes them all.
    default: String(Math.max(1, Math.min(availableParallelism(), 3))),
    defaultText: 'one a core, at most 3',
    meaning: 'Hashes computed at once; the rest wait in a bounded queue.',
  },
  BREACHED_PASSWORDS_URL: {
    schema: rangeUrl,
    defaultText: 'unset: nobody is asked',
    meaning:
      'Where new passwords are looked up among leaked ones: a range API as of Have I Been Pwned. Five hex digits of SHA-1 are sent, never a password.',
  },
  BREACHED_PASSWORDS_UNAVAILABLE: {
    schema: z.enum(['accept', 'refuse'], { error: 'accept or refuse' }),
    default: 'accept',
    meaning:
      'What happens to a new password while BREACHED_PASSWORDS_URL does not answer: it is taken, or refused with 503.',
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
