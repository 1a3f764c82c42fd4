import { Injectable } from '@nestjs/common';
import type { Client } from '../../http/client.decorator.js';
import { canonicalEmail } from '../../users/email.js';
import type { VerifiedUser } from '../../users/users.service.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { Authenticator } from '../strategies/authenticator.js';
import { passwordCredential } from '../strategies/local.strategy.js';
import type { Compromised, NotProven, Person, Proven, StepUpProof } from './step-up-proof.js';

/** The password of somebody who is signed in. It is verified, and guesses are counted, as at sign-in. */
@Injectable()
export class PasswordProof implements StepUpProof<'password'> {
  readonly field = 'password';

  constructor(
    private readonly authenticator: Authenticator,
    private readonly lockout: Lockout,
  ) {}

  async verify(
    { userId, email }: Person,
    password: string,
    client: Client,
  ): Promise<Proven | NotProven | Compromised> {
    const guess: Guess = { authenticator: 'password', email: canonicalEmail(email) ?? email, client };
    const isAdmitted = await this.lockout.admit(guess);
    const credential = passwordCredential(email, password, isAdmitted ? 'yes' : 'no');
    const outcome = await this.authenticator.run<VerifiedUser>('local', credential).catch(async (error) => {
      // It was not evaluated, so it does not count.
      if (isAdmitted) await this.lockout.release(guess);
      throw error;
    });
    if ('failure' in outcome) return { status: isAdmitted ? 'wrong' : 'locked' };
    const { id, passwordHash, isPasswordCompromised } = outcome.success;
    // The address may have gone to somebody else since it was read.
    if (id !== userId) return { status: 'wrong' };
    if (isPasswordCompromised) return { status: 'compromised', passwordHash, guess };
    return { status: 'proven', methods: ['pwd'], passwordHash, guess, alone: 'one_factor' };
  }
}
