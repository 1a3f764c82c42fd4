/** The public API of `traffy/verify` for other services. All else in these folders is internal. */
export { createVerifier, type Verifier } from './verifier.js';
export type { RevocationOptions, VerifierOptions } from './verifier.options.js';
export type { AccessTokenClaims } from './access-token.gate.js';
export type { SignatureAlgorithm } from './compact-jws.js';
export { claimsOf } from './request.adapter.js';
export {
  KeysUnavailable,
  type RefusalAction,
  type RefusalCode,
  RevocationsUnavailable,
  TokenRefused,
  Undecided,
} from './verify.errors.js';
