import { z } from 'zod';
import { rateLimit, type Setting, type Values } from './setting.config.js';

export const throttleSettings = {
  REDIS_URL: {
    schema: z.string().refine((text) => /^rediss?:\/\/[^/]/.test(text) && URL.canParse(text), {
      error: 'a URL such as redis://host:6379 or rediss://user:password@host:6380',
    }),
    secret: true,
    defaultText: 'unset: each process counts separately',
    meaning: 'Redis or Valkey for rate counters that all nodes share.',
  },
  RATE_LIMIT_LOGIN: {
    schema: rateLimit(),
    default: '10/1m',
    meaning:
      'Calls per client address that authenticate or send a mail, counted together: `POST /login`, `/mfa`, `/reauthenticate`, ' +
      '`/passkeys/authentication/verify`, `/password`, `/password/forgot`, `/password/reset`, `/email`, `/email/verify` and ' +
      '`/email/verify/resend`.',
  },
  RATE_LIMIT_SIGNUP: {
    schema: rateLimit(),
    default: '20/1h',
    meaning: 'Sign-ups per client address.',
  },
  RATE_LIMIT_DEFAULT: {
    schema: rateLimit(),
    default: '600/1m',
    meaning: 'Requests per client address.',
  },
} satisfies Record<string, Setting>;

export type ThrottleConfig = Values<typeof throttleSettings>;
