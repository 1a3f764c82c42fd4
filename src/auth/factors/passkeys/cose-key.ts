import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { COSEALG, isoCBOR } from '@simplewebauthn/server/helpers';

/** ES256, EdDSA and RS256 (Windows): every authenticator supports one of them. */
export const ALGORITHMS: readonly number[] = [COSEALG.ES256, COSEALG.EdDSA, COSEALG.RS256];

/** Labels of COSE keys, key types and curves (the IANA registry of COSE). */
export const LABEL = { kty: 1, alg: 3, crv: -1, x: -2, y: -3, n: -1, e: -2 } as const;
const KEY_TYPE = { OKP: 1, EC2: 2, RSA: 3 } as const;
const CURVE = { P256: 1, ED25519: 6 } as const;

/** Why a public key must not verify signatures. */
export type KeyFlaw =
  /** Not a COSE key, or with other members than its algorithm has. */
  | 'malformed'
  | 'algorithm'
  /** Another key type or curve than the algorithm has. */
  | 'type'
  /** Not a point of the curve, or coordinates of another length. */
  | 'point'
  /** A point of small order: signatures under it verify that no private key made. */
  | 'small_order'
  /** An RSA modulus that is too short, too long or even. */
  | 'modulus'
  /** An RSA exponent that is small, even or too long. With 1, every signature is its own message. */
  | 'exponent';

/** RFC 8725 §3.5. The maximum bounds the cost of a verification. */
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
/** NIST FIPS 186-5 §5.4; every authenticator uses the minimum. */
const RSA_EXPONENT_MIN = 65_537n;
const RSA_EXPONENT_MAX = 2n ** 32n;
/** Bytes of a coordinate, of both curves. */
const COORDINATE_BYTES = 32;

/** The members of a key of each algorithm, all required (WebAuthn Level 3 §6.5.1.1): no other member is allowed. */
const MEMBERS: ReadonlyMap<number, readonly number[]> = new Map([
  [COSEALG.ES256, [LABEL.kty, LABEL.alg, LABEL.crv, LABEL.x, LABEL.y]],
  [COSEALG.EdDSA, [LABEL.kty, LABEL.alg, LABEL.crv, LABEL.x]],
  [COSEALG.RS256, [LABEL.kty, LABEL.alg, LABEL.n, LABEL.e]],
]);

type Members = ReadonlyMap<unknown, unknown>;

/** Checks a COSE key (RFC 9052, RFC 9053, RFC 8230) by importing it; null if it can verify signatures. */
export function keyFlawOf(bytes: Uint8Array): KeyFlaw | null {
  const key = decodeCbor(bytes);
  if (!(key instanceof Map)) return 'malformed';
  const members = MEMBERS.get(key.get(LABEL.alg) as number);
  if (!members) return 'algorithm';
  if (key.size !== members.length || !members.every((member) => key.has(member))) return 'malformed';
  switch (key.get(LABEL.alg)) {
    case COSEALG.ES256:
      return flawOfP256(key);
    case COSEALG.EdDSA:
      return flawOfEd25519(key);
    default:
      return flawOfRsa(key);
  }
}

/** Decodes one CBOR item (RFC 8949) in its shortest form; null if it is malformed or followed by more bytes. */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    const value: unknown = isoCBOR.decodeFirst(new Uint8Array(bytes));
    // The decoder ignores what follows, and fills up what is missing.
    const encoded = isoCBOR.encode(value as Parameters<typeof isoCBOR.encode>[0]);
    return Buffer.from(encoded).equals(bytes) ? value : null;
  } catch {
    return null;
  }
}

function flawOfP256(key: Members): KeyFlaw | null {
  if (key.get(LABEL.kty) !== KEY_TYPE.EC2 || key.get(LABEL.crv) !== CURVE.P256) return 'type';
  const [x, y] = [coordinate(key, LABEL.x), coordinate(key, LABEL.y)];
  // The import checks that the point is on the curve. P-256 has no points of small order.
  return x && y && importKey({ kty: 'EC', crv: 'P-256', x, y }) ? null : 'point';
}

function flawOfEd25519(key: Members): KeyFlaw | null {
  if (key.get(LABEL.kty) !== KEY_TYPE.OKP || key.get(LABEL.crv) !== CURVE.ED25519) return 'type';
  const x = coordinate(key, LABEL.x);
  if (!x || !importKey({ kty: 'OKP', crv: 'Ed25519', x })) return 'point';
  return flawOfEdwardsPoint(Buffer.from(x, 'base64url'));
}

function flawOfRsa(key: Members): KeyFlaw | null {
  if (key.get(LABEL.kty) !== KEY_TYPE.RSA) return 'type';
  const [n, e] = [key.get(LABEL.n), key.get(LABEL.e)];
  if (!(n instanceof Uint8Array && e instanceof Uint8Array)) return 'malformed';
  const imported = importKey({ kty: 'RSA', n: toBase64url(n), e: toBase64url(e) });
  const { modulusLength = 0, publicExponent = 0n } = imported?.asymmetricKeyDetails ?? {};
  const isOdd = ((n.at(-1) ?? 0) & 1) === 1;
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX || !isOdd) return 'modulus';
  const isSafe = publicExponent >= RSA_EXPONENT_MIN && publicExponent < RSA_EXPONENT_MAX;
  return isSafe && publicExponent % 2n === 1n ? null : 'exponent';
}

function coordinate(key: Members, label: number): string | null {
  const value = key.get(label);
  return value instanceof Uint8Array && value.length === COORDINATE_BYTES ? toBase64url(value) : null;
}

function importKey(jwk: JsonWebKey): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
}

function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** Curve25519 in its Edwards form (RFC 8032 §5.1). OpenSSL imports any 32 bytes, so the point is checked here. */
const P = 2n ** 255n - 19n;
const D = modulo(-121_665n * power(121_666n, P - 2n));
/** The y of a point of order 8. With its negative, 1, -1 and 0, these are the y of all points of small order. */
const Y_OF_ORDER_8 =
  2_707_385_501_144_840_649_318_225_287_225_658_788_936_804_267_575_313_519_463_743_609_750_303_402_022n;
const SMALL_ORDER = new Set([0n, 1n, P - 1n, Y_OF_ORDER_8, P - Y_OF_ORDER_8]);

function flawOfEdwardsPoint(encoded: Buffer): KeyFlaw | null {
  const y = BigInt(`0x${Buffer.from(encoded.toReversed()).toString('hex')}`) & (2n ** 255n - 1n);
  if (SMALL_ORDER.has(y % P)) return 'small_order';
  if (y >= P) return 'point';
  // x² = (y² - 1) / (d·y² + 1) is a square exactly if the numerator times the denominator is one.
  const square = modulo((y * y - 1n) * (D * y * y + 1n));
  return power(square, (P - 1n) / 2n) === 1n ? null : 'point';
}

function modulo(value: bigint): bigint {
  return ((value % P) + P) % P;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let factor = base % P;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * factor) % P;
    factor = (factor * factor) % P;
  }
  return result;
}
