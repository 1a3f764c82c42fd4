import type { Client } from '../../http/client.decorator.js';

/** What can be guessed. Each has counters of its own. */
export type GuessableAuthenticator = 'password' | 'totp' | 'recovery_code' | 'passkey';

/** One guess at an authenticator. */
export interface Guess {
  readonly authenticator: GuessableAuthenticator;
  /** Who is meant: the canonical address, whether there is such an account or not. */
  readonly email: string;
  readonly client: Client;
}
