import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';

/** Seconds that the verdicts of a document stay right: after that the good tokens expire. */
export const DOCUMENT_TTL = 4 * 3600;
/** Seconds that the good tokens live, and what else is signed: a little longer than that. */
export const TOKEN_TTL = DOCUMENT_TTL + 300;

const jwks = z.strictObject({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) });

const vector = z.strictObject({
  /** Names it in reports, and stays the same from version to version. */
  id: z.string(),
  /** What is special about the token. */
  description: z.string(),
  /** `may`: good verifiers differ, so it is shown but not counted. */
  expected: z.enum(['accept', 'refuse', 'may']),
  /** Why a verifier must do so. */
  reason: z.string(),
  /** Where that is written. */
  standard: z.string(),
  token: z.string(),
});

/** Tokens of a test issuer, each with the verdict that a service must reach. Nothing in it is secret. */
export const vectorDocumentSchema = z.strictObject({
  created_at: z.iso.datetime(),
  /** From then on the good tokens are expired: make the document anew. */
  good_until: z.iso.datetime(),
  issuer: z.string(),
  audience: z.string(),
  /** What the good tokens are signed with. */
  algorithm: z.enum(SIGNING_ALGORITHMS),
  /** The public keys of the test issuer (RFC 7517). */
  jwks,
  /** What the test issuer says is revoked: nothing, signed, for verifiers that read the feed. Until the good tokens expire. */
  revocations: z.string(),
  /** What the URLs lead to that an attacker writes into tokens: a key set, and a certificate in PEM. */
  attacker: z.strictObject({ jwks, certificate: z.string() }),
  vectors: z.array(vector).min(1),
});

export type VectorDocument = z.infer<typeof vectorDocumentSchema>;
export type Vector = z.infer<typeof vector>;
export type Jwks = z.infer<typeof jwks>;

/** A vector of the catalogue, before it is told which verdict its list stands for. */
export type Draft = Omit<Vector, 'expected'>;

/** Where the test issuer serves what services ask for. */
export const ISSUER_PATHS = {
  jwks: '/.well-known/jwks.json',
  metadata: '/.well-known/oauth-authorization-server',
  openIdMetadata: '/.well-known/openid-configuration',
  revocations: '/.well-known/revocations',
} as const;

/** Where the URLs lead to that stand in forged tokens. A verifier never goes there. */
export const ATTACKER_PATHS = {
  jwks: '/attacker/jwks.json',
  certificate: '/attacker/certificate.pem',
} as const;
