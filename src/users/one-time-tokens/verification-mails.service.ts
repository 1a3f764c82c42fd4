import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { Outbox } from '../../mail/outbox.service.js';
import { Database, type Queries } from '../../platform/database/database.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { TokenMails } from './token-mails.service.js';

/** Sends further mails with a link that verifies the address of an account. */
@Injectable()
export class VerificationMails {
  constructor(
    private readonly database: Database,
    private readonly mails: TokenMails,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Queues another mail, unless the account had too many within the hour. None is sent to a verified address. */
  async resend(queries: Queries, userId: string): Promise<void> {
    if (await this.mails.hadTooMany(queries, userId, 'verify_email')) return;
    await this.outbox.add(queries, { kind: 'verify_email', userId, recipient: null });
  }

  /** `resend` without waiting, so that the response time does not reveal whether a mail is sent. Failures are logged. */
  resendInBackground(userId: string): void {
    this.resend(this.database, userId).catch((error: unknown) => {
      this.logger.warn({ event: 'mail_not_added', kind: 'verify_email', user: userId, err: error });
    });
  }
}
