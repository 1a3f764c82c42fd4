import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { StrategyName } from '../../../../config/auth.config.js';
import { purposeKey } from '../../../platform/secrets/secrets.js';

const SALT_BYTES = 16;
const TAG_BYTES = 16;

/** Creates a nonce for an exchange: 16 random bytes and a tag that identifies the secret it was drawn under. */
export function drawNonce(secrets: readonly string[], sessionId: string): Buffer {
  const [first] = secrets;
  if (first === undefined) throw new TypeError('no secret to derive from');
  const salt = randomBytes(SALT_BYTES);
  return Buffer.concat([salt, tagOf(first, sessionId, salt)]);
}

/**
 * Derives the secret of the new credential: the same for all callers on all nodes, and not derivable from the
 * database alone.
 *
 * @returns 32 bytes; null if the nonce was drawn under a secret that is not in the list.
 */
export function deriveCredentialSecret(
  secrets: readonly string[],
  sessionId: string,
  { kind, nonce }: { readonly kind: StrategyName; readonly nonce: Buffer },
): Buffer | null {
  const salt = nonce.subarray(0, SALT_BYTES);
  const tag = nonce.subarray(SALT_BYTES);
  const secret = secrets.find((candidate) => timingSafeEqual(tagOf(candidate, sessionId, salt), tag));
  return secret === undefined ? null : mac(secret, `credential.${kind}.${sessionId}.`, nonce);
}

function tagOf(secret: string, sessionId: string, salt: Buffer): Buffer {
  return mac(secret, `nonce.${sessionId}.`, salt).subarray(0, TAG_BYTES);
}

function mac(secret: string, what: string, bytes: Buffer): Buffer {
  return createHmac('sha256', purposeKey(secret, 'exchange')).update(what).update(bytes).digest();
}
