import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy, type StrategyOptionsWithRequest } from 'passport-jwt';
import type { AppConfig } from '../../../../config/app.config.js';
import { type AuthConfig, SIGNING_ALGORITHMS } from '../../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../../config/tokens.config.js';
import type { Queries } from '../../../database/database.js';
import { Cookies } from '../../../http/cookies.js';
import { type AccessTokenClaims, inspectAccessToken } from '../../../verify/access-token.gate.js';
import { SigningKeys } from '../../keys/signing-keys.service.js';
import { type LiveSession, SessionsService } from '../../sessions/sessions.service.js';
import {
  type AuthStrategy,
  bearerToken,
  type CredentialHeaders,
  type DeadCredential,
  type IssuedCredential,
  type PresentedCredential,
  type Transport,
} from '../auth.strategy.js';
import { unregistered } from '../unregistered.js';
import { AccessTokens } from './access-tokens.service.js';
import { RefreshTokens } from './refresh-tokens.service.js';

/** A presented token on its way through Passport, with what the gate found. */
interface Inspected extends PresentedCredential {
  claims?: AccessTokenClaims;
  key?: KeyObject;
}

const INVALID: DeadCredential = { reason: 'invalid', action: 'login', sessionId: null };

/**
 * A signed access token that names the session, with a refresh token beside it. The gate looks first (grammar,
 * header, claims, key id), passport-jwt verifies the signature and the times, and the session's row decides.
 */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) implements AuthStrategy {
  override readonly name = 'jwt';

  constructor(
    private readonly keys: SigningKeys,
    private readonly accessTokens: AccessTokens,
    private readonly refreshTokens: RefreshTokens,
    private readonly sessions: SessionsService,
    private readonly cookies: Cookies,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {
    super({
      jwtFromRequest: (request) => asInspected(request).value,
      // The key was chosen by `authenticate`, among our own and for one algorithm each.
      secretOrKeyProvider: (request, _token, done) => done(null, asInspected(request).key as never),
      algorithms: [...SIGNING_ALGORITHMS],
      issuer: app.PUBLIC_URL,
      audience: config.AUTH_AUDIENCE,
      ignoreExpiration: false,
      passReqToCallback: true,
    } satisfies StrategyOptionsWithRequest);
  }

  getPassportInstance() {
    return unregistered;
  }

  extract({ authorization, cookie }: CredentialHeaders): PresentedCredential[] {
    const bearer = bearerToken(authorization);
    return [
      ...(bearer === null ? [] : [{ value: bearer, via: 'authorization' } as const]),
      ...this.cookies.read(cookie, 'access_token').map((value) => ({ value, via: 'cookie' }) as const),
    ];
  }

  override authenticate(credential: unknown): void {
    const inspected = credential as Inspected;
    const gate = inspectAccessToken(inspected.value, {
      issuer: this.app.PUBLIC_URL,
      audience: this.config.AUTH_AUDIENCE,
    });
    if (!gate.ok) return this.fail(INVALID as never);
    this.keys.find(gate.kid).then(
      (key) => {
        if (!key || key.algorithm !== gate.algorithm) return this.fail(INVALID as never);
        inspected.claims = gate.claims;
        inspected.key = key.publicKey;
        return super.authenticate(inspected as never);
      },
      (error: unknown) => this.error(error as Error),
    );
  }

  /** Passport's verify callback, behind a good signature: does the session stand? */
  async validate(
    _credential: unknown,
    claims: AccessTokenClaims,
  ): Promise<LiveSession | [false, DeadCredential]> {
    const found = await this.sessions.findById(claims.sid);
    if (found === null) return [false, INVALID];
    const userId = found.state === 'live' ? found.session.userId : found.userId;
    if (userId !== claims.sub) return [false, INVALID];
    if (found.state === 'live') return found.session;
    return [false, { reason: found.state, action: 'login', sessionId: found.sessionId }];
  }

  explain(failure: unknown, credential: PresentedCredential): DeadCredential {
    if (isDeadCredential(failure)) return failure;
    const { claims } = credential as Inspected;
    // The library looks at the times only behind a good signature, so the session id is to be believed.
    if (failure instanceof Error && failure.name === 'TokenExpiredError' && claims) {
      return { reason: 'expired', action: 'refresh', sessionId: claims.sid };
    }
    return INVALID;
  }

  async issue(tx: Queries, session: LiveSession, transport: Transport): Promise<IssuedCredential> {
    const refreshToken = await this.refreshTokens.issue(tx, session.sessionId);
    return this.compose(session, refreshToken, transport);
  }

  /** The token fields of a reply, or the cookies instead. */
  async compose(session: LiveSession, refreshToken: string, transport: Transport): Promise<IssuedCredential> {
    const access = await this.accessTokens.issue(session);
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
}

function asInspected(request: unknown): Inspected {
  return request as Inspected;
}

function isDeadCredential(failure: unknown): failure is DeadCredential {
  return typeof failure === 'object' && failure !== null && 'reason' in failure && 'action' in failure;
}
