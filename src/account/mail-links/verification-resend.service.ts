import { Injectable } from '@nestjs/common';
import { ActorLock, type EndedActor } from '../../auth/credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../../auth/credentials/authenticator.js';
import { Database } from '../../platform/database/database.js';
import { VerificationMails } from '../../users/one-time-tokens/verification-mails.service.js';

/** Sends the link that verifies the address of the caller again. */
@Injectable()
export class VerificationResend {
  constructor(
    private readonly database: Database,
    private readonly actors: ActorLock,
    private readonly mails: VerificationMails,
  ) {}

  /**
   * Queues the mail, a few times an hour.
   *
   * @returns the refusal if the caller may not act any more; null if not refused.
   */
  resend(caller: LiveAuthentication): Promise<EndedActor | null> {
    return this.database.transaction(async (tx) => {
      const actor = await this.actors.lock(tx, caller);
      if (actor.status === 'ended') return actor;
      await this.mails.resend(tx, actor.account.id);
      return null;
    });
  }
}
