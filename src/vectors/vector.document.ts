import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';

/** Seconds for which the verdicts of a document are correct: after that the valid tokens expire. */
export const DOCUMENT_TTL = 4 * 3600;
/** The lifetime of the valid tokens and of other signed documents in seconds: a little longer than that. */
export const TOKEN_TTL = DOCUMENT_TTL + 300;

const jwks = z.strictObject({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) });

const vector = z.strictObject({
  /** Identifies it in reports; the same in all versions. */
  id: z.string(),
  /** The deviation of the token. */
  description: z.string(),
  /** `may`: correct verifiers differ, so it is shown but not counted. */
  expected: z.enum(['accept', 'refuse', 'may']),
  /** The reason for the verdict. */
  reason: z.string(),
  /** The standard that requires it. */
  standard: z.string(),
  token: z.string(),
});

/** Tokens of a test issuer, each with the expected verdict of a service. Contains no secrets. */
export const vectorDocumentSchema = z.strictObject({
  created_at: z.iso.datetime(),
  /** When the valid tokens expire: create the document again after that. */
  good_until: z.iso.datetime(),
  issuer: z.string(),
  audience: z.string(),
  /** The signing algorithm of the valid tokens. */
  algorithm: z.enum(SIGNING_ALGORITHMS),
  /** The public keys of the test issuer (RFC 7517). */
  jwks,
  /**
   * The signed, empty revocation feed of the test issuer, for verifiers that read it. Valid until the tokens expire.
   */
  revocations: z.string(),
  /** The targets of the URLs that an attacker writes into tokens: a key set, and a certificate in PEM. */
  attacker: z.strictObject({ jwks, certificate: z.string() }),
  vectors: z.array(vector).min(1),
});

export type VectorDocument = z.infer<typeof vectorDocumentSchema>;
export type Vector = z.infer<typeof vector>;
export type Jwks = z.infer<typeof jwks>;

/** A vector of the catalogue, without the verdict of its list. */
export type Draft = Omit<Vector, 'expected'>;

/** The paths of the test issuer that services fetch. */
export const ISSUER_PATHS = {
  jwks: '/.well-known/jwks.json',
  metadata: '/.well-known/oauth-authorization-server',
  openIdMetadata: '/.well-known/openid-configuration',
  revocations: '/.well-known/revocations',
} as const;

/** The targets of the URLs in forged tokens. A verifier must never fetch them. */
export const ATTACKER_PATHS = {
  jwks: '/attacker/jwks.json',
  certificate: '/attacker/certificate.pem',
} as const;
