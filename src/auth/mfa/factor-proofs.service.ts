import { Injectable } from '@nestjs/common';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { Guess, GuessableAuthenticator } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { PasskeyAssertions } from '../passkeys/passkey-assertions.service.js';
import type { AssertionResponse } from '../passkeys/webauthn.dto.js';
import { RecoveryCodes } from '../recovery-codes/recovery-codes.service.js';
import { Totp } from '../totp/totp.service.js';
import type { OpenChallenge } from './mfa-challenges.service.js';

/** A second factor as it was presented. */
export type PresentedFactor =
  | { readonly factor: 'totp'; readonly code: string }
  | { readonly factor: 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly credential: AssertionResponse };

/** A second factor that is right, and not used up yet. */
export interface ProvenFactor {
  /** RFC 8176 `amr` values that it adds. */
  readonly methods: readonly string[];
  readonly guesses: readonly Guess[];
  /** Uses it up in the transaction that makes the session; false if that happened meanwhile. */
  readonly consume: (tx: Queries) => Promise<boolean>;
}

/** Judges second factors, and counts guesses at them over all challenges of an account. */
@Injectable()
export class FactorProofs {
  constructor(
    private readonly totp: Totp,
    private readonly recoveryCodes: RecoveryCodes,
    private readonly assertions: PasskeyAssertions,
    private readonly lockout: Lockout,
  ) {}

  /** @returns `locked` after too many guesses, right or wrong. */
  async verify(
    challenge: OpenChallenge,
    presented: PresentedFactor,
    client: Client,
  ): Promise<ProvenFactor | 'wrong' | 'locked'> {
    if (presented.factor === 'passkey') return this.verifyPasskey(challenge, presented.credential, client);
    const guess = guessAt(presented.factor, challenge, client);
    if (!(await this.lockout.admit(guess))) return 'locked';
    const { userId } = challenge;
    const { factor, code } = presented;
    if (factor === 'totp') {
      const match = await this.totp.match(userId, code);
      if (!match) return 'wrong';
      const consume = (tx: Queries) => this.totp.useUp(tx, userId, match);
      return { methods: ['otp'], guesses: [guess], consume };
    }
    if (!(await this.recoveryCodes.isGood(userId, code))) return 'wrong';
    const consume = (tx: Queries) => this.recoveryCodes.use(tx, userId, code, client);
    // RFC 8176 has no value for a look-up secret; `mfa` alone says that it was there.
    return { methods: [], guesses: [guess], consume };
  }

  /** Guesses at passkeys are counted where they are judged. */
  private async verifyPasskey(
    { tokenHash: mfaTokenHash }: OpenChallenge,
    credential: AssertionResponse,
    client: Client,
  ): Promise<ProvenFactor | 'wrong' | 'locked'> {
    const assertion = await this.assertions.verify(
      credential,
      { kind: 'second_factor', mfaTokenHash },
      client,
    );
    if (assertion.status === 'refused') return assertion.reason === 'locked' ? 'locked' : 'wrong';
    const { methods, guess, consume } = assertion;
    return { methods, guesses: [guess], consume };
  }
}

/** A guess at an authenticator of whoever a challenge is for. */
export function guessAt(
  authenticator: GuessableAuthenticator,
  { emailCanonical: email }: OpenChallenge,
  client: Client,
): Guess {
  return { authenticator, email, client };
}
