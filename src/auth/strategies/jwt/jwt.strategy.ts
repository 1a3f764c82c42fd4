import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { decodeJwt } from 'jose';
import { Strategy, type StrategyOptionsWithRequest } from 'passport-jwt';
import type { AppConfig } from '../../../../config/app.config.js';
import { type AuthConfig, SIGNING_ALGORITHMS } from '../../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { Cookies } from '../../../platform/http/cookies.js';
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
} from '../../credentials/auth.strategy.js';
import { hasTokenPrefix, isToken } from '../../credentials/opaque-token.js';
import { unregistered } from '../../credentials/unregistered.js';
import { PREFIX as REFRESH_PREFIX } from './refresh-lineage.service.js';
import { TokenPair } from './token-pair.service.js';

/** A presented token as Passport receives it, with the findings of the gate. */
interface Inspected extends PresentedCredential {
  claims?: AccessTokenClaims;
  key?: KeyObject;
  /** The start of its verification: a later revocation of its key or session invalidates the verdict. */
  reading?: Reading;
}

const INVALID: DeadCredential = { reason: 'invalid', action: 'login', sessionId: null };
const OF_UNKNOWN_KEY: DeadCredential = { ...INVALID, action: 'refresh', check: 'unknown_key' };

/**
 * A signed access token that names the session, issued with a refresh token. The gate checks first (grammar, header,
 * claims, key id), passport-jwt verifies signature and times, and the session row decides.
 */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) implements AuthStrategy {
  override readonly name = 'jwt';

  constructor(
    private readonly keys: SigningKeys,
    private readonly tokens: TokenPair,
    private readonly sessions: SessionsService,
    private readonly verified: VerifiedCredentials,
    private readonly cookies: Cookies,
    database: Database,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {
    super({
      jwtFromRequest: (request) => asInspected(request).value,
      // `authenticate` chose the key among our own, each for one algorithm.
      secretOrKeyProvider: (request, _token, done) => done(null, asInspected(request).key as never),
      algorithms: [...SIGNING_ALGORITHMS],
      issuer: app.PUBLIC_URL,
      audience: config.AUTH_AUDIENCE,
      ignoreExpiration: false,
      passReqToCallback: true,
    } satisfies StrategyOptionsWithRequest);
    // Read again at each verification: the machine's clock can be set while this runs.
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

  recognizes(value: string): boolean {
    return hasTokenPrefix(value) || issuerOf(value) === this.app.PUBLIC_URL;
  }

  canRefresh({ cookie }: CredentialHeaders): boolean {
    return this.cookies.read(cookie, 'refresh_token').some((value) => isToken(REFRESH_PREFIX, value));
  }

  override authenticate(credential: unknown): void {
    const inspected = credential as Inspected;
    const known = this.verified.find(this.name, inspected.value);
    if (known) return this.success(known as never);
    const gate = this.inspect(inspected.value);
    if (!gate.ok) return this.fail(invalid(gate.refusal) as never);
    inspected.reading = this.verified.begin();
    this.keys.find(gate.kid).then(
      (key) => {
        // The key may be revoked; the refresh token is still valid.
        if (!key) return this.fail(OF_UNKNOWN_KEY as never);
        if (key.algorithm !== gate.algorithm) return this.fail(invalid('wrong_algorithm') as never);
        inspected.claims = gate.claims;
        inspected.key = key.publicKey;
        return super.authenticate(inspected as never);
      },
      (error: unknown) => this.error(error as Error),
    );
  }

  /** Passport's verify callback, after a valid signature: is the session live? */
  async validate(
    credential: unknown,
    claims: AccessTokenClaims,
  ): Promise<LiveSession | [false, DeadCredential]> {
    const { value, reading = this.verified.begin() } = asInspected(credential);
    const found = await this.sessions.findById(claims.sid);
    if (found === null) return [false, invalid('unknown_session')];
    const userId = found.state === 'live' ? found.session.userId : found.userId;
    if (userId !== claims.sub) return [false, invalid('wrong_subject')];
    if (found.state === 'live') {
      const { session } = found;
      if (isRevoked(claims, session))
        return [false, { ...invalid('exchanged'), sessionId: session.sessionId }];
      this.verified.remember(reading, this.name, value, session, new Date(claims.exp * 1000));
      return session;
    }
    return [false, { reason: found.state, action: 'login', sessionId: found.sessionId }];
  }

  explain(failure: unknown, credential: PresentedCredential): DeadCredential {
    if (isDeadCredential(failure)) return failure;
    const { claims } = credential as Inspected;
    // The library checks the times only after a valid signature, so the session id is authentic.
    if (failure instanceof Error && failure.name === 'TokenExpiredError' && claims) {
      return { reason: 'expired', action: 'refresh', sessionId: claims.sid };
    }
    return invalid(checkOf(failure));
  }

  async confirm(_tx: Queries, session: LiveSession, { value }: PresentedCredential): Promise<boolean> {
    const claims = this.claims(value);
    return claims !== null && !isRevoked(claims, session);
  }

  identify(value: string): Promise<string | null> {
    return this.tokens.sessionOf(value);
  }

  claims(value: string): AccessTokenClaims | null {
    const gate = this.inspect(value);
    return gate.ok ? gate.claims : null;
  }

  issue(tx: Queries, session: LiveSession, transport: Transport, secret: Buffer): Promise<IssuedCredential> {
    return this.tokens.issue(tx, session, transport, secret);
  }

  revokeFor(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    return this.tokens.revokeFor(tx, sessionIds);
  }

  purge(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number> {
    return this.tokens.purge(tx, sessionIds, limit);
  }

  private inspect(value: string): GateResult {
    return inspectAccessToken(value, { issuer: this.app.PUBLIC_URL, audience: this.config.AUTH_AUDIENCE });
  }
}

/** Whether a token was issued before the session was exchanged for another kind. */
function isRevoked({ iat }: AccessTokenClaims, { tokensValidFrom }: LiveSession): boolean {
  return tokensValidFrom !== null && iat * 1000 < tokensValidFrom.getTime();
}

function invalid(check: string): DeadCredential {
  return { ...INVALID, check };
}

/** The check of passport-jwt that failed, after those of the gate. */
function checkOf(failure: unknown): string {
  if (!(failure instanceof Error)) return 'not_verified';
  if (failure.name === 'NotBeforeError') return 'not_yet_valid';
  return failure.message === 'invalid signature' ? 'bad_signature' : 'not_verified';
}

/** The unverified issuer of a JWT; null for all else. */
function issuerOf(value: string): string | null {
  try {
    return decodeJwt(value).iss ?? null;
  } catch {
    return null;
  }
}

function asInspected(request: unknown): Inspected {
  return request as Inspected;
}

function isDeadCredential(failure: unknown): failure is DeadCredential {
  return typeof failure === 'object' && failure !== null && 'reason' in failure && 'action' in failure;
}
