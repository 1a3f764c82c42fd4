import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Audit } from '../audit/audit.service.js';
import type { Queries } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { LOGGER } from '../logging/logger.js';
import { maskEmail } from '../logging/mask-email.js';
import { clientNetwork } from '../throttle/client-network.js';
import { canonicalEmail } from '../users/email.js';
import type { VerifiedUser } from '../users/users.service.js';
import type { Guess } from './lockout/guess.js';
import { Lockout } from './lockout/lockout.service.js';
import { Turns } from './lockout/turns.js';
import { MfaChallenges } from './mfa/mfa-challenges.service.js';
import { type SecondFactor, SecondFactors } from './mfa/second-factors.service.js';
import { type Brought, PresentedSessions, type SignedIn } from './presented-sessions.service.js';
import { SignIns } from './sign-in.service.js';
import { type LogoutScope, SignOuts } from './sign-out.service.js';
import type { Transport } from './strategies/auth.strategy.js';
import { Authenticator } from './strategies/authenticator.js';
import { JwtStrategy } from './strategies/jwt/jwt.strategy.js';
import type { RefreshOutcome, RefreshRefusal } from './strategies/jwt/refresh-tokens.service.js';
import type { RefreshCredential } from './strategies/jwt/refresh.strategy.js';
import { passwordCredential } from './strategies/local.strategy.js';
import { EmailVerification } from './verification/email-verification.service.js';

export interface SignIn {
  readonly email: string;
  readonly password: string;
  readonly transport: Transport;
}

/** How a sign-in with a password ended. */
export type SignInOutcome =
  | { readonly status: 'signed_in'; readonly signedIn: SignedIn }
  | { readonly status: 'mfa_required'; readonly token: string; readonly factors: readonly SecondFactor[] }
  | { readonly status: 'password_change_required' }
  /** Whatever was wrong: the address, the password, too many guesses, an account that is disabled or not verified. */
  | { readonly status: 'refused' };

/** Why a sign-in is refused, for the log and the audit trail alone. */
type Refusal = 'wrong' | 'locked' | 'disabled' | 'unverified' | 'compromised' | 'changed_meanwhile';

/** Signing in and out, whatever the strategy. */
@Injectable()
export class AuthService {
  private readonly turns = new Turns();

  constructor(
    private readonly signIns: SignIns,
    private readonly signOuts: SignOuts,
    private readonly presented: PresentedSessions,
    private readonly factors: SecondFactors,
    private readonly challenges: MfaChallenges,
    private readonly lockout: Lockout,
    private readonly authenticator: Authenticator,
    private readonly verification: EmailVerification,
    private readonly audit: Audit,
    private readonly jwt: JwtStrategy,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Makes a session for whoever knows the password, and ends those that the request brought along; with a second factor
   * enrolled, begins a sign-in that needs one.
   *
   * @throws Overloaded
   */
  async signIn(
    { email, password, transport }: SignIn,
    brought: Brought,
    client: Client,
  ): Promise<SignInOutcome> {
    const guess: Guess = { authenticator: 'password', email: canonicalEmail(email) ?? email, client };
    return this.turns.take(`${guess.email} ${clientNetwork(client.ip)}`, () =>
      this.evaluate(guess, { email, password, transport }, brought),
    );
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
      refreshTokens.map(async (value) => ({ value, owner: await this.presented.ownerOf(value) })),
    );
    const live = identified.filter(({ owner }) => owner?.isLive);
    const people = new Set(live.map(({ owner }) => owner?.userId));
    if (authentication.live && live.length > 0) people.add(authentication.live.userId);
    if (people.size > 1 || authentication.hasConflict) return 'conflict';
    const chosen = live.find(({ owner }) => owner?.isHead) ?? live[0] ?? identified[0];
    return chosen ? this.exchange(chosen.value, transport, client) : 'invalid';
  }

  /** Ends sessions that the request proves to hold, as `SignOuts` says. */
  async signOut(brought: Brought, scope: LogoutScope, client: Client): Promise<void> {
    const ended = await this.signOuts.end(brought, scope, client);
    const user = brought.authentication.live?.userId;
    if (ended > 0) this.log('logout', client, { scope, user, sessions: ended });
  }

  private async evaluate(
    guess: Guess,
    { email, password, transport }: SignIn,
    brought: Brought,
  ): Promise<SignInOutcome> {
    const { client } = guess;
    const isAdmitted = await this.lockout.admit(guess);
    const credential = passwordCredential(email, password, isAdmitted ? 'yes' : 'no');
    const outcome = await this.authenticator.run<VerifiedUser>('local', credential).catch(async (error) => {
      // It was not evaluated, so it does not count.
      if (isAdmitted) await this.lockout.release(guess);
      throw error;
    });
    if ('failure' in outcome) return this.refuse(isAdmitted ? 'wrong' : 'locked', email, null, client);
    const user = outcome.success;
    if (user.isDisabled) return this.refuse('disabled', email, user.id, client);
    if (this.config.AUTH_REQUIRE_VERIFIED_EMAIL && !user.isEmailVerified) {
      this.verification.sendAgainMeanwhile(user.id);
      return this.refuse('unverified', email, user.id, client);
    }
    if (user.isPasswordCompromised) {
      await this.lockout.release(guess);
      await this.refuse('compromised', email, user.id, client);
      return { status: 'password_change_required' };
    }
    const { id: userId, passwordHash } = user;
    const methods = ['pwd'];
    let factors: SecondFactor[] = [];
    // Asked for behind the lock that adding a factor takes, so that one which is added meanwhile is demanded, too.
    const consume = async (tx: Queries) => {
      factors = await this.factors.of(userId, tx);
      return factors.length === 0;
    };
    const proof = { userId, passwordHash, methods, guesses: [guess], consume };
    const signedIn = await this.signIns.complete(proof, { transport, brought, client });
    if (factors.length > 0) {
      await this.lockout.release(guess);
      const token = await this.challenges.begin({ userId, passwordHash, methods, transport });
      await this.audit.record({ kind: 'login_mfa_required', userId, client });
      this.log('login_mfa_required', client, { user: userId });
      return { status: 'mfa_required', token, factors };
    }
    if (!signedIn) return this.refuse('changed_meanwhile', email, userId, client);
    this.log('login', client, { email: maskEmail(email), user: userId, session: signedIn.session.sessionId });
    return { status: 'signed_in', signedIn };
  }

  private async exchange(
    token: string,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | RefreshRefusal> {
    const credential: RefreshCredential = { value: token, purpose: 'exchange', client };
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

  private async refuse(
    reason: Refusal,
    email: string,
    userId: string | null,
    client: Client,
  ): Promise<SignInOutcome> {
    await this.audit.recordAttempt({
      kind: 'login_failed',
      userId,
      email: canonicalEmail(email),
      client,
      details: { reason, email: maskEmail(email) },
    });
    this.log('login_failed', client, { reason, email: maskEmail(email), user: userId });
    return { status: 'refused' };
  }

  private log(event: string, client: Client, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ event, request_id: client.requestId, ip: client.ip, ...fields });
  }
}
