import { Injectable } from '@nestjs/common';
import type { Queries } from '../../../platform/database/database.js';
import type { IssuedCredential, Transport } from '../../credentials/auth.strategy.js';
import type { LiveSession } from '../../sessions/session-state.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import { AccessTokens } from './access-tokens.service.js';
import { type Redeemed, RefreshTokens } from './refresh-tokens.service.js';

/** An access token and its refresh token: the credential of a client. */
@Injectable()
export class TokenPair {
  constructor(
    private readonly accessTokens: AccessTokens,
    private readonly refreshTokens: RefreshTokens,
    private readonly sessions: SessionsService,
  ) {}

  /**
   * Issues the first pair of a session, in the transaction that created or exchanged it.
   *
   * @param secret 32 random bytes; the same bytes give the same refresh token.
   */
  async issue(
    tx: Queries,
    session: LiveSession,
    transport: Transport,
    secret: Buffer,
  ): Promise<IssuedCredential> {
    const refreshToken = await this.refreshTokens.issue(tx, session.sessionId, secret);
    const issuedAt = await this.sessions.noteAccessToken(tx, session.sessionId);
    return this.compose({ session, refreshToken, issuedAt }, transport);
  }

  /** Signs the access token, and returns both tokens as fields of the body or as cookies. */
  async compose(
    { session, refreshToken, issuedAt }: Redeemed,
    transport: Transport,
  ): Promise<IssuedCredential> {
    const access = await this.accessTokens.issue(session, issuedAt);
    if (transport === 'cookie') {
      const cookies = [
        { name: 'access_token', value: access.token },
        { name: 'refresh_token', value: refreshToken },
      ] as const;
      return { cookies, body: {} };
    }
    return {
      cookies: [],
      body: {
        access_token: access.token,
        token_type: 'Bearer',
        expires_in: access.expiresIn,
        refresh_token: refreshToken,
      },
    };
  }

  /** The id of the session that an access token was issued for, live or not; null if it names none. */
  sessionOf(accessToken: string): Promise<string | null> {
    return this.accessTokens.sessionOf(accessToken);
  }

  /** Ends the pairs of sessions that go on with a credential of another kind. */
  async revokeFor(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    await this.refreshTokens.revokeFor(tx, sessionIds);
    await this.sessions.endAccessTokens(tx, sessionIds);
  }

  /**
   * Deletes refresh tokens of sessions that are about to be deleted, `limit` at most.
   *
   * @returns how many; `limit` means that there may be more.
   */
  purge(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number> {
    return this.refreshTokens.purge(tx, sessionIds, limit);
  }
}
