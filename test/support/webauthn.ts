import {
  createHash,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';

/** COSE algorithms that it makes keys of. */
export type Algorithm = 'ES256' | 'EdDSA' | 'RS256' | 'ES384';

const COSE_ALGORITHMS: Readonly<Record<Algorithm, number>> = {
  ES256: -7,
  EdDSA: -8,
  RS256: -257,
  ES384: -35,
};
const BITS = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40 };

/** The flags of authenticator data (WebAuthn Level 3 §6.1). */
export interface Flags {
  readonly up: boolean;
  readonly uv: boolean;
  readonly be: boolean;
  readonly bs: boolean;
}

/** What an authenticator or browser can be made to say that an honest one would not. All of it is validly signed. */
export interface Lies {
  readonly flags?: Partial<Flags>;
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly signCount?: number;
  /** base64url; null leaves it out. */
  readonly userHandle?: string | null;
  /** Further members of the client data, such as `crossOrigin`. */
  readonly clientData?: Readonly<Record<string, unknown>>;
  /** Changes the signature once it is made. */
  readonly signature?: (good: Buffer) => Buffer;
}

/** The same for a new credential. */
export interface RegistrationLies extends Lies {
  readonly algorithm?: Algorithm;
  readonly credentialId?: Buffer;
  /** The id outside the signed data, where it shall be another. */
  readonly id?: string;
  readonly fmt?: string;
  readonly attStmt?: ReadonlyMap<string, Cbor>;
  /** Changes the public key that is registered; the private key stays. */
  readonly key?: (good: Map<number, Cbor>) => ReadonlyMap<number, Cbor>;
  /** Bytes after the public key, within the authenticator data. */
  readonly afterKey?: Buffer;
  /** Bytes after the attestation object. */
  readonly after?: Buffer;
  /** A self attestation whose statement names this algorithm. */
  readonly selfAttestation?: { readonly alg: number; readonly hash: string };
}

/** The members of the options of a ceremony that it reads. */
export interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
}
export interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
}

/** What a browser sends. */
export interface CredentialJson {
  readonly id: string;
  readonly rawId: string;
  readonly type: string;
  readonly authenticatorAttachment: string;
  readonly clientExtensionResults: object;
  readonly response: Readonly<Record<string, unknown>>;
}

const HONEST: Flags = { up: true, uv: true, be: true, bs: true };

/**
 * An authenticator and its browser in software: one passkey, whose answers are signed as WebAuthn says, and can be made to
 * say anything.
 */
export class SoftwareAuthenticator {
  readonly credentialId: Buffer;
  readonly privateKey: KeyObject;
  userHandle: string;
  signCount = 0;
  private readonly flags: Flags;

  private constructor(
    readonly origin: string,
    { user }: CreationOptions,
    private readonly algorithm: Algorithm,
    private readonly publicKey: KeyObject,
    privateKey: KeyObject,
    credentialId: Buffer,
    flags: Flags,
  ) {
    this.userHandle = user.id;
    this.privateKey = privateKey;
    this.credentialId = credentialId;
    this.flags = flags;
  }

