/** The client library: `import { createClient } from 'traffy-client'`. */
export {
  type Challenge,
  type Client,
  type ClientOptions,
  createClient,
  type Factor,
  type MfaRequired,
  type Proof,
} from './client.js';
export { type ErrorCode, type ProblemBody, TraffyError } from './client.errors.js';
export type { CredentialStorage } from './credential-store.js';
export type { Body, CallOptions, Reply, Route } from './routes.js';
export type { SignedIn, Transport } from './session.js';
export type { SignInState } from './sign-in-state.js';
export type { components, ProblemCode } from './specification.data.js';
