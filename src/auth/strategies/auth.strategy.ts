import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../database/database.js';
import type { CookieName } from '../../http/cookies.js';
import type { AccessTokenClaims } from '../../verify/access-token.gate.js';
import type { LiveSession } from '../sessions/session-state.js';

/** How token fields travel: in the body for `Authorization`, or in cookies that scripts cannot read. */
export type Transport = 'bearer' | 'cookie';

/** The parts of a request that credentials travel in. */
export interface CredentialHeaders {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/** One credential that a request carries. This is what Passport sees as the request. */
export interface PresentedCredential {
  readonly value: string;
  readonly via: 'authorization' | 'cookie';
}

/** Why a credential opens nothing. `sessionId` only where the credential proves that it belonged to that session. */
export interface DeadCredential {
  readonly reason: 'invalid' | 'expired' | 'revoked';
  readonly action: 'login' | 'refresh';
  readonly sessionId: string | null;
}

/** A credential as it goes out: cookies to set, and fields of the body. */
export interface IssuedCredential {
  readonly cookies: readonly { readonly name: CookieName; readonly value: string }[];
  readonly body: Readonly<Record<string, string | number>>;
}

/**
 * A way for a client to prove that it holds a session. Three verbs: *extract* what a request carries, *read* it
 * (which is the Passport strategy registered under the same name: `success` with the LiveSession, `fail` with what
 * `explain` understands, `error` only when the check itself broke), and *issue* a new one. Destroying is not here:
 * revoking the session ends every credential of it.
 */
export interface AuthStrategy {
  readonly name: StrategyName;
  /** The credentials of this kind in a request, the one that counts first. */
  extract(headers: CredentialHeaders): PresentedCredential[];
  /** What a refusal of the Passport strategy means. */
  explain(failure: unknown, credential: PresentedCredential): DeadCredential;
  /**
   * Whether a credential that was good a moment ago still is, in a transaction that holds the lock of its session's row:
   * what was verified may be remembered, and whatever issues must not go by that.
   */
  confirm(tx: Queries, session: LiveSession, credential: PresentedCredential): Promise<boolean>;
  /** What a credential of this kind says of itself, where it is not opaque. Only for a value that was read before. */
  claims?(value: string): AccessTokenClaims | null;
  /**
   * Makes a credential for a session, in the transaction that made the session, or that exchanges a credential of
   * another kind for this one.
   *
   * @param secret 32 bytes that nobody knows, to make it of: the same ones must give the same credential again.
   */
  issue(tx: Queries, session: LiveSession, transport: Transport, secret: Buffer): Promise<IssuedCredential>;
  /**
   * Makes a credential that takes the place of one which was good behind the lock of its session's row; with the
   * transaction that one is dead. Only for a kind whose credentials a client can be handed anew at any time.
   *
   * @param secret 32 bytes that nobody knows, to make it of.
   */
  renew?(
    tx: Queries,
    session: LiveSession,
    credential: PresentedCredential,
    secret: Buffer,
  ): Promise<IssuedCredential>;
  /**
   * Tidies up after sessions that were exchanged for another kind, in that transaction. Their credentials of this
   * kind count as dead already; so this is only for what the strategy keeps elsewhere, or others have to be told.
   */
  withdraw?(tx: Queries, sessionIds: readonly string[]): Promise<void>;
  /**
   * Deletes what the strategy keeps of sessions that are about to be deleted, where that can be many rows for one of
   * them: no more than `limit` in this transaction. Rows that name the session by a foreign key go with it anyway.
   *
   * @returns how many; `limit` means that there may be more.
   */
  clear?(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number>;
}

/** The scheme name is case-insensitive (RFC 9110 §11.1). One pass: the header may have 16 KiB of spaces. */
const BEARER = /^bearer(?=[ \t]|$) */i;

/** The bearer token of an Authorization header, however malformed; null if the header is of another scheme. */
export function bearerToken(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const scheme = BEARER.exec(authorization);
  return scheme ? authorization.slice(scheme[0].length) : null;
}
