import { availableParallelism } from 'node:os';
import { wholeNumber, type Setting, type Values } from './setting.config.js';

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
} satisfies Record<string, Setting>;

export type PasswordConfig = Values<typeof passwordSettings>;
