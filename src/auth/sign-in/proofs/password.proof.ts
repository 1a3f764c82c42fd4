import { Injectable } from '@nestjs/common';
import type { Client } from '../../../platform/http/client.decorator.js';
import type { Guess } from '../../lockout/guess.js';
import { PasswordCheck } from '../password-check.service.js';
import type { ProofResult, ProofSubject, ProofVerifier } from './proof.js';

/** The password of a known user. Verified and counted as at sign-in. */
@Injectable()
export class PasswordProof implements ProofVerifier<'password'> {
  constructor(private readonly passwords: PasswordCheck) {}

  /** @throws Overloaded */
  async verify(
    { userId, email, emailCanonical }: Omit<ProofSubject, 'ceremony'>,
    password: string,
    client: Client,
  ): Promise<ProofResult> {
    const guess: Guess = { authenticator: 'password', email: emailCanonical, client };
    const checked = await this.passwords.check(guess, email, password);
    if (checked.status !== 'right') return { status: checked.status };
    const { id, passwordHash, isPasswordCompromised } = checked.user;
    // The address may belong to another account since it was read.
    if (id !== userId) return { status: 'wrong' };
    if (isPasswordCompromised) return { status: 'compromised', passwordHash, guess };
    return { status: 'proven', methods: ['pwd'], passwordHash, guess, alone: 'one_factor' };
  }
}
