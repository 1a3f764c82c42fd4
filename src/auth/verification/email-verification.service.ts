import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { Unavailable } from '../../problems/overload.js';
import { type Grant, OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { PasswordChanges } from '../../users/passwords/password-changes.service.js';
import { AccountClaims } from './account-claims.service.js';
import { TokenMails, wasComposed } from './token-mails.service.js';

/** Proving that an address is one's own: the link that every sign-up sends. */
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
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('verify_email', (tx, job) => this.compose(tx, job));
  }

  /** Has another link sent, if the address is not proved yet, and there were not too many. */
  async sendAgain(userId: string): Promise<void> {
    if (await this.mails.hadTooMany(this.database, userId, 'verify_email')) return;
    await this.outbox.add(this.database, { kind: 'verify_email', userId, recipient: null });
  }

  /**
   * `sendAgain` without waiting for it: an answer must not take longer because there was something to send. If it fails,
   * the log says so, and asking again helps.
   */
  sendAgainMeanwhile(userId: string): void {
    this.sendAgain(userId).catch((error: unknown) => {
      this.logger.warn({ event: 'mail_not_added', kind: 'verify_email', user: userId, err: error });
    });
  }

  /**
   * Marks the address of an account as proved. With the link of a sign-up that found the address taken by an unproved
   * account, the password of that sign-up comes into force, and whatever others had put there goes (E9).
   *
   * @returns false if the token is not good any more.
   */
  async confirm(token: string, { userId }: Grant, client: Client): Promise<boolean> {
    const isConfirmed = await this.database.transaction(async (tx) => {
      await tx.query(sql`select 1 from users where id = ${userId} for no key update`);
      const grant = await this.tokens.consume(tx, token, 'verify_email');
      if (!grant) return false;
      await this.claims.prove(tx, userId);
      const passwordHash = grant.passwordHash ?? null;
      if (passwordHash !== null) {
        await this.claims.takeOver(tx, userId, 'email_proved');
        await this.passwords.store(tx, userId, passwordHash);
      }
      const details = { password: passwordHash === null ? 'kept' : 'replaced' };
      await this.audit.record({ kind: 'email_verified', userId, client, details }, tx);
      return true;
    });
    if (isConfirmed) {
      const { requestId: request_id, ip } = client;
      this.logger.info({ event: 'email_verified', request_id, ip, user: userId });
    }
    return isConfirmed;
  }

  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const [user] = await tx.query(
      sql<{ id: string; email: string }>`select id, email from users
        where id = ${job.userId} and disabled_at is null and email_verified_at is null for no key update`,
    );
    if (!user) return null;
    const brings = job.params['password'] === 'waits';
    if (brings && !wasComposed(job) && (await this.tokens.find(tx, job)) === null)
      throw new Unavailable('the token was made under a secret that this node does not know');
    const grant: Grant = { purpose: 'verify_email', userId: user.id, email: user.email };
    const params = await this.mails.compose(tx, job, grant);
    return params && { recipient: user.email, params };
  }
}