  /** Answers `navigator.credentials.create()`. */
  static create(
    origin: string,
    options: CreationOptions,
    lies: RegistrationLies = {},
  ): { authenticator: SoftwareAuthenticator; credential: CredentialJson } {
    const {
      algorithm = 'ES256',
      credentialId = randomBytes(32),
      selfAttestation,
      key = (good) => good,
    } = lies;
    const { publicKey, privateKey } = makeKeys(algorithm);
    const flags = { ...HONEST, ...lies.flags };
    const authenticator = new SoftwareAuthenticator(
      origin,
      options,
      algorithm,
      publicKey,
      privateKey,
      credentialId,
      flags,
    );
    authenticator.signCount = lies.signCount ?? 0;
    const authData = Buffer.concat([
      authenticator.authenticatorData(options.rp.id, lies, BITS.at),
      Buffer.alloc(16),
      uint16(credentialId.length),
      credentialId,
      encodeCbor(key(authenticator.coseKey())),
      lies.afterKey ?? Buffer.alloc(0),
    ]);
    const clientData = authenticator.clientData('webauthn.create', options.challenge, lies);
    const statement = () => {
      const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()]);
      const { alg, hash } = selfAttestation ?? { alg: 0, hash: 'sha256' };
      return new Map<string, Cbor>([
        ['alg', alg],
        ['sig', sign(algorithm === 'EdDSA' ? null : hash, signed, privateKey)],
      ]);
    };
    const { fmt = selfAttestation ? 'packed' : 'none' } = lies;
    const { attStmt = selfAttestation ? statement() : new Map<string, Cbor>() } = lies;
    const attestationObject = encodeCbor(
      new Map<string, Cbor>([
        ['fmt', fmt],
        ['attStmt', attStmt],
        ['authData', authData],
      ]),
    );
    const response = {
      clientDataJSON: clientData.toString('base64url'),
      attestationObject: Buffer.concat([attestationObject, lies.after ?? Buffer.alloc(0)]).toString(
        'base64url',
      ),
      transports: ['internal', 'hybrid'],
    };
    return { authenticator, credential: authenticator.credential(response, lies.id) };
  }

  /** Answers `navigator.credentials.get()`. */
  get({ challenge, rpId }: RequestOptions, lies: Lies = {}): CredentialJson {
    const authData = this.authenticatorData(rpId, lies, 0);
    const clientData = this.clientData('webauthn.get', challenge, lies);
    const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()]);
    const good = sign(this.algorithm === 'EdDSA' ? null : this.hash, signed, this.privateKey);
    const { userHandle = this.userHandle, signature = (bytes: Buffer) => bytes } = lies;
    return this.credential({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: signature(good).toString('base64url'),
      ...(userHandle !== null && { userHandle }),
    });
  }

  private get hash(): string {
    return this.algorithm === 'ES384' ? 'sha384' : 'sha256';
  }

  private credential(response: CredentialJson['response'], id?: string): CredentialJson {
    const own = id ?? this.credentialId.toString('base64url');
    return {
      id: own,
      rawId: own,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response,
    };
  }

  private clientData(type: string, challenge: string, lies: Lies): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: lies.type ?? type,
        challenge: lies.challenge ?? challenge,
        origin: lies.origin ?? this.origin,
        crossOrigin: false,
        ...lies.clientData,
      }),
    );
  }

  private authenticatorData(rpId: string, lies: Lies, more: number): Buffer {
    const flags = { ...this.flags, ...lies.flags };
    const bits = (['up', 'uv', 'be', 'bs'] as const)
      .filter((flag) => flags[flag])
      .reduce((sum, flag) => sum | BITS[flag], more);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.signCount ?? this.signCount);
    return Buffer.concat([
      createHash('sha256')
        .update(lies.rpId ?? rpId)
        .digest(),
      Buffer.from([bits]),
      counter,
    ]);
  }

  coseKey(): Map<number, Cbor> {
    const { n = '', e = '', x = '', y = '' } = this.publicKey.export({ format: 'jwk' }) as JsonWebKey;
    const bytes = (text: string) => Buffer.from(text, 'base64url');
    const head = (kty: number): [number, Cbor][] => [
      [1, kty],
      [3, COSE_ALGORITHMS[this.algorithm]],
    ];
    if (this.algorithm === 'RS256') return new Map([...head(3), [-1, bytes(n)], [-2, bytes(e)]]);
    if (this.algorithm === 'EdDSA') return new Map([...head(1), [-1, 6], [-2, bytes(x)]]);
    const curve = this.algorithm === 'ES384' ? 2 : 1;
    return new Map<number, Cbor>([...head(2), [-1, curve], [-2, bytes(x)], [-3, bytes(y)]]);
  }
}

function makeKeys(algorithm: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}

/** What this encodes. */
export type Cbor = number | string | Buffer | readonly Cbor[] | ReadonlyMap<number | string, Cbor>;

/** RFC 8949, as far as attestations need it. */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
  if (typeof value === 'string')
    return Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([cborHead(2, value.length), value]);
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<number | string, Cbor>)].flat() as Cbor[];
    return Buffer.concat([cborHead(5, value.size), ...entries.map(encodeCbor)]);
  }
  const items = value as readonly Cbor[];
  return Buffer.concat([cborHead(4, items.length), ...items.map(encodeCbor)]);
}

function cborHead(major: number, length: number): Buffer {
  const type = major << 5;
  if (length < 24) return Buffer.from([type | length]);
  if (length < 0x100) return Buffer.from([type | 24, length]);
  return Buffer.concat([Buffer.from([type | 25]), uint16(length)]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
