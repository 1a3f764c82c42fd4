import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { LOGGER } from '../platform/logging/logger.js';
import type { AccessTokenClaims } from '../verify/access-token.gate.js';
import type { ServiceClientInfo } from './service-clients.service.js';
import { Containment } from '../auth/containment/containment.service.js';
import { recordEnded } from '../auth/sessions/ended-sessions.js';
import type { LiveSession } from '../auth/sessions/session-state.js';
import { Authenticator, sessionIdOf } from '../auth/credentials/authenticator.js';
import { CLIENT_ID } from '../auth/strategies/jwt/access-tokens.service.js';
import type { RefreshCredential, RefreshTokenOwner } from '../auth/credentials/refresh-credential.js';

/** The contents of an active token, as in RFC 7662 §2.2. Times are seconds since 1970. */
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

/** Introspects and revokes tokens that other services received. */
@Injectable()
export class TokensService {
  constructor(
    private readonly database: Database,
    private readonly authenticator: Authenticator,
    private readonly containment: Containment,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * The contents of an access token or a session cookie value that is live here. Null for all else: a refresh token
   * must never pass as an access token at a service.
   *
   * @throws if no verdict is possible because the database is unavailable.
   */
  async introspect(token: string): Promise<TokenFacts | null> {
    const inspection = await this.authenticator.inspect(token);
    if (inspection?.verdict.status !== 'live') return null;
    const { claims, verdict } = inspection;
    return claims ? factsOfToken(claims) : this.factsOfSession(verdict.session);
  }

  /**
   * Ends the session of a token: an access token, even expired, a refresh token, or the value of a session cookie.
   * Unknown tokens, and those of another client, are left alone.
   */
  async revoke(token: string, service: ServiceClientInfo, client: Client): Promise<void> {
    const sessionId = (await this.sessionOfCredential(token)) ?? (await this.sessionOfRefreshToken(token));
    if (sessionId === null) return;
    const reason = 'revoked_by_service';
    const ended = await this.database.transaction(async (tx) => {
      const subject = { sessionIds: [sessionId], reason } as const;
      const sessions = await this.containment.contain(tx, 'one_session_ended', subject);
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

  /** The contents of an access token of the session, as far as they apply to the session itself. */
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

/** Lists the claims explicitly: a token cannot add others to the answer. */
function factsOfToken(claims: AccessTokenClaims): TokenFacts {
  const { iss, sub, sid, client_id, iat, nbf, exp, jti, auth_time } = claims;
  const aud = typeof claims.aud === 'string' ? claims.aud : [...claims.aud];
  const amr = [...claims.amr];
  return { token_type: 'Bearer', iss, aud, sub, sid, client_id, iat, nbf, exp, jti, auth_time, amr };
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
