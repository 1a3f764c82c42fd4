import { Injectable } from '@nestjs/common';
import type { Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { Lockout } from '../../lockout/lockout.service.js';
import { PasskeyProof } from './passkey.proof.js';
import { PasswordProof } from './password.proof.js';
import type { Compromised, NotProven, Presented, ProofResult, ProofSubject, Proven } from './proof.js';
import { RecoveryCodeProof } from './recovery-code.proof.js';
import { TotpProof } from './totp.proof.js';

/** The table of authenticators for known users: at the second step of a sign-in, and at step-up. */
@Injectable()
export class ProofTable {
  constructor(
    private readonly password: PasswordProof,
    private readonly totp: TotpProof,
    private readonly recoveryCode: RecoveryCodeProof,
    private readonly passkey: PasskeyProof,
    private readonly lockout: Lockout,
  ) {}

  /**
   * Verifies one presented value and counts a guess at its authenticator.
   *
   * @throws Overloaded
   */
  verify(subject: ProofSubject, presented: Presented, client: Client): Promise<ProofResult> {
    switch (presented.authenticator) {
      case 'password':
        return this.password.verify(subject, presented.value, client);
      case 'totp':
        return this.totp.verify(subject, presented.value, client);
      case 'recovery_code':
        return this.recoveryCode.verify(subject, presented.value, client);
      case 'passkey':
        return this.passkey.verify(subject, presented.value, client);
    }
  }

  /**
   * Verifies all presented values, in this order. The first failure decides, and the guesses before it are released.
   *
   * @throws Overloaded
   */
  async verifyAll(
    subject: ProofSubject,
    presented: readonly Presented[],
    client: Client,
  ): Promise<Proven[] | NotProven | Compromised> {
    const proven: Proven[] = [];
    for (const one of presented) {
      const result = await this.verify(subject, one, client);
      if (result.status !== 'proven') {
        await this.release(result.status === 'compromised' ? [...proven, result] : proven);
        return result;
      }
      proven.push(result);
    }
    return proven;
  }

  /**
   * Consumes proofs, in the transaction that accepts them.
   *
   * @returns false if one was consumed since it was verified; then none counts.
   */
  async consume(tx: Queries, proven: readonly Proven[]): Promise<boolean> {
    for (const { consume } of proven) if (consume && !(await consume(tx))) return false;
    return true;
  }

  /** Clears the counters of correct guesses that completed their purpose. */
  async succeed(tx: Queries, proven: readonly Proven[]): Promise<void> {
    for (const { guess } of proven) await this.lockout.succeed(tx, guess);
  }

  /** Removes correct guesses that completed nothing from the counters. */
  async release(proven: readonly Pick<Proven, 'guess'>[]): Promise<void> {
    for (const { guess } of proven) await this.lockout.release(guess);
  }
}
