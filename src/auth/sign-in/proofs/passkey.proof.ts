import { Injectable } from '@nestjs/common';
import type { Client } from '../../../platform/http/client.decorator.js';
import { PasskeyAssertions } from '../../factors/passkeys/passkey-assertions.service.js';
import type { AssertionResponse } from '../../factors/passkeys/webauthn.dto.js';
import type { ProofResult, ProofSubject, ProofVerifier } from './proof.js';

/** A passkey of the user, as the answer to the ceremony of the subject. `PasskeyAssertions` counts its guesses. */
@Injectable()
export class PasskeyProof implements ProofVerifier<'passkey'> {
  constructor(private readonly assertions: PasskeyAssertions) {}

  async verify(
    { ceremony }: ProofSubject,
    credential: AssertionResponse,
    client: Client,
  ): Promise<ProofResult> {
    const assertion = await this.assertions.verify(credential, ceremony, client);
    if (assertion.status === 'refused') return { status: assertion.reason === 'locked' ? 'locked' : 'wrong' };
    const { methods, guess, consume, isUserVerified } = assertion;
    const alone = isUserVerified ? 'enough' : 'one_factor';
    return { status: 'proven', methods, passwordHash: null, guess, alone, consume };
  }
}
