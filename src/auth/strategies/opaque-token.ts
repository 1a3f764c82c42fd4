import { createHash, randomBytes } from 'node:crypto';

/** 256 bits (ASVS 5.0.0 7.2.3 asks for 128). */
const SECRET_BYTES = 32;
const BODY = /^[A-Za-z0-9_-]{43}$/;

/** Prefixes let a secret scanner find a leaked token. */
export type TokenPrefix = `trf_${string}_`;

/** The random bytes that a token is made of. */
export function createSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** A fresh random token. */
export function createToken(prefix: TokenPrefix): string {
  return encodeToken(prefix, createSecret());
}

/** A token of 32 given bytes. */
export function encodeToken(prefix: TokenPrefix, secret: Buffer): string {
  return `${prefix}${secret.toString('base64url')}`;
}

/** Whether a text has the form of such a token; what has not is never looked up. */
export function isToken(prefix: TokenPrefix, text: string): boolean {
  return text.startsWith(prefix) && BODY.test(text.slice(prefix.length));
}

/** What is kept of a token: SHA-256 over its whole text. Enough for 256 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
