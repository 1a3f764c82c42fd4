import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Tags of DER (X.690 §8). */
const TAG = { integer: 2, bitString: 3, oid: 6, utf8: 12, utcTime: 23, sequence: 48, set: 49, version: 160 };
const ECDSA_WITH_SHA256 = Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);

/**
 * A certificate (RFC 5280 §4.1) for a key, of an untrusted authority, as an attacker puts it into `x5c`.
 *
 * @param now seconds since 1970; it is valid from a day before to a day after.
 * @returns DER.
 */
export function attackerCertificate(subjectKey: KeyObject, now: number): Buffer {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, der(TAG.oid, COMMON_NAME), der(TAG.utf8, 'attacker'))),
  );
  const algorithm = der(TAG.sequence, der(TAG.oid, ECDSA_WITH_SHA256));
  const content = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.from([1])),
    algorithm,
    name,
    der(TAG.sequence, der(TAG.utcTime, utcTime(now - 86_400)), der(TAG.utcTime, utcTime(now + 86_400))),
    name,
    subjectKey.export({ format: 'der', type: 'spki' }),
  );
  const signature = sign('sha256', content, authority.privateKey);
  return der(TAG.sequence, content, algorithm, der(TAG.bitString, Buffer.from([0]), signature));
}

/** The text form of a certificate (RFC 7468 §5). */
export function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function der(tag: number, ...content: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(content.map((part) => Buffer.from(part as string)));
  const size = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

/** `YYMMDDHHMMSSZ`. */
function utcTime(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(2, 19).replace(/\D/g, '')}Z`;
}
