import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { LOGGER } from '../logging/logger.js';
import { maskEmail } from '../users/email.js';
import { UsersService, type VerifiedUser } from '../users/users.service.js';
import { type LiveSession, SessionsService } from './sessions/sessions.service.js';
import type { IssuedCredential, Transport } from './strategies/auth.strategy.js';
import { type Authentication, Authenticator } from './strategies/authenticator.js';
import { JwtStrategy } from './strategies/jwt/jwt.strategy.js';
import type { RefreshOutcome, RefreshRefusal } from './strategies/jwt/refresh-tokens.service.js';
import type { RefreshCredential } from './strategies/jwt/refresh.strategy.js';
import { passwordCredential } from './strategies/local.strategy.js';
import { StrategyTable } from './strategies/strategy.table.js';

export interface SignedIn {
  readonly session: LiveSession;
  readonly credential: IssuedCredential;
}

export type LogoutScope = 'local' | 'others' | 'global';

/** Signing in and out, whatever the strategy. */
@Injectable()
export class AuthService {
  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly authenticator: Authenticator,
    private readonly strategies: StrategyTable,
    private readonly jwt: JwtStrategy,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Makes a session for whoever knows the password, and ends the live ones that the request carried.
   *
   * @returns null for a wrong address or password; the same, at the same cost.
   * @throws Overloaded
   */
  async signIn(
    email: string,
    password: string,
    transport: Transport,
    presented: Authentication,
    client: Client,
  ): Promise<SignedIn | null> {
    const outcome = await this.authenticator.run<VerifiedUser>('local', passwordCredential(email, password));
    const signedIn =
      'success' in outcome ? await this.startSession(outcome.success, transport, presented, client) : null;
    this.log(signedIn ? 'login' : 'login_failed', client, {
      email: maskEmail(email),
      user: signedIn?.session.userId,
      session: signedIn?.session.sessionId,
    });
    return signedIn;
  }

  /** Exchanges a refresh token; refuses all where tokens are not accepted. */
  async refresh(token: string, transport: Transport, client: Client): Promise<SignedIn | RefreshRefusal> {
    if (!this.config.AUTH_STRATEGY.includes('jwt')) return 'invalid';
    const credential: RefreshCredential = { value: token, purpose: 'exchange' };
    const outcome = await this.authenticator.run<RefreshOutcome & { status: 'redeemed' }>(
      'refresh',
      credential,
    );
    if ('failure' in outcome) {
      const { refusal, sessionId } = outcome.failure as RefreshOutcome & { status: 'refused' };
      this.log('refresh_refused', client, { reason: refusal, session: sessionId });
      return refusal;
    }
    const { session, refreshToken } = outcome.success;
    return { session, credential: await this.jwt.compose(session, refreshToken, transport) };
  }

  /**
   * Ends every session that the request proves to hold; an expired token ends its own. `others` and `global` reach
   * further and need a live credential.
   *
   * @param refreshTokenValues refresh tokens of the request, which stand for their sessions.
   * @returns false if the scope needs a live credential and there is none.
   */
  async signOut(
    presented: Authentication,
    refreshTokenValues: readonly string[],
    scope: LogoutScope,
    client: Client,
  ): Promise<boolean> {
    if (scope !== 'local') return this.signOutFurther(presented, scope, client);
    const byRefreshToken = await Promise.all(refreshTokenValues.map((value) => this.sessionOf(value)));
    const sessionIds = [...presented.verdicts.map(sessionIdOf), ...byRefreshToken].filter(
      (id) => id !== null,
    );
    const ended = await this.sessions.revoke([...new Set(sessionIds)], 'logout');
    if (ended > 0) this.log('logout', client, { user: presented.live?.userId, sessions: ended });
    return true;
  }

  private async sessionOf(refreshToken: string): Promise<string | null> {
    const credential: RefreshCredential = { value: refreshToken, purpose: 'sign_out' };
    const outcome = await this.authenticator.run<{ sessionId: string }>('refresh', credential);
    return 'success' in outcome ? outcome.success.sessionId : null;
  }

  private async signOutFurther(
    { live, hasConflict }: Authentication,
    scope: 'others' | 'global',
    client: Client,
  ): Promise<boolean> {
    if (!live || hasConflict) return false;
    const ended =
      scope === 'global'
        ? await this.sessions.revokeOfUser(live.userId, null, 'logout_global')
        : await this.sessions.revokeOfUser(live.userId, live.sessionId, 'logout_others');
    this.log(`logout_${scope}`, client, { user: live.userId, sessions: ended });
    return true;
  }

  private async startSession(
    user: VerifiedUser,
    transport: Transport,
    presented: Authentication,
    client: Client,
  ): Promise<SignedIn | null> {
    const replaced = presented.verdicts.flatMap((verdict) =>
      verdict.status === 'live' ? [verdict.session.sessionId] : [],
    );
    return this.database.transaction(async (tx) => {
      // Between the check of the password and this lock it may have been changed.
      if (!(await this.users.lockUnchanged(tx, user))) return null;
      await this.sessions.revoke(replaced, 'replaced', tx);
      const session = await this.sessions.create(tx, user.id, ['pwd'], client);
      return { session, credential: await this.strategies.issuing.issue(tx, session, transport) };
    });
  }

  private log(event: string, client: Client, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ event, request_id: client.requestId, ip: client.ip, ...fields });
  }
}

function sessionIdOf(verdict: Authentication['verdicts'][number]): string | null {
  return verdict.status === 'live' ? verdict.session.sessionId : verdict.dead.sessionId;
}
