import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../../../config/app.config.js';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../../config/tokens.config.js';
import type { AccessTokenClaims } from '../../../verify/access-token.gate.js';
import { SigningKeys } from '../../keys/signing-keys.service.js';
import type { LiveSession } from '../../sessions/session-state.js';

/** Whom our access tokens are issued to: the `client_id` of every one. */
export const CLIENT_ID = 'traffy';
/** Seconds that a verifier's clock may be behind ours without seeing a token "from the future". */
const NOT_BEFORE_MARGIN = 5;

export interface AccessToken {
  readonly token: string;
  /** Seconds until it expires. */
  readonly expiresIn: number;
}

/** Signs access tokens (RFC 9068): short-lived, naming the session, without personal data. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly jwt: JwtService,
    private readonly keys: SigningKeys,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * A token for a session; it never outlives it.
   *
   * @param issuedAt when the transaction that issues it began, by the database's clock.
   */
  async issue(session: LiveSession, issuedAt: Date): Promise<AccessToken> {
    const { kid, algorithm, privateKey } = this.keys.current();
    // Where earlier tokens of the session were declared dead within this second, this one is a moment ahead.
    const validFrom = Math.ceil((session.tokensValidFrom?.getTime() ?? 0) / 1000);
    const iat = Math.max(Math.floor(issuedAt.getTime() / 1000), validFrom);
    const exp = Math.min(iat + this.config.ACCESS_TOKEN_TTL, Math.floor(session.expiresAt.getTime() / 1000));
    const claims: AccessTokenClaims = {
      iss: this.app.PUBLIC_URL,
      aud: this.config.AUTH_AUDIENCE,
      sub: session.userId,
      sid: session.sessionId,
      jti: uuidv7(),
      client_id: CLIENT_ID,
      iat,
      nbf: iat - NOT_BEFORE_MARGIN,
      exp,
      auth_time: Math.floor(session.authenticatedAt.getTime() / 1000),
      amr: session.methods,
    };
    const token = await this.jwt.signAsync(
      { ...claims },
      { privateKey, algorithm, header: { alg: algorithm, kid, typ: 'at+jwt' } },
    );
    return { token, expiresIn: exp - iat };
  }
}
