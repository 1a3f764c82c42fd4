/** The algorithm of a stored hash; costs within one algorithm are comparable. */
export type HashAlgorithm =
  'argon2' | 'bcrypt' | 'scrypt' | 'pbkdf2-sha1' | 'pbkdf2-sha256' | 'pbkdf2-sha512';

/** A parsed password hash. */
export interface PasswordHash {
  /** The name of the format for reports: `bcrypt`, `pbkdf2-sha256 (django)`. */
  readonly format: string;
  readonly algorithm: HashAlgorithm;
  /** The computing cost, in a unit of the algorithm. */
  readonly work: number;
  /** Bytes of memory that the computation needs. */
  readonly memory: number;
  /** A `like` pattern for the hashes of this format, with its parameters if they vary little. */
  readonly pattern: string;
  /** A hash of the same cost without personal data: salt and digest are zeros. */
  readonly sample: string;
  /** Whether it is the hash of exactly these characters; nothing is normalised or truncated. */
  readonly matches: (password: string) => Promise<boolean>;
}

/** The result of parsing a text: a hash, another format, or damaged. */
export type HashReading = PasswordHash | 'other' | 'damaged';

/** Standard base64 as in PHC strings: without padding or trailing bits. Padding is accepted. */
export function fromBase64(text: string): Buffer | null {
  const bare = text.replace(/={1,2}$/, '');
  if (!/^[A-Za-z0-9+/]*$/.test(bare)) return null;
  const bytes = Buffer.from(bare, 'base64');
  return toBase64(bytes) === bare ? bytes : null;
}

/** Standard base64 without padding. */
export function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** A decimal number without sign or leading zeros; null if invalid or greater than `max`. */
export function wholeNumber(text: string | undefined, max: number): number | null {
  if (text === undefined || !/^[1-9]\d{0,9}$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** The start of a `like` pattern that matches exactly this text. */
export function literally(text: string): string {
  return text.replace(/[\\%_]/g, String.raw`\$&`);
}

/** Accepted digest lengths in bytes: long enough to be secure, and no longer than any in use. */
export function isDigestLength(length: number): boolean {
  return length >= 16 && length <= 128;
}

/** Accepted salt lengths in bytes. */
export function isSaltLength(length: number): boolean {
  return length >= 4 && length <= 128;
}
