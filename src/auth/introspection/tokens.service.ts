import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AppConfig } from '../../../config/app.config.js';
import type { AuthConfig } from '../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import type { AccessTokenClaims } from '../../verify/access-token.gate.js';
import type { ServiceClientInfo } from '../clients/service-clients.service.js';
import { recordEnded } from '../sessions/ended-sessions.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { Authenticator, sessionIdOf } from '../strategies/authenticator.js';
import { CLIENT_ID } from '../strategies/jwt/access-tokens.service.js';
import type { RefreshTokenOwner } from '../strategies/jwt/refresh-tokens.service.js';
import type { RefreshCredential } from '../strategies/jwt/refresh.strategy.js';

/** What a good token says, in the terms of RFC 7662 §2.2. Times are seconds since 1970. */
export interface TokenFacts {
  readonly token_type: 'Bearer' | 'session';
  readonly iss: string;
  readonly aud: string | string[];
  readonly sub: string;
  readonly sid: string;
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
  readonly jti?: string;
  readonly auth_time: number;
  readonly amr: string[];
}

/** Tokens that other services were shown: what they are worth, and ending what they stand for. */
@Injectable()
export class TokensService {
  constructor(
    private readonly database: Database,
    private readonly authenticator: Authenticator,
    private readonly sessions: SessionsService,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * What an access token or the value of a session cookie says, if it opens something here now. Null for all else: a
   * refresh token, for one, must never pass as an access token at a service.
   *
   * @throws when a verdict is impossible, because the database is away.
   */
  async introspect(token: string): Promise<TokenFacts | null> {
    const inspection = await this.authenticator.inspect(token);
    if (inspection?.verdict.status !== 'live') return null;
    const { claims, verdict } = inspection;
    return claims ? factsOfToken(claims) : this.factsOfSession(verdict.session);
  }

  /**
   * Ends the session that a token belongs to: an access token, also one that ran out, a refresh token, or the value of a
   * session cookie. Whatever is unknown, or was issued to another client, is left alone.
   */
  async revoke(token: string, service: ServiceClientInfo, client: Client): Promise<void> {
    const sessionId = (await this.sessionOfCredential(token)) ?? (await this.sessionOfRefreshToken(token));
    if (sessionId === null) return;
    const reason = 'revoked_by_service';
    const ended = await this.database.transaction(async (tx) => {
      const sessions = await this.sessions.revoke([sessionId], reason, tx);
      await recordEnded(tx, sessions, { reason, client, actor: `service:${service.id}` });
      return sessions;
    });
    if (ended.length === 0) return;
    this.logger.info({
      event: 'session_revoked_by_service',
      request_id: client.requestId,
      ip: client.ip,
      service: service.name,
      session: sessionId,
    });
  }

  private async sessionOfCredential(token: string): Promise<string | null> {
    const inspection = await this.authenticator.inspect(token);
    if (!inspection) return null;
    const { claims, verdict } = inspection;
    return claims && claims.client_id !== CLIENT_ID ? null : sessionIdOf(verdict);
  }

  private async sessionOfRefreshToken(token: string): Promise<string | null> {
    const credential: RefreshCredential = { value: token, purpose: 'identify' };
    const outcome = await this.authenticator.run<RefreshTokenOwner>('refresh', credential);
    return 'success' in outcome ? outcome.success.sessionId : null;
  }

  /** What an access token of the session would say, as far as it is true of the session itself. */
  private factsOfSession(session: LiveSession): TokenFacts {
    return {
      token_type: 'session',
      iss: this.app.PUBLIC_URL,
      aud: this.config.AUTH_AUDIENCE,
      sub: session.userId,
      sid: session.sessionId,
      client_id: CLIENT_ID,
      iat: toSeconds(session.createdAt),
      exp: toSeconds(session.expiresAt),
      auth_time: toSeconds(session.authenticatedAt),
      amr: [...session.methods],
    };
  }
}

/** The claims one by one: a token says nothing here that this list does not have. */
function factsOfToken(claims: AccessTokenClaims): TokenFacts {
  const { iss, sub, sid, client_id, iat, nbf, exp, jti, auth_time } = claims;
  const aud = typeof claims.aud === 'string' ? claims.aud : [...claims.aud];
  const amr = [...claims.amr];
  return { token_type: 'Bearer', iss, aud, sub, sid, client_id, iat, nbf, exp, jti, auth_time, amr };
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
