import { Injectable } from '@nestjs/common';
import type { LiveSession } from './sessions/session-state.js';
import type { IssuedCredential } from './strategies/auth.strategy.js';
import { type Authentication, Authenticator, sessionIdOf } from './strategies/authenticator.js';
import type { RefreshTokenOwner } from './strategies/jwt/refresh-tokens.service.js';
import type { RefreshCredential } from './strategies/jwt/refresh.strategy.js';

/** A session, and the credential that its client gets. */
export interface SignedIn {
  readonly session: LiveSession;
  readonly credential: IssuedCredential;
}

/** All credentials that a request brought along. */
export interface Brought {
  readonly authentication: Authentication;
  /** Its refresh tokens, as yet unread. */
  readonly refreshTokens: readonly string[];
}

/** Which sessions a request proves to hold. */
@Injectable()
export class PresentedSessions {
  constructor(private readonly authenticator: Authenticator) {}

  /** The ids of all of them, live or not, accepted here or not. */
  async idsOf({ authentication, refreshTokens }: Brought): Promise<string[]> {
    const owners = await Promise.all(refreshTokens.map((value) => this.ownerOf(value)));
    const ids = [
      ...authentication.verdicts.map(sessionIdOf),
      ...owners.map((owner) => owner?.sessionId ?? null),
    ];
    return [...new Set(ids.filter((id) => id !== null))];
  }

  /** Whose refresh token this is; null for nobody's. It is not used up. */
  async ownerOf(refreshToken: string): Promise<RefreshTokenOwner | null> {
    const credential: RefreshCredential = { value: refreshToken, purpose: 'identify' };
    const outcome = await this.authenticator.run<RefreshTokenOwner>('refresh', credential);
    return 'success' in outcome ? outcome.success : null;
  }
}
