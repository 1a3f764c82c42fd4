import {
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
import { seal, unseal } from '../../secrets/secrets.js';

/** ASVS 5.0.0 11.2.3. */
const RSA_BITS = 3072;
/** RFC 7518 §3.3: weaker keys are refused, wherever they came from. */
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
  /** The private half, sealed. */
  readonly privateKey: Buffer;
}

/** A key pair as it was read from the table. */
export interface SealedKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly private_key: Uint8Array;
}

/** The keys in the database cannot be opened with the secrets we have. The message is for a terminal. */
export class SecretsDoNotFit extends Error {
  constructor() {
    super(
      'AUTH_SECRETS: none of the secrets opens the signing keys in the database; add the secret they were made under to the end of the list',
    );
  }
}

/** A key in the database is too weak for its algorithm, or of another kind. The message is for a terminal. */
export class UnfitSigningKey extends Error {}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<KeyPairKeyObjectResult>;

/** Makes a key pair, off the event loop: one for RSA takes a second. */
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
 * Opens a key pair. The public half is made from the private one: whoever can write to the table, but does not have
 * the secrets, cannot slip in a key of their own.
 *
 * @throws SecretsDoNotFit, UnfitSigningKey
 */
export function openKey(key: SealedKey, secrets: readonly string[]): SigningKeyPair {
  const { kid, algorithm } = key;
  const der = unseal(secrets, KEY_PURPOSE, kid, Buffer.from(key.private_key));
  if (!der) throw new SecretsDoNotFit();
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  if (!isFit(algorithm, privateKey)) {
    throw new UnfitSigningKey(
      `the signing key ${kid} in the database is not fit for ${algorithm}: ES256 takes P-256, PS256 and RS256 take RSA of ${RSA_BITS_MIN} bits or more; delete it`,
    );
  }
  return { kid, algorithm, privateKey, publicKey: createPublicKey(privateKey) };
}

/** RFC 8725 §3.2, §3.5: the kind, curve and size that an algorithm demands. */
function isFit(algorithm: SigningAlgorithm, key: KeyObject): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  switch (algorithm) {
    case 'ES256':
      return type === 'ec' && details.namedCurve === 'prime256v1';
    case 'PS256':
    case 'RS256':
      return type === 'rsa' && (details.modulusLength ?? 0) >= RSA_BITS_MIN;
    default:
      // The column is text: it may hold what no version of ours wrote.
      return false;
  }
}
