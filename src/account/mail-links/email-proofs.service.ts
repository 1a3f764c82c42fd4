import { Injectable } from '@nestjs/common';
import type { Client } from '../../platform/http/client.decorator.js';
import { OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { EmailChanges } from './email-changes.service.js';
import { EmailVerification } from './email-verification.service.js';

export type EmailProofOutcome = 'proved' | 'token_invalid' | 'email_taken';

/** Proofs by a mailed link: of the address of an account, or of its new address. */
@Injectable()
export class EmailProofs {
  constructor(
    private readonly tokens: OneTimeTokens,
    private readonly verification: EmailVerification,
    private readonly changes: EmailChanges,
  ) {}

  /** Consumes a token for its purpose. A password-reset token is refused here. */
  async redeem(token: string, client: Client): Promise<EmailProofOutcome> {
    const grant = await this.tokens.look(token);
    if (grant?.purpose === 'verify_email')
      return (await this.verification.confirm(token, grant, client)) ? 'proved' : 'token_invalid';
    if (grant?.purpose !== 'change_email') return 'token_invalid';
    const outcome = await this.changes.confirm(token, grant, client);
    return outcome === 'changed' ? 'proved' : outcome;
  }
}
