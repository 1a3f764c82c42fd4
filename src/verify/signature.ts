import { compactVerify, type CryptoKey, errors } from 'jose';
import type { SignatureAlgorithm } from './compact-jws.js';
import { KeysUnavailable } from './verify.errors.js';

/**
 * Whether a compact JWS is signed by a key with this algorithm.
 *
 * @throws KeysUnavailable if the key is too weak to be used: this says nothing about the token.
 */
export async function verifySignature(
  token: string,
  key: CryptoKey,
  algorithm: SignatureAlgorithm,
): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw new KeysUnavailable(error);
  }
}
