import { attackerCertificate } from './attacker.certificate.js';
import { type Forge, hmac, type Members, publicJwk, signer } from './forge.js';
import { ATTACKER_PATHS, type Draft } from './vector.document.js';

/** Tokens signed by another key than the one that `kid` names: to be refused. */
export function keyVectors(forge: Forge): Draft[] {
  return [...wrongKey(forge), ...hostileKeyId(forge), ...keyInTheToken(forge)];
}

function wrongKey(forge: Forge): Draft[] {
  const { attacker, next } = forge;
  const byAttacker = signer(attacker);
  const standard = 'RFC 8725 §3.3';
  return [
    {
      id: 'wrong-key',
      description: 'signed by a key of an attacker under the "kid" of yours',
      reason: 'the signature is not of that key',
      standard,
      token: forge.token({ signedBy: byAttacker }),
    },
    {
      id: 'wrong-key-without-kid',
      description: 'signed by a key of an attacker, without "kid"',
      reason: 'the signature is not of a key of the set',
      standard,
      token: forge.token({ header: { kid: undefined }, signedBy: byAttacker }),
    },
    {
      id: 'kid-unknown',
      description: 'signed by a key of an attacker, which its "kid" names',
      reason: 'the key is not in the set',
      standard,
      token: forge.token({ header: { kid: attacker.kid }, signedBy: byAttacker }),
    },
    {
      id: 'kid-of-another-key',
      description: 'signed by one key of the set, while "kid" names another one',
      reason: 'only the key that "kid" names is tried',
      standard: 'RFC 7515 §4.1.4',
      token: forge.token({ header: { kid: next.kid } }),
    },
  ];
}

/** Values of `kid` that are dangerous in a file name, a query or a lookup. */
function hostileKeyId(forge: Forge): Draft[] {
  const { attacker, current } = forge;
  const byAttacker = signer(attacker);
  const standard = 'RFC 8725 §3.10';
  const reason = '"kid" is looked up in the key set and nowhere else';
  return [
    {
      id: 'kid-path',
      description: '"kid" leads to an empty file, and the token is HS256 under an empty secret',
      reason,
      standard,
      token: forge.token({
        header: { alg: 'HS256', kid: '../../../../../../../../dev/null' },
        signedBy: hmac(''),
      }),
    },
    {
      id: 'kid-sql',
      description: '"kid" makes a query answer "key", and the token is HS256 under that',
      reason,
      standard,
      token: forge.token({
        header: { alg: 'HS256', kid: "x' union select 'key' -- " },
        signedBy: hmac('key'),
      }),
    },
    {
      id: 'kid-proto',
      description: '"kid" is "__proto__", signed by a key of an attacker',
      reason: 'what every object inherits is not a key',
      standard,
      token: forge.token({ header: { kid: '__proto__' }, signedBy: byAttacker }),
    },
    {
      id: 'kid-list',
      description: '"kid" is a list with the right id, correctly signed',
      reason: '"kid" is a string',
      standard: 'RFC 7515 §4.1.4',
      token: forge.token({ header: { kid: [current.kid] } }),
    },
    {
      id: 'kid-object',
      description: '"kid" is an object, signed by a key of an attacker',
      reason: '"kid" is a string',
      standard: 'RFC 7515 §4.1.4',
      token: forge.token({ header: { kid: { $ne: null } }, signedBy: byAttacker }),
    },
    {
      id: 'kid-long',
      description: '"kid" has 2000 characters, signed by a key of an attacker',
      reason,
      standard,
      token: forge.token({ header: { kid: 'k'.repeat(2000) }, signedBy: byAttacker }),
    },
  ];
}

/** Tokens that contain their own key and are correctly signed by it. */
function keyInTheToken(forge: Forge): Draft[] {
  const { attacker, issuer, now } = forge;
  const reason = 'keys come from the issuer that you configured, never from a token';
  const token = (header: Members) => forge.token({ header, signedBy: signer(attacker) });
  const unknownKid = { kid: attacker.kid };
  const jwk = publicJwk(attacker);
  const x5c = [attackerCertificate(attacker.publicKey, now).toString('base64')];
  return [
    {
      id: 'jwk-in-header',
      description: '"jwk" in the header is the key of an attacker, "kid" is yours',
      reason: `${reason} (CVE-2018-0114)`,
      standard: 'RFC 7515 §4.1.3',
      token: token({ jwk }),
    },
    {
      id: 'jwk-in-header-own-kid',
      description: '"jwk" in the header is the key of an attacker, and "kid" names it',
      reason: `${reason} (CVE-2018-0114)`,
      standard: 'RFC 7515 §4.1.3',
      token: token({ ...unknownKid, jwk }),
    },
    {
      id: 'jku-in-header',
      description: '"jku" leads to a key set of an attacker, on the host of the issuer',
      reason,
      standard: 'RFC 8725 §3.10',
      token: token({ ...unknownKid, jku: `${issuer}${ATTACKER_PATHS.jwks}` }),
    },
    {
      id: 'x5u-in-header',
      description: '"x5u" leads to a certificate of an attacker, on the host of the issuer',
      reason,
      standard: 'RFC 8725 §3.10',
      token: token({ x5u: `${issuer}${ATTACKER_PATHS.certificate}` }),
    },
    {
      id: 'x5c-in-header',
      description: '"x5c" in the header is a certificate of an attacker',
      reason,
      standard: 'RFC 7515 §4.1.6',
      token: token({ x5c }),
    },
  ];
}
