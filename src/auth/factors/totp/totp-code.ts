import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** The values that all authenticator apps support, many as the only ones (RFC 6238 with the values of RFC 4226). */
const PARAMETERS = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
/** Accepted time steps before and after the current one: clocks of phones drift. */
const WINDOW = 1;
/** As users type it: apps show it in two groups. */
const CODE = /^(?:\s*\d){6}\s*$/;
/** RFC 4226 §4 recommends 160 bits. */
const SEED_BYTES = 20;

/** The data that an authenticator app needs. */
export interface Enrolment {
  /** The seed in base32, for typing. */
  readonly secret: string;
  /** The same as a key URI, for a link or a QR code. */
  readonly uri: string;
}

/** Creates a random seed. */
export function newSeed(): Buffer {
  return randomBytes(SEED_BYTES);
}

/**
 * The time step of a code; null if it matches no accepted step.
 *
 * @param now seconds since the epoch, by the database's clock.
 */
export function stepOf(seed: Buffer, code: string, now: number): number | null {
  if (!CODE.test(code)) return null;
  const timestamp = now * 1000;
  const delta = TOTP.validate({
    ...PARAMETERS,
    token: code.replaceAll(/\s/g, ''),
    secret: secretOf(seed),
    timestamp,
    window: WINDOW,
  });
  return delta === null ? null : TOTP.counter({ period: PARAMETERS.period, timestamp }) + delta;
}

/** How an authenticator app learns a seed, and the names it shows with the codes. */
export function enrolmentOf(seed: Buffer, issuer: string, account: string): Enrolment {
  const totp = new TOTP({ ...PARAMETERS, issuer, label: account, secret: secretOf(seed) });
  return { secret: totp.secret.base32, uri: totp.toString() };
}

function secretOf(seed: Buffer): Secret {
  return Secret.fromHex(seed.toString('hex'));
}
