import { CompactEncrypt } from 'jose';
import { altered, encode, type Forge, noSignature, signer } from './forge.js';
import type { Draft } from './vector.document.js';

/** The order of the group of P-256: r and s of a signature are smaller. */
const GROUP_ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** Tokens with an invalid signature, or that are not three parts of base64url: to be refused. */
export async function encodingVectors(forge: Forge): Promise<Draft[]> {
  return [...signatures(forge), ...grammar(forge), await encrypted(forge)];
}

function signatures(forge: Forge): Draft[] {
  const right = signer(forge.current);
  const group = { reason: 'it is not a signature of this key', standard: 'RFC 8725 §3.3' };
  const length = { reason: 'the length of a signature is fixed', standard: 'RFC 7518 §3' };
  const rows = [
    ['signature-empty', 'the signature is empty', () => Buffer.alloc(0), group],
    ['signature-bit', 'one bit of the signature is flipped', flipFirstBit, group],
    [
      'signature-zeros',
      'the signature is all zeros',
      (signature: Buffer) => Buffer.alloc(signature.length),
      { ...group, reason: 'zeros are a valid signature if the range is not checked (CVE-2022-21449)' },
    ],
    ['signature-short', 'the last byte of the signature is missing', dropLast, length],
    ['signature-long', 'a zero byte follows the signature', appendZero, length],
  ] as const;
  const [header, , signature] = forge.token().split('.');
  return [
    ...rows.map(([id, description, change, { reason, standard }]) => ({
      id,
      description,
      reason,
      standard,
      token: forge.token({ signedBy: altered(right, change) }),
    })),
    ...(forge.algorithm === 'ES256' ? ellipticSignatures(forge) : []),
    {
      id: 'claims-changed',
      description: 'the claims were changed after signing',
      reason: 'the signature covers every byte of them',
      standard: 'RFC 7515 §5.2',
      token: `${header}.${encode(forge.claims({ sub: 'somebody-else' }))}.${signature}`,
    },
  ];
}

function ellipticSignatures(forge: Forge): Draft[] {
  const asDer = (input: string) => toDer(signer(forge.current)(input));
  return [
    {
      id: 'signature-group-order',
      description: 'both numbers of the signature are the order of the group',
      reason: 'they count as zero if the range is not checked (CVE-2022-21449)',
      standard: 'RFC 8725 §3.4',
      token: forge.token({ signedBy: () => Buffer.concat([GROUP_ORDER, GROUP_ORDER]) }),
    },
    {
      id: 'signature-der',
      description: 'a correct signature, in DER',
      reason: 'a signature of ES256 is 64 bytes, r and s',
      standard: 'RFC 7518 §3.4',
      token: forge.token({ signedBy: asDer }),
    },
  ];
}

function grammar(forge: Forge): Draft[] {
  const good = forge.token();
  const [header = '', claims = '', signature = ''] = good.split('.');
  const alphabet = { reason: 'base64url has one alphabet, and no padding', standard: 'RFC 7515 §2' };
  const shape = { reason: 'an access token is three parts', standard: 'RFC 7515 §7.1' };
  const rows = [
    ['padding-signature', 'padding after the signature', padded(good), alphabet],
    ['padding-parts', 'padding after header and claims, signed with it', paddedParts(forge), alphabet],
    ['alphabet-base64', 'the signature is in base64 with + and /', inBase64(forge), alphabet],
    [
      'alphabet-foreign',
      'characters in the signature that are not base64url',
      insert(good, '~~~~'),
      alphabet,
    ],
    ['parts-two', 'header and claims alone', `${header}.${claims}`, shape],
    ['parts-four', 'a fourth part after a valid token', `${good}.${signature}`, shape],
    ['parts-five-empty', 'two empty parts after a valid token', `${good}..`, shape],
    [
      'json-serialization',
      'correctly signed, in the JSON serialization',
      JSON.stringify({ payload: claims, protected: header, signature }),
      { ...shape, reason: 'JWTs are in the compact form', standard: 'RFC 7519 §3' },
    ],
  ] as const;
  return rows.map(([id, description, token, group]) => ({ id, description, ...group, token }));
}

/** An unsigned token, encrypted to the public key. */
async function encrypted(forge: Forge): Promise<Draft> {
  const { rsa } = forge;
  const inner = forge.token({ header: { alg: 'none' }, signedBy: noSignature });
  const header = { alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: rsa.kid, typ: 'at+jwt', cty: 'JWT' };
  const encryption = new CompactEncrypt(Buffer.from(inner)).setProtectedHeader(header);
  return {
    id: 'encrypted-unsigned',
    description: 'five parts: an unsigned token, encrypted to the public key',
    reason: 'every attacker can encrypt to a public key; that proves nothing',
    standard: 'RFC 8725 §3.1',
    token: await encryption.encrypt(rsa.publicKey),
  };
}

function flipFirstBit(signature: Buffer): Buffer {
  return Buffer.concat([Buffer.from([signature.readUInt8(0) ^ 1]), signature.subarray(1)]);
}

function dropLast(signature: Buffer): Buffer {
  return signature.subarray(0, -1);
}

function appendZero(signature: Buffer): Buffer {
  return Buffer.concat([signature, Buffer.alloc(1)]);
}

/** An ECDSA signature of two 32-byte numbers in ASN.1. */
function toDer(signature: Buffer): Buffer {
  const numbers = [signature.subarray(0, 32), signature.subarray(32)].map((bytes) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const unsigned = short.readUInt8(0) < 128 ? short : Buffer.concat([Buffer.alloc(1), short]);
    return Buffer.concat([Buffer.from([2, unsigned.length]), unsigned]);
  });
  const body = Buffer.concat(numbers);
  return Buffer.concat([Buffer.from([48, body.length]), body]);
}

/** Adds the padding of base64, up to four characters. */
function padded(part: string): string {
  const last = part.slice(part.lastIndexOf('.') + 1);
  return part + '='.repeat((4 - (last.length % 4)) % 4);
}

/** Header and claims of lengths that need padding: a space after JSON has no meaning. */
function paddedParts(forge: Forge): string {
  const [header = '', claims = ''] = [forge.header(), forge.claims()].map((part) => {
    const json = JSON.stringify(part);
    const fitting = Buffer.byteLength(json) % 3 === 0 ? `${json} ` : json;
    return padded(encode(fitting));
  });
  return forge.seal(header, claims);
}

/** A signature with one of the two characters that differ between the alphabets. */
function inBase64(forge: Forge): string {
  for (;;) {
    const token = forge.token();
    const dot = token.lastIndexOf('.') + 1;
    const signature = token.slice(dot);
    if (/[-_]/.test(signature)) {
      return token.slice(0, dot) + signature.replaceAll('-', '+').replaceAll('_', '/');
    }
  }
}

/** Inserts characters into the middle of the signature. */
function insert(token: string, characters: string): string {
  const middle = token.lastIndexOf('.') + 10;
  return token.slice(0, middle) + characters + token.slice(middle);
}
