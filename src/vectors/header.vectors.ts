import { type Forge, hmac, noSignature, publicJwk, signer } from './forge.js';
import type { Draft } from './vector.document.js';

/** Tokens whose header is wrong about the algorithm, the type or critical extensions: to be refused. */
export function headerVectors(forge: Forge): Draft[] {
  return [...unsigned(forge), ...confused(forge), ...wrongType(forge), ...critical(forge)];
}

function unsigned(forge: Forge): Draft[] {
  const spellings: readonly (readonly [id: string, alg: string | undefined])[] = [
    ['alg-none', 'none'],
    ['alg-none-capital', 'None'],
    ['alg-none-mixed', 'nOnE'],
    ['alg-empty', ''],
    ['alg-missing', undefined],
  ];
  return [
    ...spellings.map(([id, alg]) => ({
      id,
      description: `"alg" is ${alg === undefined ? 'missing' : JSON.stringify(alg)}, and it is not signed`,
      reason: 'every attacker can write such a token',
      standard: 'RFC 8725 §3.2',
      token: forge.token({ header: { alg }, signedBy: noSignature }),
    })),
    {
      id: 'alg-none-signed',
      description: '"alg" is "none", with a correct signature',
      reason: 'the algorithm is on your list or the token is refused',
      standard: 'RFC 8725 §3.1',
      token: forge.token({ header: { alg: 'none' } }),
    },
  ];
}

/** The public key as an HMAC secret, and algorithms that the key does not serve. */
function confused(forge: Forge): Draft[] {
  const { current, rsa, ec } = forge;
  const pem = current.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const secrets: readonly (readonly [id: string, what: string, secret: string | Buffer])[] = [
    ['hmac-pem', 'the public key in PEM', pem],
    ['hmac-pem-leading-space', 'the public key in PEM after a line break', `\n${pem}`],
    ['hmac-der', 'the public key in DER', current.publicKey.export({ format: 'der', type: 'spki' })],
    ['hmac-jwk', 'the JSON of the public key', JSON.stringify(publicJwk(current))],
  ];
  const otherRsa = rsa.algorithm === 'PS256' ? 'RS256' : 'PS256';
  return [
    ...secrets.map(([id, what, secret]) => ({
      id,
      description: `HS256, with ${what} as the secret`,
      reason: 'that "secret" is public: a key serves one algorithm, whatever the header says',
      standard: 'RFC 8725 §3.1',
      token: forge.token({ header: { alg: 'HS256' }, signedBy: hmac(secret) }),
    })),
    {
      id: 'alg-not-of-the-key',
      description: `${otherRsa}, correctly signed by a key that is published for ${rsa.algorithm}`,
      reason: 'a key serves exactly one algorithm',
      standard: 'RFC 8725 §3.1',
      token: forge.token({ header: { alg: otherRsa, kid: rsa.kid }, signedBy: signer(rsa, otherRsa) }),
    },
    {
      id: 'alg-not-of-the-curve',
      description: 'ES384, correctly signed by a key on P-256',
      reason: 'ES384 is P-384 with SHA-384',
      standard: 'RFC 7518 §3.4',
      token: forge.token({ header: { alg: 'ES384', kid: ec.kid }, signedBy: signer(ec, 'ES384') }),
    },
    {
      id: 'alg-lower-case',
      description: `"alg" is "${current.algorithm.toLowerCase()}", correctly signed`,
      reason: 'the names of algorithms are compared with their case',
      standard: 'RFC 7515 §4.1.1',
      token: forge.token({ header: { alg: current.algorithm.toLowerCase() } }),
    },
  ];
}

function wrongType(forge: Forge): Draft[] {
  const types: readonly (readonly [id: string, typ: string | undefined, what: string])[] = [
    ['typ-jwt', 'JWT', 'an identity token, or anything'],
    ['typ-missing', undefined, 'an identity token, or anything'],
    ['typ-refresh', 'refresh+jwt', 'a refresh token'],
    ['typ-revocations', 'revocations+jwt', 'a list of revocations'],
    ['typ-logout', 'logout+jwt', 'a notification of a sign-out'],
  ];
  return types.map(([id, typ, what]) => ({
    id,
    description: `"typ" is ${typ === undefined ? 'missing' : JSON.stringify(typ)}: ${what}`,
    reason: 'one issuer signs tokens of several kinds; only an access token gives access to a service',
    standard: 'RFC 9068 §4, RFC 8725 §3.11',
    token: forge.token({ header: { typ } }),
  }));
}

function critical(forge: Forge): Draft[] {
  return [
    {
      id: 'crit-unknown',
      description: '"crit" names an unknown extension',
      reason: 'a verifier that does not support it must refuse the token (CVE-2026-35042)',
      standard: 'RFC 7515 §4.1.11',
      token: forge.token({ header: { crit: ['urn:example:limits'], 'urn:example:limits': 'one use' } }),
    },
    {
      id: 'crit-b64-false',
      description: '"b64" is false, and critical',
      reason: 'a JWT never has an unencoded payload',
      standard: 'RFC 7797 §7',
      token: forge.token({ header: { crit: ['b64'], b64: false } }),
    },
  ];
}
