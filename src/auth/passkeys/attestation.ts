import { decodeAttestationObject } from '@simplewebauthn/server/helpers';

/**
 * Whether an attestation object is one that comes without being asked for (WebAuthn Level 3 §5.4.7, `none`): no statement, or
 * one of the new key about itself. Any other is refused and not looked into. Nobody here would believe its certificates,
 * and to check them would mean to ask servers that the sender names.
 */
export function isUnasked(attestationObject: string): boolean {
  try {
    const decoded = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url')));
    const format = decoded.get('fmt');
    return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined);
  } catch {
    // No CBOR, or not this.
    return false;
  }
}
