import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../database/database.js';
import type { CookieName } from '../../http/cookies.js';
import type { LiveSession } from '../sessions/sessions.service.js';

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
  /** Makes a credential for a session, in the transaction that made the session. */
  issue(tx: Queries, session: LiveSession, transport: Transport): Promise<IssuedCredential>;
}

/** The scheme name is case-insensitive (RFC 9110 §11.1). One pass: the header may have 16 KiB of spaces. */
const BEARER = /^bearer(?=[ \t]|$) */i;

/** The bearer token of an Authorization header, however malformed; null if the header is of another scheme. */
export function bearerToken(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const scheme = BEARER.exec(authorization);
  return scheme ? authorization.slice(scheme[0].length) : null;
}
