import { parseAuthenticatorData } from '@simplewebauthn/server/helpers';
import { LABEL, decodeCbor, keyFlawOf, type KeyFlaw } from './cose-key.js';

/** Why an attestation object is refused: it has a statement that was not requested, or its key is unfit. */
export type AttestationFlaw =
  'malformed' | 'attestation' | 'attestation_algorithm' | { readonly key: KeyFlaw };

/**
 * Checks an attestation object (WebAuthn Level 3 §6.5.4) before any signature: its form, its statement and its key.
 *
 * The statement must be `none` or a self attestation of the new key. All others are refused unread: their certificates
 * would not be trusted, and checking them would mean requests to servers that the sender names.
 */
export function attestationFlawOf(attestationObject: string): AttestationFlaw | null {
  const decoded = decodeCbor(Buffer.from(attestationObject, 'base64url'));
  if (!(decoded instanceof Map)) return 'malformed';
  const [statement, authData] = [decoded.get('attStmt'), decoded.get('authData')];
  if (!(statement instanceof Map && authData instanceof Uint8Array)) return 'malformed';
  const format: unknown = decoded.get('fmt');
  if (format !== 'none' && !isSelfAttestation(format, statement)) return 'attestation';
  const publicKey = publicKeyIn(authData);
  if (!publicKey) return 'malformed';
  const key = keyFlawOf(publicKey);
  if (key) return { key };
  const algorithm: unknown = (decodeCbor(publicKey) as Map<number, unknown>).get(LABEL.alg);
  return format === 'packed' && statement.get('alg') !== algorithm ? 'attestation_algorithm' : null;
}

function isSelfAttestation(format: unknown, statement: ReadonlyMap<unknown, unknown>): boolean {
  return format === 'packed' && statement.size === 2 && statement.has('alg') && statement.has('sig');
}

/** The attested public key in authenticator data; null if there is none or the data is malformed. */
function publicKeyIn(authData: Uint8Array): Uint8Array | null {
  try {
    return parseAuthenticatorData(new Uint8Array(authData)).credentialPublicKey ?? null;
  } catch {
    // The parser throws on malformed data, and on bytes after it.
    return null;
  }
}
