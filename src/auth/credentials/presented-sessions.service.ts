import { Injectable } from '@nestjs/common';
import type { LiveSession } from '../sessions/session-state.js';
import type { IssuedCredential } from './auth.strategy.js';
import { type Authentication, Authenticator, sessionIdOf } from './authenticator.js';
import type { RefreshCredential, RefreshTokenOwner } from './refresh-credential.js';

/** A session and the credential that its client gets. */
export interface SignedIn {
  readonly session: LiveSession;
  readonly credential: IssuedCredential;
}

/** All credentials that a request presented. */
export interface PresentedCredentials {
  readonly authentication: Authentication;
  /** The refresh tokens, not verified yet. */
  readonly refreshTokens: readonly string[];
}

/** What the values of a request name. */
export interface Identified {
  /** Live or not, accepted here or not, each once. */
  readonly sessionIds: readonly string[];
  /** Whether a value of our form names no session. */
  readonly hasUnknown: boolean;
}

/** The sessions that a request provably holds. */
@Injectable()
export class PresentedSessions {
  constructor(private readonly authenticator: Authenticator) {}

  /** The ids of all of them, live or not, accepted here or not. */
  async idsOf({ authentication, refreshTokens }: PresentedCredentials): Promise<string[]> {
    const owners = await Promise.all(refreshTokens.map((value) => this.ownerOf(value)));
    const ids = [
      ...authentication.verdicts.map(sessionIdOf),
      ...owners.map((owner) => owner?.sessionId ?? null),
    ];
    return [...new Set(ids.filter((id) => id !== null))];
  }

  /** What values name, each of any kind: a client can send one in the wrong place, or one that was replaced. */
  async identify(values: readonly string[]): Promise<Identified> {
    const sessionIds = new Set<string>();
    let hasUnknown = false;
    for (const value of new Set(values)) {
      const sessionId =
        (await this.authenticator.identify(value)) ?? (await this.ownerOf(value))?.sessionId ?? null;
      if (sessionId !== null) sessionIds.add(sessionId);
      else hasUnknown ||= this.authenticator.recognizes(value);
    }
    return { sessionIds: [...sessionIds], hasUnknown };
  }

  /** The owner of a refresh token; null for an unknown token. Does not consume it. */
  async ownerOf(refreshToken: string): Promise<RefreshTokenOwner | null> {
    const credential: RefreshCredential = { value: refreshToken, purpose: 'identify' };
    const outcome = await this.authenticator.run<RefreshTokenOwner>('refresh', credential);
    return 'success' in outcome ? outcome.success : null;
  }
}
