import { z } from 'zod';
import { duration, wholeNumber, type Setting, type Values } from './setting.config.js';

/** All strategies. A new strategy adds its name here: the branch in the configuration schema. */
export const STRATEGY_NAMES = ['session', 'jwt'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** The value of AUTH_STRATEGY: the first entry issues, all are accepted. */
type StrategyOrder = readonly [StrategyName, ...StrategyName[]];

export const SIGNING_ALGORITHMS = ['ES256', 'PS256', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** ASVS 5.0.0 11.2.3 and RFC 7518 §3.2: a key for HMAC-SHA-256 has at least 256 bits. */
export const SECRET_MIN_BYTES = 32;
/** Placeholders that are used in place of a secret. */
const PLACEHOLDER =
  /change.?me|replace.?me|example|placeholder|your.{0,3}secret|secret.?key|password|default|qwerty|asdfgh|123456|abcdef/i;

const strategyOrder = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .refine(
    (names) =>
      names.every((name) => (STRATEGY_NAMES as readonly string[]).includes(name)) &&
      new Set(names).size === names.length,
    {
      error: `an ordered, comma-separated list of ${STRATEGY_NAMES.join(', ')}, each at most once: the first issues, all are accepted`,
    },
  )
  .transform((names) => names as unknown as StrategyOrder);

const secrets = z
  .string()
  .transform((text) =>
    text
      .split(/[,\r\n]+/)
      .map((secret) => secret.trim())
      .filter((secret) => secret !== ''),
  )
  .superRefine((list, context) => {
    if (list.length === 0) context.addIssue({ code: 'custom', message: 'at least one secret' });
    const weak = list.flatMap((secret, index) => {
      const weakness = secretWeakness(secret);
      return weakness ? [`number ${index + 1} ${weakness}`] : [];
    });
    if (weak.length > 0) {
      const allowed = `secrets of ${SECRET_MIN_BYTES} random bytes or more (openssl rand -base64 48)`;
      context.addIssue({ code: 'custom', message: `${allowed}; ${weak.join(', ')}` });
    }
    if (new Set(list).size !== list.length) {
      context.addIssue({ code: 'custom', message: 'each secret once' });
    }
  });

const algorithm = z.enum(SIGNING_ALGORITHMS, { error: `one of ${SIGNING_ALGORITHMS.join(', ')}` });

export const authSettings = {
  AUTH_STRATEGY: {
    schema: strategyOrder,
    default: 'session',
    meaning: 'Ordered list of `session`, `jwt`: the first issues, all are accepted.',
  },
  AUTH_SECRETS: {
    schema: secrets,
    secret: true,
    defaultText: 'generated in development and test; required in production',
    meaning:
      'Ordered list of secrets, 32 bytes or more each, comma-separated (one a line in a file): the first encrypts and signs internal values, all are accepted.',
  },
  AUTH_AUDIENCE: {
    schema: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, { error: 'a string of 1 to 255 printable ASCII characters' }),
    defaultText: '`PUBLIC_URL`',
    meaning: '`aud` of access tokens.',
  },
  JWT_ALGORITHM: {
    schema: algorithm,
    default: 'ES256',
    meaning: 'Algorithm of new signing keys; PS256 or RS256 for verifiers that need it.',
  },
  ACCESS_TOKEN_TTL: {
    schema: duration({ min: 1, max: 86_400 }),
    default: '10m',
    meaning: 'Lifetime of an access token.',
  },
  REFRESH_REUSE_GRACE: {
    schema: duration({ max: 300 }),
    default: '15s',
    meaning:
      'Grace period after rotation in which a refresh token still returns the current one (two tabs, a lost response). With 0s, two tabs that refresh concurrently are treated as theft, and the session ends.',
  },
  JWKS_MAX_AGE: {
    schema: duration({ min: 1, max: 86_400 }),
    default: '10m',
    meaning: 'How long other services can cache the public keys.',
  },
  KEY_ROTATION_INTERVAL: {
    schema: duration({ min: 2 }),
    default: '30d',
    meaning:
      'How long a key signs before the next key takes over. At least `JWKS_MAX_AGE` plus 5 s (twice a `JWKS_MAX_AGE` below 5 s), because a key is published that long before it signs.',
  },
  SESSION_IDLE_TTL: {
    schema: duration({ min: 1 }),
    default: '14d',
    meaning:
      'A session that is not used for this long expires, in both strategies. The last use is recorded once a minute, or every quarter of this value if that is less.',
  },
  SESSION_ABSOLUTE_TTL: {
    schema: duration({ min: 1 }),
    default: '30d',
    meaning: 'A session expires this long after sign-in, even if it is used.',
  },
  SESSION_RETENTION: {
    schema: duration({ min: 1 }),
    default: '7d',
    meaning:
      'How long an ended session is kept. Until then its credentials are answered with the reason, after that as unknown.',
  },
  SESSIONS_PER_USER: {
    schema: wholeNumber(1, 1000),
    default: '20',
    meaning: 'Maximum number of live sessions per user; a further sign-in revokes the oldest.',
  },
  STEP_UP_TTL: {
    schema: duration({ min: 1, max: 86_400 }),
    default: '10m',
    meaning: 'Maximum age of `auth_time` for sensitive calls (`POST /reauthenticate`).',
  },
  AUTH_REQUIRE_VERIFIED_EMAIL: {
    schema: z.enum(['true', 'false'], { error: 'true or false' }).transform((text) => text === 'true'),
    default: 'false',
    meaning:
      'Whether an account can only be used after its address is verified. Sign-up then answers the same for a taken address. Needs `SMTP_URL` in production.',
  },
} satisfies Record<string, Setting>;

export type AuthConfig = Omit<Values<typeof authSettings>, 'AUTH_SECRETS' | 'AUTH_AUDIENCE'> & {
  readonly AUTH_SECRETS: readonly string[];
  readonly AUTH_AUDIENCE: string;
};

/**
 * Seconds that a key is published before it signs: as long as other services can use an older key set, plus a margin for
 * the time between the commit and their caches. Measured by the database's clock alone, so clock skew needs no margin.
 *
 * @param jwksMaxAge JWKS_MAX_AGE, in seconds.
 */
export function publicationTime(jwksMaxAge: number): number {
  return jwksMaxAge + Math.min(5, jwksMaxAge);
}

/** Returns why a secret is guessable, or null. Never repeats the secret. */
function secretWeakness(secret: string): string | null {
  const bytes = Buffer.byteLength(secret);
  if (bytes < SECRET_MIN_BYTES) return `has ${bytes}`;
  if (PLACEHOLDER.test(secret)) return 'looks like a placeholder';
  return isMonotonous(secret) ? 'repeats itself: too little entropy' : null;
}

/** Few different characters, a simple sequence, or a short repeated text. */
function isMonotonous(secret: string): boolean {
  const codes = [...secret].map((character) => character.codePointAt(0) ?? 0);
  const steps = new Set(codes.slice(1).map((code, index) => code - (codes[index] ?? 0)));
  if (new Set(codes).size < 12 || steps.size < 8) return true;
  const periods = Array.from({ length: Math.floor(codes.length / 2) }, (_, index) => index + 1);
  return periods.some((period) => codes.every((code, i) => i < period || code === codes[i - period]));
}
