import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { SigningAlgorithm } from '../../config/auth.config.js';
import { seal, unseal } from '../../src/platform/secrets/secrets.js';
import { signWith } from '../../src/vectors/forge.js';
import type { TestApp } from './app.js';

/** A key pair that tokens are made with, of ours or of an attacker. */
export interface TestKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Members of a header or of claims; `undefined` removes one. */
export type Members = Readonly<Record<string, unknown>>;

const PURPOSE = 'signing-key-encryption';

/** The key that an application signs with, taken out of its database as the service does it. */
export async function signingKey(
  app: TestApp,
  algorithm: SigningAlgorithm = app.config.auth.JWT_ALGORITHM,
): Promise<TestKey> {
  const [row] = await app.query(
    sql<{ kid: string; private_key: Uint8Array }>`select kid, private_key from signing_keys
      where state = 'current' and algorithm = ${algorithm}`,
  );
  if (!row) throw new Error(`no ${algorithm} key in the database`);
  const der = unseal(app.config.auth.AUTH_SECRETS, PURPOSE, row.kid, Buffer.from(row.private_key));
  if (!der) throw new Error('the secrets of the test do not open its key');
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { kid: row.kid, algorithm, privateKey, publicKey: createPublicKey(privateKey) };
}

/** A new key pair that no database knows. */
export function newKey(algorithm: SigningAlgorithm, shape: { curve?: string; bits?: number } = {}): TestKey {
  const pair =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: shape.curve ?? 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: shape.bits ?? 2048 });
  return { kid: uuidv7(), algorithm, ...pair };
}

/** The form of a key in a key set. */
export function publicJwk({ kid, algorithm, publicKey }: TestKey): Record<string, unknown> {
  return { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' };
}

/** Puts a key into the database that this application did not make, and that is published. */
export async function storeKey(app: TestApp, key: TestKey, state = 'previous'): Promise<void> {
  const der = key.privateKey.export({ format: 'der', type: 'pkcs8' });
  const sealed = seal(app.config.auth.AUTH_SECRETS, PURPOSE, key.kid, der);
  await app.query(
    sql`insert into signing_keys (kid, algorithm, state, public_jwk, private_key)
        values (${key.kid}, ${key.algorithm}, ${state}, ${JSON.stringify(publicJwk(key))}::jsonb, ${sealed})`,
  );
}

/** The header and the claims of a compact JWT, unverified. */
export function decodeToken(token: string): {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
} {
  const [header = '', claims = ''] = token.split('.');
  return { header: decodePart(header), claims: decodePart(claims) };
}

/** What a good access token of an application says about a session of its own. */
export function accessClaims(app: TestApp, session: { sub: string; sid: string }): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: app.config.app.PUBLIC_URL,
    aud: app.config.auth.AUTH_AUDIENCE,
    ...session,
    jti: uuidv7(),
    client_id: 'traffy',
    iat: now,
    nbf: now - 5,
    exp: now + 600,
    auth_time: now,
    amr: ['pwd'],
  };
}

/** A token with the header that this key's tokens have. */
export function issueToken(key: TestKey, claims: Members): string {
  const header = { alg: key.algorithm, kid: key.kid, typ: 'at+jwt' };
  return signParts(encode(header), encode(claims), key.privateKey, key.algorithm);
}

/** A token with some members changed, added or (by `undefined`) removed, and signed again by the key's own algorithm. */
export function resign(
  token: string,
  key: TestKey,
  changes: { header?: Members; claims?: Members },
  algorithm: string = key.algorithm,
): string {
  const { header, claims } = decodeToken(token);
  return signParts(
    encode({ ...header, ...changes.header }),
    encode({ ...claims, ...changes.claims }),
    key.privateKey,
    algorithm,
  );
}

/** Signs two parts as they are, whatever they hold. */
export function signParts(header: string, claims: string, key: KeyObject, algorithm: string): string {
  const input = `${header}.${claims}`;
  return `${input}.${signatureOf(input, key, algorithm).toString('base64url')}`;
}

/** base64url of JSON, or of bytes or text as they are. */
export function encode(value: unknown): string {
  const bytes =
    typeof value === 'string' || Buffer.isBuffer(value) ? value : (JSON.stringify(value) ?? 'undefined');
  return Buffer.from(bytes as string).toString('base64url');
}

/** The same token with an ECDSA signature of these two numbers. */
export function withSignature(token: string, r: bigint, s: bigint, bytesEach = 32): string {
  const hex = [r, s].map((value) => value.toString(16).padStart(bytesEach * 2, '0')).join('');
  return withSignatureBytes(token, Buffer.from(hex, 'hex'));
}

/** The same token with another signature. */
export function withSignatureBytes(token: string, signature: Buffer): string {
  return `${token.slice(0, token.lastIndexOf('.'))}.${signature.toString('base64url')}`;
}

/** The bytes of a token's signature. */
export function signatureBytes(token: string): Buffer {
  return Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
}

/** Every other spelling of the last character of a base64url text that decodes to the same bytes. */
export function otherSpellings(part: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const bytes = Buffer.from(part, 'base64url');
  return [...alphabet]
    .map((last) => part.slice(0, -1) + last)
    .filter((spelling) => spelling !== part && Buffer.from(spelling, 'base64url').equals(bytes));
}

function signatureOf(input: string, key: KeyObject, algorithm: string): Buffer {
  if (!algorithm.startsWith('HS')) return signWith(key, algorithm)(input);
  return createHmac(`sha${algorithm.slice(2)}`, key)
    .update(input)
    .digest();
}

function decodePart(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}
