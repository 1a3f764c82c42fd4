import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { Unavailable } from '../../platform/problems/overload.js';
import { lockAccount } from '../../users/account-lock.js';
import { type Grant, OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { PasswordChanges } from '../../users/passwords/password-changes.service.js';
import { AccountClaims } from './account-claims.service.js';
import { TokenMails, wasComposed } from '../../users/one-time-tokens/token-mails.service.js';

/** Verification of an address: the link that every sign-up sends. */
@Injectable()
export class EmailVerification implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly tokens: OneTimeTokens,
    private readonly mails: TokenMails,
    private readonly claims: AccountClaims,
    private readonly passwords: PasswordChanges,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('verify_email', (tx, job) => this.compose(tx, job));
  }

  /**
   * Marks the address of an account as verified. If a sign-up found the address taken by an unverified account, the
   * link of that sign-up activates its password and removes what others had added (E9).
   *
   * @returns false if the token is not valid any more.
   */
  async confirm(token: string, { userId }: Grant, client: Client): Promise<boolean> {
    const isConfirmed = await this.database.transaction(async (tx) => {
      const account = await lockAccount(tx, userId);
      const grant = account && (await this.tokens.consume(tx, token, 'verify_email'));
      if (!grant) return false;
      await this.claims.prove(tx, account);
      const passwordHash = grant.passwordHash ?? null;
      if (passwordHash !== null) {
        await this.claims.claim(tx, account, 'email_proved');
        await this.passwords.store(tx, userId, passwordHash);
      }
      const details = { password: passwordHash === null ? 'kept' : 'replaced' };
      await this.audit.record({ kind: 'email_verified', userId, client, details }, tx);
      return true;
    });
    if (isConfirmed) this.log.write('email_verified', client, { user: userId });
    return isConfirmed;
  }

  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const account = job.userId === null ? null : await lockAccount(tx, job.userId);
    if (!account || account.isDisabled || account.isVerified) return null;
    const brings = job.params['password'] === 'waits';
    if (brings && !wasComposed(job) && (await this.tokens.find(tx, job)) === null)
      throw new Unavailable('the token was created under a secret that this node does not have');
    const grant: Grant = { purpose: 'verify_email', userId: account.id, email: account.email };
    const params = await this.mails.compose(tx, job, grant);
    return params && { recipient: account.email, params };
  }
}
