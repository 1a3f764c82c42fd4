import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { maskEmail } from '../../platform/logging/mask-email.js';
import { clientNetwork } from '../../platform/throttle/client-network.js';
import { canonicalEmail } from '../../users/email.js';
import { VerificationMails } from '../../users/one-time-tokens/verification-mails.service.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { GuessQueue } from '../lockout/guess-queue.js';
import { MfaChallenges } from '../assurance/mfa-challenges.service.js';
import { type SecondFactor, SecondFactors } from '../assurance/second-factors.service.js';
import type { PresentedCredentials, SignedIn } from '../credentials/presented-sessions.service.js';
import { PasswordCheck } from './password-check.service.js';
import { SignInEvents } from './sign-in-events.service.js';
import { SessionStart } from './session-start.service.js';
import type { Transport } from '../credentials/auth.strategy.js';

export interface SignIn {
  readonly email: string;
  readonly password: string;
  readonly transport: Transport;
}

/** The result of a password sign-in. */
export type SignInOutcome =
  | { readonly status: 'signed_in'; readonly signedIn: SignedIn }
  | { readonly status: 'mfa_required'; readonly token: string; readonly factors: readonly SecondFactor[] }
  | { readonly status: 'password_change_required' }
  /** Any reason: the address, the password, the lockout, or an account that is disabled or not verified. */
  | { readonly status: 'refused' };

/** Why a sign-in is refused, for the log and the audit trail only. */
type Refusal = 'wrong' | 'locked' | 'disabled' | 'unverified' | 'compromised' | 'changed_meanwhile';

/** Sign-in with an address and a password, for all strategies. */
@Injectable()
export class PasswordSignIn {
  private readonly queue = new GuessQueue();

  constructor(
    private readonly passwords: PasswordCheck,
    private readonly sessionStart: SessionStart,
    private readonly factors: SecondFactors,
    private readonly challenges: MfaChallenges,
    private readonly lockout: Lockout,
    private readonly verificationMails: VerificationMails,
    private readonly events: SignInEvents,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Creates a session for a user who knows the password, and ends the presented sessions. If the user has a second
   * factor, begins a half sign-in.
   *
   * @throws Overloaded
   */
  async signIn(
    { email, password, transport }: SignIn,
    credentials: PresentedCredentials,
    client: Client,
  ): Promise<SignInOutcome> {
    const guess: Guess = { authenticator: 'password', email: canonicalEmail(email) ?? email, client };
    return this.queue.run(`${guess.email} ${clientNetwork(client.ip)}`, () =>
      this.evaluate(guess, { email, password, transport }, credentials),
    );
  }

  private async evaluate(
    guess: Guess,
    { email, password, transport }: SignIn,
    credentials: PresentedCredentials,
  ): Promise<SignInOutcome> {
    const { client } = guess;
    const checked = await this.passwords.check(guess, email, password);
    if (checked.status !== 'right') return this.refuse(checked.status, email, null, client);
    const { user } = checked;
    if (user.isDisabled) return this.refuse('disabled', email, user.id, client);
    if (this.config.AUTH_REQUIRE_VERIFIED_EMAIL && !user.isEmailVerified) {
      this.verificationMails.resendInBackground(user.id);
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
    // Read under the lock that enrolment takes: a factor that is enrolled concurrently is required too.
    const consume = async (tx: Queries) => {
      factors = await this.factors.of(userId, tx);
      return factors.length === 0;
    };
    const proof = { userId, passwordHash, methods, guesses: [guess], consume };
    const signedIn = await this.sessionStart.complete(proof, { transport, credentials, client });
    if (factors.length > 0) {
      await this.lockout.release(guess);
      const token = await this.challenges.begin({ userId, passwordHash, methods, transport });
      await this.events.factorRequired(userId, client);
      return { status: 'mfa_required', token, factors };
    }
    if (!signedIn) return this.refuse('changed_meanwhile', email, userId, client);
    this.events.succeeded(signedIn, client, { email: maskEmail(email) });
    return { status: 'signed_in', signedIn };
  }

  private async refuse(
    reason: Refusal,
    email: string,
    userId: string | null,
    client: Client,
  ): Promise<SignInOutcome> {
    const details = { reason, email: maskEmail(email) };
    await this.events.failed({ userId, email: canonicalEmail(email), client, details });
    return { status: 'refused' };
  }
}
