import { createHash, randomBytes } from 'node:crypto';

/** 256 bits (ASVS 5.0.0 7.2.3 requires 128). */
const SECRET_BYTES = 32;
const ANY_PREFIX = /^trf_[a-z]+_/;
const BODY = /^[A-Za-z0-9_-]{43}$/;

/** Prefixes let secret scanners find leaked tokens. */
export type TokenPrefix = `trf_${string}_`;

/** The random bytes of a token. */
export function createSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** Creates a random token. */
export function createToken(prefix: TokenPrefix): string {
  return encodeToken(prefix, createSecret());
}

/** Encodes 32 bytes as a token. */
export function encodeToken(prefix: TokenPrefix, secret: Buffer): string {
  return `${prefix}${secret.toString('base64url')}`;
}

/** Whether a text has the format of such a token; other texts are never looked up. */
export function isToken(prefix: TokenPrefix, text: string): boolean {
  return text.startsWith(prefix) && BODY.test(text.slice(prefix.length));
}

/** Whether a text begins like one of our tokens, of any kind. */
export function hasTokenPrefix(text: string): boolean {
  return ANY_PREFIX.test(text);
}

/** The stored form of a token: SHA-256 of its text. Sufficient for 256 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
