/** What a stored hash is computed with; the cost of two hashes of one kind can be compared. */
export type HashAlgorithm =
  'argon2' | 'bcrypt' | 'scrypt' | 'pbkdf2-sha1' | 'pbkdf2-sha256' | 'pbkdf2-sha512';

/** A stored password hash that was understood. */
export interface PasswordHash {
  /** The spelling, for a person: `bcrypt`, `pbkdf2-sha256 (django)`. */
  readonly format: string;
  readonly algorithm: HashAlgorithm;
  /** How much there is to compute, in a unit of the algorithm's own. */
  readonly work: number;
  /** Bytes of memory that computing it takes. */
  readonly memory: number;
  /** A `like` pattern that finds the hashes of this format, and of these parameters where they are few. */
  readonly pattern: string;
  /** A hash of the same cost that says nothing of anybody: salt and digest are zeros. */
  readonly sample: string;
  /** Whether it is the hash of exactly these characters; nothing is normalised or cut. */
  readonly matches: (password: string) => Promise<boolean>;
}

/** What became of a text that may be a hash: it was understood, it is of another format, or it is damaged. */
export type HashReading = PasswordHash | 'other' | 'damaged';

/** Standard base64 as PHC strings have it: without padding, nothing left over. With padding it is taken too. */
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

/** A decimal number without sign or leading zeros; null if it is none, or beyond `max`. */
export function wholeNumber(text: string | undefined, max: number): number | null {
  if (text === undefined || !/^[1-9]\d{0,9}$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** The beginning of a `like` pattern that finds exactly this text. */
export function literally(text: string): string {
  return text.replace(/[\\%_]/g, String.raw`\$&`);
}

/** Lengths of digests, in bytes, that are long enough to stand for a password and no longer than any in use. */
export function isDigestLength(length: number): boolean {
  return length >= 16 && length <= 128;
}

/** Lengths of salts, in bytes. */
export function isSaltLength(length: number): boolean {
  return length >= 4 && length <= 128;
}
