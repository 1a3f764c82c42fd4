import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { StepUpCheck } from '../auth/assurance/step-up-check.service.js';
import type { LockedActor } from '../auth/credentials/actor-lock.service.js';
import type { Guess } from '../auth/lockout/guess.js';
import { Lockout } from '../auth/lockout/lockout.service.js';
import type { LiveSession } from '../auth/sessions/session-state.js';
import { PasswordProof } from '../auth/sign-in/proofs/password.proof.js';
import type { Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { SecurityLog } from '../platform/logging/security-log.service.js';
import type { LockedAccount } from '../users/account-lock.js';

/** Why a user may not change the password. */
export interface Unqualified {
  readonly status: 'wrong' | 'step_up_required';
}

/** What allows a user to change the password: the current one or, with nulls, a fresh session. */
export interface Qualified {
  readonly status: 'qualified';
  /** The address of the account. */
  readonly email: string;
  readonly passwordHash: string | null;
  readonly guess: Guess | null;
}

/** Whether a signed-in user may change the password. */
@Injectable()
export class PasswordChangeProof {
  constructor(
    private readonly password: PasswordProof,
    private readonly stepUpCheck: StepUpCheck,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Verifies the current password; without one, the session must be fresh. A user with a second factor must have
   * proved it recently in both cases. The lock of the actor is over by then: a password takes long to verify.
   *
   * @throws Overloaded
   */
  async verify(
    { account, session }: LockedActor,
    current: string | undefined,
    client: Client,
  ): Promise<Qualified | Unqualified> {
    if (current !== undefined) return this.verifyPassword(account, session, current, client);
    return (await this.stepUpCheck.isFresh(session))
      ? { status: 'qualified', email: account.email, passwordHash: null, guess: null }
      : { status: 'step_up_required' };
  }

  /** Whether the actor still must prove a second factor. Re-check: one may have been enrolled since `verify`. */
  lacksFactor(tx: Queries, { session }: LockedActor): Promise<boolean> {
    return this.stepUpCheck.lacksFactor(session, tx);
  }

  /** Clears the counter of a correct guess, in the transaction that changes the password. */
  async succeed(tx: Queries, { guess }: Qualified): Promise<void> {
    if (guess) await this.lockout.succeed(tx, guess);
  }

  /** Removes a correct guess from the counters, because it completed nothing. */
  async release({ guess }: Qualified): Promise<void> {
    if (guess) await this.lockout.release(guess);
  }

  private async verifyPassword(
    { id: userId, email, emailCanonical }: LockedAccount,
    session: LiveSession,
    current: string,
    client: Client,
  ): Promise<Qualified | Unqualified> {
    // Before the password is verified: a client without the factor must not guess passwords here either.
    if (await this.stepUpCheck.lacksFactor(session)) return { status: 'step_up_required' };
    const result = await this.password.verify({ userId, email, emailCanonical }, current, client);
    // A compromised password can only be used to change it.
    if (result.status === 'proven' || result.status === 'compromised')
      return { status: 'qualified', email, passwordHash: result.passwordHash, guess: result.guess };
    const { sessionId } = session;
    const details = { reason: result.status, purpose: 'password' };
    const attempt = { userId, email: null, sessionId, client, details };
    await this.audit.recordAttempt({ kind: 'reauthentication_failed', ...attempt });
    this.log.write('reauthentication_failed', client, { user: userId, session: sessionId, ...details });
    return { status: 'wrong' };
  }
}
