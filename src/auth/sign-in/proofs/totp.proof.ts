import { Injectable } from '@nestjs/common';
import type { Client } from '../../../platform/http/client.decorator.js';
import { Totp } from '../../factors/totp/totp.service.js';
import type { Guess } from '../../lockout/guess.js';
import { Lockout } from '../../lockout/lockout.service.js';
import type { ProofResult, ProofSubject, ProofVerifier, Proven } from './proof.js';

/** A code of the authenticator app. */
@Injectable()
export class TotpProof implements ProofVerifier<'totp'> {
  constructor(
    private readonly totp: Totp,
    private readonly lockout: Lockout,
  ) {}

  async verify({ userId, emailCanonical }: ProofSubject, code: string, client: Client): Promise<ProofResult> {
    const guess: Guess = { authenticator: 'totp', email: emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return { status: 'locked' };
    const match = await this.totp.match(userId, code);
    if (!match) return { status: 'wrong' };
    const consume: Proven['consume'] = (tx) => this.totp.useUp(tx, userId, match);
    return { status: 'proven', methods: ['otp'], passwordHash: null, guess, alone: 'one_factor', consume };
  }
}
