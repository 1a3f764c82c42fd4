import { Injectable } from '@nestjs/common';
import type { VerifiedUser } from '../../users/users.service.js';
import { Authenticator } from '../credentials/authenticator.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { passwordCredential } from '../strategies/local.strategy.js';

/** Whether a password is correct; `locked` if the lockout refused the evaluation. */
export type CheckedPassword =
  { readonly status: 'right'; readonly user: VerifiedUser } | { readonly status: 'wrong' | 'locked' };

/** Checks passwords, and counts each one as a guess. */
@Injectable()
export class PasswordCheck {
  constructor(
    private readonly lockout: Lockout,
    private readonly authenticator: Authenticator,
  ) {}

  /**
   * Checks a password. A correct one stays counted as a guess: the caller completes it (`Lockout.succeed`) or removes
   * it from the counters (`Lockout.release`).
   *
   * @throws Overloaded
   */
  async check(guess: Guess, email: string, password: string): Promise<CheckedPassword> {
    const isAdmitted = await this.lockout.admit(guess);
    const credential = passwordCredential(email, password, isAdmitted ? 'yes' : 'no');
    const outcome = await this.authenticator.run<VerifiedUser>('local', credential).catch(async (error) => {
      // It was not evaluated, so it does not count.
      if (isAdmitted) await this.lockout.release(guess);
      throw error;
    });
    if ('failure' in outcome) return { status: isAdmitted ? 'wrong' : 'locked' };
    return { status: 'right', user: outcome.success };
  }
}
