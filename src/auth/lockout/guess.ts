import type { Client } from '../../platform/http/client.decorator.js';

/** Authenticators that can be guessed. Each has its own counters. */
export type GuessableAuthenticator = 'password' | 'totp' | 'recovery_code' | 'passkey';

/** One guess at an authenticator. */
export interface Guess {
  readonly authenticator: GuessableAuthenticator;
  /** The canonical address, whether the account exists or not. */
  readonly email: string;
  readonly client: Client;
}
