import { attackerCertificate, toPem } from './attacker.certificate.js';
import { claimsVectors } from './claims.vectors.js';
import { encodingVectors } from './encoding.vectors.js';
import { REVOCATIONS_TYPE, type RevocationsPayload } from '../verify/revocations.gate.js';
import { encode, type Forge, publicJwk } from './forge.js';
import { debatableVectors, goodVectors } from './good.vectors.js';
import { headerVectors } from './header.vectors.js';
import { keyVectors } from './key.vectors.js';
import { DOCUMENT_TTL, TOKEN_TTL, type Draft, type Vector, type VectorDocument } from './vector.document.js';

/**
 * Creates all tokens of the catalogue. The private keys exist only in the forge.
 *
 * @returns a document that is valid for {@link DOCUMENT_TTL} seconds.
 */
export async function makeDocument(forge: Forge): Promise<VectorDocument> {
  const { issuer, audience, algorithm } = forge;
  const { now, current, next, other, attacker } = forge;
  const refused = [
    ...headerVectors(forge),
    ...keyVectors(forge),
    ...claimsVectors(forge),
    ...(await encodingVectors(forge)),
  ];
  return {
    created_at: isoTime(now),
    good_until: isoTime(now + DOCUMENT_TTL),
    issuer,
    audience,
    algorithm,
    // The current key is last: a verifier that uses the first key without checking fails immediately.
    jwks: { keys: [other, next, current].map(publicJwk) },
    revocations: emptyFeed(forge),
    attacker: {
      jwks: { keys: [publicJwk(attacker)] },
      certificate: toPem(attackerCertificate(attacker.publicKey, now)),
    },
    vectors: [
      ...goodVectors(forge).map(expecting('accept')),
      ...refused.map(expecting('refuse')),
      ...debatableVectors(forge).map(expecting('may')),
    ],
  };
}

function expecting(expected: Vector['expected']): (draft: Draft) => Vector {
  return ({ id, description, reason, standard, token }) => ({
    id,
    description,
    expected,
    reason,
    standard,
    token,
  });
}

/** Signed once, because the key does not exist any more when the document is served. */
function emptyFeed(forge: Forge): string {
  const payload: RevocationsPayload = {
    iss: forge.issuer,
    iat: forge.now,
    exp: forge.now + TOKEN_TTL,
    since: null,
    cursor: 'nothing',
    entries: [],
  };
  return forge.seal(encode(forge.header({ typ: REVOCATIONS_TYPE })), encode(payload));
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
