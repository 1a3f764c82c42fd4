import type { Client } from '../../platform/http/client.decorator.js';

/** A refresh token as Passport receives it: to be exchanged, or to identify its session. */
export type RefreshCredential =
  | { readonly value: string; readonly purpose: 'exchange'; readonly client: Client }
  | { readonly value: string; readonly purpose: 'identify' };

/** The session that a refresh token belongs to, and its state. */
export interface RefreshTokenOwner {
  readonly sessionId: string;
  readonly userId: string;
  /** Whether the session is live and still uses refresh tokens of this lineage. */
  readonly isLive: boolean;
  /** Whether the token was neither redeemed nor superseded. */
  readonly isHead: boolean;
}
