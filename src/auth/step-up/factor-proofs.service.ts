import { Injectable } from '@nestjs/common';
import type { Client } from '../../http/client.decorator.js';
import { canonicalEmail } from '../../users/email.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { PasskeyAssertions } from '../passkeys/passkey-assertions.service.js';
import type { AssertionResponse } from '../passkeys/webauthn.dto.js';
import { RecoveryCodes } from '../recovery-codes/recovery-codes.service.js';
import { Totp } from '../totp/totp.service.js';
import type { NotProven, Person, Proven, StepUpProof } from './step-up-proof.js';

/** A code of the authenticator app. */
@Injectable()
export class TotpProof implements StepUpProof<'code'> {
  readonly field = 'code';

  constructor(
    private readonly totp: Totp,
    private readonly lockout: Lockout,
  ) {}

  async verify({ userId, email }: Person, code: string, client: Client): Promise<Proven | NotProven> {
    const guess: Guess = { authenticator: 'totp', email: canonicalEmail(email) ?? email, client };
    if (!(await this.lockout.admit(guess))) return { status: 'locked' };
    const match = await this.totp.match(userId, code);
    if (!match) return { status: 'wrong' };
    const consume: Proven['consume'] = (tx) => this.totp.useUp(tx, userId, match);
    return { status: 'proven', methods: ['otp'], passwordHash: null, guess, alone: 'one_factor', consume };
  }
}

/** A recovery code, in place of a second factor. */
@Injectable()
export class RecoveryCodeProof implements StepUpProof<'recovery_code'> {
  readonly field = 'recovery_code';

  constructor(
    private readonly codes: RecoveryCodes,
    private readonly lockout: Lockout,
  ) {}

  async verify({ userId, email }: Person, code: string, client: Client): Promise<Proven | NotProven> {
    const guess: Guess = { authenticator: 'recovery_code', email: canonicalEmail(email) ?? email, client };
    if (!(await this.lockout.admit(guess))) return { status: 'locked' };
    if (!(await this.codes.isGood(userId, code))) return { status: 'wrong' };
    const consume: Proven['consume'] = (tx) => this.codes.use(tx, userId, code, client);
    // RFC 8176 has no value for a look-up secret; `mfa` alone says that it was there.
    return { status: 'proven', methods: [], passwordHash: null, guess, alone: 'one_factor', consume };
  }
}

/** A passkey of the person, answered for this very session. Guesses are counted where it is judged. */
@Injectable()
export class PasskeyProof implements StepUpProof<'credential'> {
  readonly field = 'credential';

  constructor(private readonly assertions: PasskeyAssertions) {}

  async verify(
    { userId, sessionId }: Person,
    credential: AssertionResponse,
    client: Client,
  ): Promise<Proven | NotProven> {
    const ceremony = { kind: 'reauthentication', userId, sessionId } as const;
    const assertion = await this.assertions.verify(credential, ceremony, client);
    if (assertion.status === 'refused') return { status: assertion.reason === 'locked' ? 'locked' : 'wrong' };
    const { methods, guess, consume, isUserVerified } = assertion;
    const alone = isUserVerified ? 'enough' : 'one_factor';
    return { status: 'proven', methods, passwordHash: null, guess, alone, consume };
  }
}
