import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { SigningAlgorithm } from '../../config/auth.config.js';
import { TOKEN_TTL } from './vector.document.js';

export interface ForgeKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Members of a header or of claims; `undefined` removes one. */
export type Members = Readonly<Record<string, unknown>>;

/** Signs the first two parts of a token. */
export type Signer = (input: string) => Buffer;

/** The deviations of a token. */
export interface TokenShape {
  readonly header?: Members;
  readonly claims?: Members;
  readonly signedBy?: Signer;
}

/** The test issuer and its attacker: fresh keys, and tokens of any shape. */
export class Forge {
  /** In the key set; signs the valid tokens. */
  readonly current: ForgeKey;
  /** In the key set, of the same algorithm: it signs after the next rotation. */
  readonly next: ForgeKey;
  /** In the key set, of another kind. */
  readonly other: ForgeKey;
  /** Not in the key set. */
  readonly attacker: ForgeKey;
  readonly now = Math.floor(Date.now() / 1000);
  private readonly subject = uuidv7();
  private readonly session = uuidv7();

  /**
   * @param issuer the origin in `iss`.
   * @param algorithm the algorithm of the valid tokens.
   */
  constructor(
    readonly issuer: string,
    readonly audience: string,
    readonly algorithm: SigningAlgorithm,
  ) {
    this.current = newKey(algorithm);
    this.next = newKey(algorithm);
    this.other = newKey(algorithm === 'ES256' ? 'PS256' : 'ES256');
    this.attacker = newKey(algorithm);
  }

  /** The RSA key of the set. */
  get rsa(): ForgeKey {
    return this.algorithm === 'ES256' ? this.other : this.current;
  }

  /** The key of the set on P-256. */
  get ec(): ForgeKey {
    return this.algorithm === 'ES256' ? this.current : this.other;
  }

  /** The header of an access token of Traffy (RFC 9068 §2.1). */
  header(changes: Members = {}): Members {
    return { alg: this.algorithm, kid: this.current.kid, typ: 'at+jwt', ...changes };
  }

  /** The claims of an access token of Traffy (RFC 9068 §2.2), a minute old. */
  claims(changes: Members = {}): Members {
    const iat = this.now - 60;
    return {
      iss: this.issuer,
      aud: this.audience,
      sub: this.subject,
      sid: this.session,
      jti: uuidv7(),
      client_id: 'traffy',
      iat,
      nbf: iat - 5,
      exp: this.now + TOKEN_TTL,
      auth_time: iat,
      amr: ['pwd'],
      ...changes,
    };
  }

  /** A token that is valid except for its shape. */
  token({ header, claims, signedBy }: TokenShape = {}): string {
    return this.seal(encode(this.header(header)), encode(this.claims(claims)), signedBy);
  }

  /** Signs two parts unchanged, with any content. */
  seal(header: string, claims: string, signedBy: Signer = signer(this.current)): string {
    const input = `${header}.${claims}`;
    return `${input}.${signedBy(input).toString('base64url')}`;
  }
}

/** base64url of JSON, or of unchanged bytes or text. */
export function encode(value: unknown): string {
  const bytes = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
  return Buffer.from(bytes as string).toString('base64url');
}

/** The public half as a member of a key set (RFC 7517 §4), with all members that state its purpose. */
export function publicJwk({ kid, algorithm, publicKey }: ForgeKey) {
  const { kty = '', ...members } = publicKey.export({ format: 'jwk' });
  return { kty, kid, alg: algorithm, use: 'sig', ...members };
}

/** Signs with a key, by its own algorithm or another one of its type. */
export function signer({ privateKey, algorithm: own }: ForgeKey, algorithm: string = own): Signer {
  return signWith(privateKey, algorithm);
}

/** Signs with a private key by an algorithm of its type: ES, PS or RS with a number. */
export function signWith(key: KeyObject, algorithm: string): Signer {
  const hash = `sha${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case 'ES':
      return (input) => sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
    case 'PS':
      return (input) =>
        sign(hash, Buffer.from(input), {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        });
    default:
      return (input) => sign(hash, Buffer.from(input), key);
  }
}

/** HS256 with a publicly known text or bytes as the secret. */
export function hmac(secret: string | Buffer): Signer {
  return (input) => createHmac('sha256', secret).update(input).digest();
}

/** The empty signature. */
export const noSignature: Signer = () => Buffer.alloc(0);

/** Changes the signature of another signer. */
export function altered(signedBy: Signer, change: (signature: Buffer) => Buffer): Signer {
  return (input) => change(signedBy(input));
}

function newKey(algorithm: SigningAlgorithm): ForgeKey {
  const pair =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid: uuidv7(), algorithm, ...pair };
}
