import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { maskEmail } from '../../platform/logging/mask-email.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { lockAccountByEmail } from '../../users/account-lock.js';
import { canonicalEmail, requireCanonical } from '../../users/email.js';
import { TOKEN_TTL } from '../../users/one-time-tokens/one-time-tokens.service.js';
import {
  clientOf,
  origin,
  TokenMails,
  wasComposed,
} from '../../users/one-time-tokens/token-mails.service.js';

/** Sends links to choose a new password. */
@Injectable()
export class PasswordRecovery implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly mails: TokenMails,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('reset_password', (tx, job) => this.compose(tx, job));
  }

  /**
   * Sends a link if the account exists. The account is looked up only when the mail is composed, so that neither the
   * answer nor its time reveals it.
   *
   * @param email an address that `canonicalEmail` accepts.
   */
  async request(email: string, client: Client): Promise<void> {
    await this.outbox.add(this.database, {
      kind: 'reset_password',
      userId: null,
      recipient: requireCanonical(email),
      params: { ...origin(client), request_id: client.requestId },
      usefulFor: TOKEN_TTL.reset_password,
    });
    this.log.write('password_reset_requested', client, { email: maskEmail(email) });
  }

  /** Finds the owner of an address, and writes to the address of the account, not to the typed one (E8). */
  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const canonical = job.recipient === null ? null : canonicalEmail(job.recipient);
    const account = canonical === null ? null : await lockAccountByEmail(tx, canonical);
    if (!account || account.isDisabled) return null;
    const { id: userId, email } = account;
    const params = await this.mails.compose(tx, job, { purpose: 'reset_password', userId, email });
    if (!params) return null;
    // A reset by an administrator is recorded when it is requested.
    if (!wasComposed(job) && job.params['by'] !== 'admin') {
      const client = clientOf(job.params);
      await this.audit.record({ kind: 'password_reset_requested', userId, client }, tx);
    }
    return { userId, recipient: email, params };
  }
}
