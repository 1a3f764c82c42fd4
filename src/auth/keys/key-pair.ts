import {
  type AsymmetricKeyDetails,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto';
import { promisify } from 'node:util';
import { v7 as uuidv7 } from 'uuid';
import type { SigningAlgorithm } from '../../../config/auth.config.js';
import type { Columns } from '../../platform/database/columns.js';
import type { KeysTables } from './keys.tables.js';
import { seal, unseal } from '../../platform/secrets/secrets.js';

/** ASVS 5.0.0 11.2.3. */
const RSA_BITS = 3072;
/** RFC 7518 §3.3: weaker keys are refused, whatever their source. */
const RSA_BITS_MIN = 2048;

export const KEY_PURPOSE = 'signing-key-encryption';

export interface SigningKeyPair {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A new key pair as the table keeps it. */
export interface KeyDraft {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: JsonWebKey;
  /** The encrypted private key. */
  readonly privateKey: Buffer;
}

/** A key pair as stored. */
export type SealedKey = Columns<KeysTables, 'signing_keys', 'kid' | 'algorithm' | 'private_key'>;

/** No secret decrypts the keys in the database. The message is for a terminal. */
export class SecretsDoNotFit extends Error {
  constructor() {
    super(
      'AUTH_SECRETS: none of the secrets decrypts the signing keys in the database; add the secret that encrypted them to the end of the list',
    );
  }
}

/** A key in the database is too weak for its algorithm, or of another type. The message is for a terminal. */
export class UnfitSigningKey extends Error {}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<KeyPairKeyObjectResult>;

/** Generates a key pair off the event loop: RSA takes a second. */
export async function draftKey(algorithm: SigningAlgorithm, secrets: readonly string[]): Promise<KeyDraft> {
  const { publicKey, privateKey } =
    algorithm === 'ES256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: RSA_BITS });
  const kid = uuidv7();
  return {
    kid,
    algorithm,
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' },
    privateKey: seal(secrets, KEY_PURPOSE, kid, privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}

/**
 * Decrypts a key pair. The public key is derived from the private key, so that an attacker with write access to the
 * table but without the secrets cannot plant a key.
 *
 * @throws SecretsDoNotFit, UnfitSigningKey
 */
export function openKey(key: SealedKey, secrets: readonly string[]): SigningKeyPair {
  const { kid, algorithm } = key;
  const der = unseal(secrets, KEY_PURPOSE, kid, key.private_key);
  if (!der) throw new SecretsDoNotFit();
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  if (!isFit(algorithm, privateKey)) {
    throw new UnfitSigningKey(
      `the signing key ${kid} in the database does not fit ${algorithm}: ES256 requires P-256, PS256 and RS256 require RSA of ${RSA_BITS_MIN} bits or more with an odd exponent from 65537 on; delete it`,
    );
  }
  return { kid, algorithm, privateKey, publicKey: createPublicKey(privateKey) };
}

/** RFC 8725 §3.2, §3.5: the type, curve and size that an algorithm requires. */
function isFit(algorithm: SigningAlgorithm, key: KeyObject): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  switch (algorithm) {
    case 'ES256':
      return type === 'ec' && details.namedCurve === 'prime256v1';
    case 'PS256':
    case 'RS256':
      return type === 'rsa' && (details.modulusLength ?? 0) >= RSA_BITS_MIN && isSafeExponent(details);
    default:
      // The column is text and could contain an unknown value.
      return false;
  }
}

function isSafeExponent({ publicExponent: exponent = 0n }: AsymmetricKeyDetails): boolean {
  return exponent >= 65_537n && exponent % 2n === 1n;
}
