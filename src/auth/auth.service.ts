import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { LOGGER } from '../logging/logger.js';
import { maskEmail } from '../users/email.js';
import { UsersService, type VerifiedUser } from '../users/users.service.js';
import type { LiveSession } from './sessions/session-state.js';
import { SessionsService } from './sessions/sessions.service.js';
import type { IssuedCredential, Transport } from './strategies/auth.strategy.js';
import { type Authentication, Authenticator, liveSessions, sessionIdOf } from './strategies/authenticator.js';
import { JwtStrategy } from './strategies/jwt/jwt.strategy.js';
import type {
  RefreshOutcome,
  RefreshRefusal,
  RefreshTokenOwner,
} from './strategies/jwt/refresh-tokens.service.js';
import type { RefreshCredential } from './strategies/jwt/refresh.strategy.js';
import { passwordCredential } from './strategies/local.strategy.js';
import { createSecret } from './strategies/opaque-token.js';
import { StrategyTable } from './strategies/strategy.table.js';

export interface SignedIn {
  readonly session: LiveSession;
  readonly credential: IssuedCredential;
}

export interface SignIn {
  readonly email: string;
  readonly password: string;
  readonly transport: Transport;
}

/** All credentials that a request brought along. */
export interface Brought {
  readonly authentication: Authentication;
  /** Its refresh tokens, as yet unread. */
  readonly refreshTokens: readonly string[];
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
   * Makes a session for whoever knows the password, and ends those that the request brought along.
   *
   * @returns null for a wrong address or password; the same, at the same cost.
   * @throws Overloaded
   */
  async signIn(
    { email, password, transport }: SignIn,
    brought: Brought,
    client: Client,
  ): Promise<SignedIn | null> {
    const outcome = await this.authenticator.run<VerifiedUser>('local', passwordCredential(email, password));
    const signedIn =
      'success' in outcome ? await this.startSession(outcome.success, transport, brought, client) : null;
    this.log(signedIn ? 'login' : 'login_failed', client, {
      email: maskEmail(email),
      user: signedIn?.session.userId,
      session: signedIn?.session.sessionId,
    });
    return signedIn;
  }

  /**
   * Exchanges the refresh token of a request; refuses all where tokens are not accepted. Of several, the one that is
   * good counts: presenting an older one could end its session.
   *
   * @returns `conflict` when live credentials of different people came together.
   */
  async refresh(
    { authentication, refreshTokens }: Brought,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | RefreshRefusal | 'conflict'> {
    if (!this.config.AUTH_STRATEGY.includes('jwt')) return 'invalid';
    const [first] = refreshTokens;
    // Nothing to choose and nobody to compare with, as when an access token has run out: no need to look first.
    if (first !== undefined && refreshTokens.length === 1 && !authentication.live) {
      return this.exchange(first, transport, client);
    }
    const identified = await Promise.all(
      refreshTokens.map(async (value) => ({ value, owner: await this.ownerOf(value) })),
    );
    const live = identified.filter(({ owner }) => owner?.isLive);
    const people = new Set(live.map(({ owner }) => owner?.userId));
    if (authentication.live && live.length > 0) people.add(authentication.live.userId);
    if (people.size > 1 || authentication.hasConflict) return 'conflict';
    const chosen = live.find(({ owner }) => owner?.isHead) ?? live[0] ?? identified[0];
    return chosen ? this.exchange(chosen.value, transport, client) : 'invalid';
  }

  /**
   * Ends every session that the request proves to hold; an expired token ends its own. With `global` also all the
   * others of the same people; with `others` only those others, and the one that counts goes on.
   */
  async signOut(brought: Brought, scope: LogoutScope, client: Client): Promise<void> {
    const { authentication } = brought;
    let ended = 0;
    if (scope !== 'local') {
      for (const { userId, sessionId } of onePerPerson(authentication)) {
        const exceptId = scope === 'others' ? sessionId : null;
        ended += await this.sessions.revokeOfUser(userId, exceptId, `logout_${scope}`);
      }
    }
    if (scope !== 'others') {
      ended += await this.sessions.revoke(await this.sessionsOf(brought), 'logout');
    }
    if (ended > 0) this.log('logout', client, { scope, user: authentication.live?.userId, sessions: ended });
  }

  private async exchange(
    token: string,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | RefreshRefusal> {
    const credential: RefreshCredential = { value: token, purpose: 'exchange' };
    const outcome = await this.authenticator.run<RefreshOutcome & { status: 'redeemed' }>(
      'refresh',
      credential,
    );
    if ('failure' in outcome) {
      const { refusal, sessionId, reuse } = outcome.failure as RefreshOutcome & { status: 'refused' };
      this.log('refresh_refused', client, {
        reason: refusal,
        session: sessionId,
        ...(reuse && { cause: reuse }),
      });
      return refusal;
    }
    const { session, repeat } = outcome.success;
    if (repeat) this.log('refresh_repeated', client, { cause: repeat, session: session.sessionId });
    return { session, credential: await this.jwt.compose(outcome.success, transport) };
  }

  private async ownerOf(refreshToken: string): Promise<RefreshTokenOwner | null> {
    const credential: RefreshCredential = { value: refreshToken, purpose: 'identify' };
    const outcome = await this.authenticator.run<RefreshTokenOwner>('refresh', credential);
    return 'success' in outcome ? outcome.success : null;
  }

  /** The ids of all sessions that a request proves to hold, live or not, accepted here or not. */
  private async sessionsOf({ authentication, refreshTokens }: Brought): Promise<string[]> {
    const owners = await Promise.all(refreshTokens.map((value) => this.ownerOf(value)));
    const ids = [
      ...authentication.verdicts.map(sessionIdOf),
      ...owners.map((owner) => owner?.sessionId ?? null),
    ];
    return [...new Set(ids.filter((id) => id !== null))];
  }

  private async startSession(
    user: VerifiedUser,
    transport: Transport,
    brought: Brought,
    client: Client,
  ): Promise<SignedIn | null> {
    const replaced = await this.sessionsOf(brought);
    return this.database.transaction(async (tx) => {
      // Between the check of the password and this lock it may have been changed.
      if (!(await this.users.lockUnchanged(tx, user))) return null;
      await this.sessions.revoke(replaced, 'replaced', tx);
      const session = await this.sessions.create(tx, user.id, ['pwd'], client);
      return {
        session,
        credential: await this.strategies.issuing.issue(tx, session, transport, createSecret()),
      };
    });
  }

  private log(event: string, client: Client, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ event, request_id: client.requestId, ip: client.ip, ...fields });
  }
}

/** The live session that counts for each person; a request may carry credentials of several. */
function onePerPerson({ verdicts }: Authentication): LiveSession[] {
  const live = liveSessions(verdicts);
  return live.filter(({ userId }, index) => live.findIndex((other) => other.userId === userId) === index);
}
