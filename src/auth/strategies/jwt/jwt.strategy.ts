import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy, type StrategyOptionsWithRequest } from 'passport-jwt';
import type { AppConfig } from '../../../../config/app.config.js';
import { type AuthConfig, SIGNING_ALGORITHMS } from '../../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../database/database.js';
import { Cookies } from '../../../http/cookies.js';
import {
  type AccessTokenClaims,
  type GateResult,
  inspectAccessToken,
} from '../../../verify/access-token.gate.js';
import { SigningKeys } from '../../keys/signing-keys.service.js';
import type { LiveSession } from '../../sessions/session-state.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import { type Reading, VerifiedCredentials } from '../../sessions/verified-credentials.service.js';
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
import { type Redeemed, RefreshTokens } from './refresh-tokens.service.js';

/** A presented token on its way through Passport, with what the gate found. */
interface Inspected extends PresentedCredential {
  claims?: AccessTokenClaims;
  key?: KeyObject;
  /** When its verification began: a key or a session that dies from here on makes the verdict worthless. */
  reading?: Reading;
}

const INVALID: DeadCredential = { reason: 'invalid', action: 'login', sessionId: null };
const OF_UNKNOWN_KEY: DeadCredential = { ...INVALID, action: 'refresh' };

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
    private readonly verified: VerifiedCredentials,
    private readonly cookies: Cookies,
    database: Database,
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
    // Asked anew at each verification: the machine's clock may be wrong, and may be set while this runs.
    const { _verifOpts: options } = this as unknown as { _verifOpts: object };
    Object.defineProperty(options, 'clockTimestamp', {
      get: () => Math.floor(database.clock.now() / 1000),
      enumerable: true,
    });
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
    const known = this.verified.find(this.name, inspected.value);
    if (known) return this.success(known as never);
    const gate = this.inspect(inspected.value);
    if (!gate.ok) return this.fail(INVALID as never);
    inspected.reading = this.verified.begin();
    this.keys.find(gate.kid).then(
      (key) => {
        // It may have been revoked; the refresh token beside it is still good.
        if (!key) return this.fail(OF_UNKNOWN_KEY as never);
        if (key.algorithm !== gate.algorithm) return this.fail(INVALID as never);
        inspected.claims = gate.claims;
        inspected.key = key.publicKey;
        return super.authenticate(inspected as never);
      },
      (error: unknown) => this.error(error as Error),
    );
  }

  /** Passport's verify callback, behind a good signature: does the session stand? */
  async validate(
    credential: unknown,
    claims: AccessTokenClaims,
  ): Promise<LiveSession | [false, DeadCredential]> {
    const { value, reading = this.verified.begin() } = asInspected(credential);
    const found = await this.sessions.findById(claims.sid);
    if (found === null) return [false, INVALID];
    const userId = found.state === 'live' ? found.session.userId : found.userId;
    if (userId !== claims.sub) return [false, INVALID];
    if (found.state === 'live') {
      const { session } = found;
      if (isWithdrawn(claims, session)) return [false, INVALID];
      this.verified.remember(reading, this.name, value, session, new Date(claims.exp * 1000));
      return session;
    }
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

  async confirm(_tx: Queries, session: LiveSession, { value }: PresentedCredential): Promise<boolean> {
    const claims = this.claims(value);
    return claims !== null && !isWithdrawn(claims, session);
  }

  claims(value: string): AccessTokenClaims | null {
    const gate = this.inspect(value);
    return gate.ok ? gate.claims : null;
  }

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

  async withdraw(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    await this.refreshTokens.withdraw(tx, sessionIds);
    await this.sessions.endAccessTokens(tx, sessionIds);
  }

  clear(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number> {
    return this.refreshTokens.clear(tx, sessionIds, limit);
  }

  /** The token fields of a reply, or the cookies instead. */
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

  private inspect(value: string): GateResult {
    return inspectAccessToken(value, { issuer: this.app.PUBLIC_URL, audience: this.config.AUTH_AUDIENCE });
  }
}

/** Whether a token was issued before the session was exchanged for another kind. */
function isWithdrawn({ iat }: AccessTokenClaims, { tokensValidFrom }: LiveSession): boolean {
  return tokensValidFrom !== null && iat * 1000 < tokensValidFrom.getTime();
}

function asInspected(request: unknown): Inspected {
  return request as Inspected;
}

function isDeadCredential(failure: unknown): failure is DeadCredential {
  return typeof failure === 'object' && failure !== null && 'reason' in failure && 'action' in failure;
}
