import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../platform/database/database.js';
import type { CookieName } from '../../platform/http/cookies.js';
import type { Transport } from '../../platform/http/transport.js';
import type { AccessTokenClaims } from '../../verify/access-token.gate.js';
import type { LiveSession } from '../sessions/session-state.js';

export type { Transport };

/** The headers of a request that can carry credentials. */
export interface CredentialHeaders {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/** One presented credential. Passport receives it as the request. */
export interface PresentedCredential {
  readonly value: string;
  readonly via: 'authorization' | 'cookie';
}

/** Why a credential is not live. `sessionId` only if the credential proves that it belonged to that session. */
export interface DeadCredential {
  readonly reason: 'invalid' | 'expired' | 'revoked';
  readonly action: 'login' | 'refresh';
  readonly sessionId: string | null;
  /** The check that failed, for the log; by default the reason. */
  readonly check?: string;
}

/** An issued credential: cookies to set and fields of the body. */
export interface IssuedCredential {
  readonly cookies: readonly { readonly name: CookieName; readonly value: string }[];
  readonly body: Readonly<Record<string, string | number>>;
}

/**
 * One way for a client to prove that it holds a session. Three verbs: *extract* the credentials of a request, *read*
 * one (the Passport strategy of the same name: `success` with the LiveSession, `fail` with a value that `explain`
 * understands, `error` only if the check itself failed), and *issue* a new one. There is no verb to destroy: revoking
 * the session ends all its credentials.
 */
export interface AuthStrategy {
  readonly name: StrategyName;
  /** The credentials of this kind in a request, in order of precedence. */
  extract(headers: CredentialHeaders): PresentedCredential[];
  /**
   * Whether a value has the form of our credentials (prefix, issuer), live or not. Only such a value is a guess;
   * the application behind a proxy can receive credentials of its own.
   */
  recognizes(value: string): boolean;
  /**
   * Whether a request has no credential of this kind, but a value with the form of what renews one, live or not. Absent
   * for kinds without renewal.
   */
  canRefresh?(headers: CredentialHeaders): boolean;
  /** Translates a refusal of the Passport strategy. */
  explain(failure: unknown, credential: PresentedCredential): DeadCredential;
  /**
   * Re-checks a credential in a transaction that has locked the session row. Never issue from the cache: the first
   * check may have used it.
   */
  confirm(tx: Queries, session: LiveSession, credential: PresentedCredential): Promise<boolean>;
  /**
   * The id of the session that a credential of this kind was issued for, whatever became of it since; null for any other
   * value. For a sign-out alone: it gives no access. Absent if the verdicts of the kind always name the session.
   */
  identify?(value: string): Promise<string | null>;
  /** The claims of a credential of this kind; absent for opaque kinds. Only for a value that was verified before. */
  claims?(value: string): AccessTokenClaims | null;
  /**
   * Issues a credential, in the transaction that created the session or exchanges a credential of another kind.
   *
   * @param secret 32 secret bytes to derive it from: the same bytes must give the same credential.
   */
  issue(tx: Queries, session: LiveSession, transport: Transport, secret: Buffer): Promise<IssuedCredential>;
  /**
   * Issues a credential that replaces one that was live under the lock of the session row; the old one is invalid
   * with this transaction. Only for kinds that can be issued to a client at any time.
   *
   * @param secret 32 secret bytes to derive it from.
   */
  renew?(
    tx: Queries,
    session: LiveSession,
    credential: PresentedCredential,
    secret: Buffer,
  ): Promise<IssuedCredential>;
  /**
   * Cleans up after sessions that were exchanged for another kind, in that transaction. Their credentials of this
   * kind are already refused. Use it for rows of the strategy, and to notify other services.
   */
  revokeFor?(tx: Queries, sessionIds: readonly string[]): Promise<void>;
  /**
   * Deletes the strategy's rows of sessions that are about to be deleted, if one session can have many: at most
   * `limit` in this transaction. Rows with a foreign key to the session are deleted with it.
   *
   * @returns the number of rows; `limit` means that more may be left.
   */
  purge?(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number>;
}

/** The scheme name is case-insensitive (RFC 9110 §11.1). Linear time: the header can have 16 KiB of spaces. */
const BEARER = /^bearer(?=[ \t]|$) */i;

/** The bearer token of an Authorization header, even if malformed; null for another scheme. */
export function bearerToken(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const scheme = BEARER.exec(authorization);
  return scheme ? authorization.slice(scheme[0].length) : null;
}
