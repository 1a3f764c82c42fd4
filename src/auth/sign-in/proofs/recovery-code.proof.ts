import { Injectable } from '@nestjs/common';
import type { Client } from '../../../platform/http/client.decorator.js';
import { RecoveryCodes } from '../../factors/recovery-codes/recovery-codes.service.js';
import type { Guess } from '../../lockout/guess.js';
import { Lockout } from '../../lockout/lockout.service.js';
import type { ProofResult, ProofSubject, ProofVerifier, Proven } from './proof.js';

/** A recovery code, instead of a second factor. */
@Injectable()
export class RecoveryCodeProof implements ProofVerifier<'recovery_code'> {
  constructor(
    private readonly codes: RecoveryCodes,
    private readonly lockout: Lockout,
  ) {}

  async verify({ userId, emailCanonical }: ProofSubject, code: string, client: Client): Promise<ProofResult> {
    const guess: Guess = { authenticator: 'recovery_code', email: emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return { status: 'locked' };
    if (!(await this.codes.isGood(userId, code))) return { status: 'wrong' };
    const consume: Proven['consume'] = (tx) => this.codes.use(tx, userId, code, client);
    // RFC 8176 has no value for a look-up secret; only `mfa` shows its use.
    return { status: 'proven', methods: [], passwordHash: null, guess, alone: 'one_factor', consume };
  }
}
