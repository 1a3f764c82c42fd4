import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The purposes of AUTH_SECRETS. Each purpose has its own key (HKDF-SHA-256, RFC 5869), so that a value made for one
 * purpose is useless for another.
 */
export type Purpose =
  | 'signing-key-encryption'
  | 'refresh-successor'
  | 'exchange'
  | 'shown-mail'
  | 'totp-seed'
  | 'audit-chain'
  | 'one-time-token'
  | 'one-time-code';

const derived = new Map<string, Buffer>();

/** Derives the 32-byte key of a secret for a purpose. */
export function purposeKey(secret: string, purpose: Purpose): Buffer {
  const id = `${purpose}:${createHash('sha256').update(secret).digest('base64')}`;
  let key = derived.get(id);
  if (!key) {
    key = Buffer.from(hkdfSync('sha256', secret, '', `traffy/v1/${purpose}`, 32));
    derived.set(id, key);
  }
  return key;
}

/** Encrypts with AES-256-GCM under the first secret: nonce, tag and ciphertext. `context` is authenticated data. */
export function seal(
  secrets: readonly string[],
  purpose: Purpose,
  context: string,
  plaintext: Buffer,
): Buffer {
  const [first] = secrets;
  if (first === undefined) throw new TypeError('no secret to encrypt under');
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', purposeKey(first, purpose), nonce).setAAD(
    Buffer.from(context),
  );
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

/** Decrypts a value of `seal` with the secret that encrypted it; null if no secret fits. */
export function unseal(
  secrets: readonly string[],
  purpose: Purpose,
  context: string,
  sealed: Buffer,
): Buffer | null {
  for (const secret of secrets) {
    const plaintext = open(secret, purpose, context, sealed);
    if (plaintext) return plaintext;
  }
  return null;
}

/** Returns the index of the secret that encrypted a value; null if no secret fits. */
export function sealedUnder(
  secrets: readonly string[],
  purpose: Purpose,
  context: string,
  sealed: Buffer,
): number | null {
  const index = secrets.findIndex((secret) => open(secret, purpose, context, sealed) !== null);
  return index === -1 ? null : index;
}

function open(secret: string, purpose: Purpose, context: string, sealed: Buffer): Buffer | null {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  const ciphertext = sealed.subarray(NONCE_BYTES + TAG_BYTES);
  try {
    const decipher = createDecipheriv('aes-256-gcm', purposeKey(secret, purpose), nonce, {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(context))
      .setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    // Encrypted under another secret, or damaged.
    return null;
  }
}
