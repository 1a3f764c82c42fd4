import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { maskEmail } from '../../logging/mask-email.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { canonicalEmail, requireCanonical } from '../../users/email.js';
import { OneTimeTokens, TOKEN_TTL } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { PasswordChanges } from '../../users/passwords/password-changes.service.js';
import type { WeakPassword } from '../../users/passwords/password-policy.service.js';
import { Lockout } from '../lockout/lockout.service.js';
import { AccountClaims } from '../verification/account-claims.service.js';
import { clientOf, origin, TokenMails, wasComposed } from '../verification/token-mails.service.js';

export type ResetOutcome =
  | { readonly status: 'reset' }
  | { readonly status: 'token_invalid' }
  | { readonly status: 'weak_password'; readonly weak: WeakPassword };

/** Choosing another password by a link that went to the address of the account. */
@Injectable()
export class PasswordRecovery implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly tokens: OneTimeTokens,
    private readonly mails: TokenMails,
    private readonly claims: AccountClaims,
    private readonly passwords: PasswordChanges,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('reset_password', (tx, job) => this.compose(tx, job));
  }

  /**
   * Has a link sent, if there is such an account. Whether there is one is only looked up when the mail is composed, so
   * that neither the answer nor its time can tell.
   *
   * @param email an address that `canonicalEmail` takes.
   */
  async request(email: string, client: Client): Promise<void> {
    await this.outbox.add(this.database, {
      kind: 'reset_password',
      userId: null,
      recipient: requireCanonical(email),
      params: { ...origin(client), request_id: client.requestId },
      usefulFor: TOKEN_TTL.reset_password,
    });
    this.log('password_reset_requested', client, { email: maskEmail(email) });
  }

  /**
   * Puts another password into force and ends every session. It signs nobody in, and leaves the second factors of an account
   * whose address was proved before (E5); of any other, whatever was put there goes (E9).
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async reset(token: string, password: string, client: Client): Promise<ResetOutcome> {
    const grant = await this.tokens.look(token);
    if (grant?.purpose !== 'reset_password') return { status: 'token_invalid' };
    // A refused password leaves the token as it is: its owner tries another one.
    const prepared = await this.passwords.prepare(grant.email, password);
    if ('weak' in prepared) return { status: 'weak_password', weak: prepared.weak };
    const { userId } = grant;
    const isReset = await this.database.transaction((tx) =>
      this.store(tx, token, userId, prepared.hash, client),
    );
    if (!isReset) return { status: 'token_invalid' };
    this.log('password_reset', client, { user: userId });
    return { status: 'reset' };
  }

  private async store(
    tx: Queries,
    token: string,
    userId: string,
    hash: string,
    client: Client,
  ): Promise<boolean> {
    const [user] = await tx.query(
      sql<{ email: string; is_verified: boolean }>`select email, email_verified_at is not null as is_verified
        from users where id = ${userId} for no key update`,
    );
    if (!user || !(await this.tokens.consume(tx, token, 'reset_password'))) return false;
    const isStripped = !user.is_verified && (await this.claims.takeOver(tx, userId, 'password_reset'));
    if (user.is_verified) await this.claims.endEverything(tx, userId, null, 'password_reset');
    await this.claims.prove(tx, userId);
    await this.passwords.store(tx, userId, hash);
    await this.lockout.clear(tx, requireCanonical(user.email));
    const details = { factors: user.is_verified ? 'kept' : 'removed' };
    await this.audit.record({ kind: 'password_reset', userId, client, details }, tx);
    if (!user.is_verified) await this.audit.record({ kind: 'email_verified', userId, client }, tx);
    await this.outbox.add(tx, {
      kind: 'password_changed',
      userId,
      recipient: user.email,
      params: { ...origin(client), ...(isStripped && { factors: 'removed' }) },
    });
    return true;
  }

  /** Finds whose address it is, and writes to the one that the account has, not to the one that was typed (E8). */
  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const canonical = job.recipient === null ? null : canonicalEmail(job.recipient);
    const [user] = await tx.query(
      sql<{ id: string; email: string }>`select id, email from users
        where email_canonical = ${canonical} and disabled_at is null for no key update`,
    );
    if (!user) return null;
    const params = await this.mails.compose(tx, job, {
      purpose: 'reset_password',
      userId: user.id,
      email: user.email,
    });
    if (!params) return null;
    // What an administrator asks for is recorded when they do.
    if (!wasComposed(job) && job.params['by'] !== 'admin')
      await this.audit.record(
        { kind: 'password_reset_requested', userId: user.id, client: clientOf(job.params) },
        tx,
      );
    return { recipient: user.email, params };
  }

  private log(
    event: string,
    { requestId: request_id, ip }: Client,
    more: Readonly<Record<string, unknown>>,
  ): void {
    this.logger.info({ event, request_id, ip, ...more });
  }
}
