import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { compactVerify } from 'jose';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../../../config/app.config.js';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../../config/tokens.config.js';
import { type AccessTokenClaims, inspectAccessToken } from '../../../verify/access-token.gate.js';
import { NamingKeys } from '../../keys/naming-keys.service.js';
import { SigningKeys } from '../../keys/signing-keys.service.js';
import type { LiveSession } from '../../sessions/session-state.js';

/** The `client_id` of every access token. */
export const CLIENT_ID = 'traffy';
/** Seconds that a verifier's clock may be behind, before it sees a token "from the future". */
const NOT_BEFORE_MARGIN = 5;

export interface AccessToken {
  readonly token: string;
  /** Seconds until it expires. */
  readonly expiresIn: number;
}

/** Signs access tokens (RFC 9068): short-lived, naming the session, without personal data. Reads names of old ones. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly jwt: JwtService,
    private readonly keys: SigningKeys,
    private readonly naming: NamingKeys,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Issues a token that expires no later than its session.
   *
   * @param issuedAt the start of the issuing transaction, by the database's clock.
   */
  async issue(session: LiveSession, issuedAt: Date): Promise<AccessToken> {
    const { kid, algorithm, privateKey } = this.keys.current();
    // If earlier tokens of the session were revoked within this second, this one starts after it.
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

  /**
   * The id of the session that a token was issued for, whatever became of both, also if rotation has retired its key;
   * null for a token that was not signed here, or by a revoked key. It gives no access.
   */
  async sessionOf(token: string): Promise<string | null> {
    const gate = inspectAccessToken(token, { issuer: this.app.PUBLIC_URL, audience: null });
    if (!gate.ok) return null;
    const key = await this.naming.find(gate.kid);
    if (key?.algorithm !== gate.algorithm) return null;
    // The signature alone: a token names its session also after it has expired.
    return compactVerify(token, key.publicKey, { algorithms: [key.algorithm] }).then(
      () => gate.claims.sid,
      () => null,
    );
  }
}
