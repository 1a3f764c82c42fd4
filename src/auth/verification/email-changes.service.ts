import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import { isUniqueViolation } from '../../database/unique-violation.js';
import type { Client } from '../../http/client.decorator.js';
import type { CurrentUserInfo } from '../../http/current-user.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { maskEmail } from '../../logging/mask-email.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { requireCanonical } from '../../users/email.js';
import { type Grant, OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { isCutOff } from '../sessions/cut-off.js';
import { forgetGuesses } from '../lockout/forget-guesses.js';
import { AccountClaims } from './account-claims.service.js';
import { origin, TokenMails } from './token-mails.service.js';

export type EmailChangeOutcome = 'changed' | 'token_invalid' | 'email_taken';

/**
 * Ways in which a session ends that say nothing against what was asked for in it. In all others somebody put an end to
 * it, and to that.
 */
const ENDED_BY_ITSELF = ['logout', 'replaced', 'limit'];

/** Another address for an account: nothing changes until the link that went there was used. */
@Injectable()
export class EmailChanges implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly tokens: OneTimeTokens,
    private readonly mails: TokenMails,
    private readonly claims: AccountClaims,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('change_email', (tx, job) => this.compose(tx, job));
  }

  /**
   * Has a link sent to another address, and tells the one there is. A later wish supersedes an earlier one at once.
   *
   * @param email an address that `canonicalEmail` takes. Whether it is taken shows in nothing but the mail.
   */
  async request({ userId, sessionId }: CurrentUserInfo, email: string, client: Client): Promise<void> {
    const isAccepted = await this.database.transaction(async (tx) => {
      // The time is read behind the lock, so that of two wishes the one that comes second is the later one.
      const [user] = await tx.query(
        sql<{ email: string }>`select email from users where id = ${userId} for no key update`,
      );
      if (!user) return false;
      const [clock] = await tx.query(
        sql<{
          time: string;
        }>`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') as time`,
      );
      const holder = await holderOf(tx, email, userId);
      if (await this.mails.hadTooMany(tx, userId, 'email_change_requested')) return false;
      await this.tokens.takeBack(tx, userId, 'change_email');
      const askedAt = clock?.time ?? '';
      const asked = { ...origin(client), session: sessionId, asked_at: askedAt };
      await this.outbox.add(
        tx,
        holder
          ? { kind: 'signup_attempt', userId: holder.id, recipient: holder.email, params: origin(client) }
          : { kind: 'change_email', userId, recipient: email, params: asked },
      );
      await this.outbox.add(tx, {
        kind: 'email_change_requested',
        userId,
        recipient: user.email,
        params: { ...origin(client), new_email: maskEmail(email), asked_at: askedAt },
      });
      const details = { email: maskEmail(email) };
      await this.audit.record({ kind: 'email_change_requested', userId, sessionId, client, details }, tx);
      return true;
    });
    if (isAccepted) this.log('email_change_requested', userId, client);
  }

  /** Puts the address into force that a token was sent to. All sessions end but the one in which it was asked for. */
  async confirm(token: string, { userId }: Grant, client: Client): Promise<EmailChangeOutcome> {
    try {
      const isChanged = await this.database.transaction((tx) => this.change(tx, token, userId, client));
      if (isChanged) this.log('email_changed', userId, client);
      return isChanged ? 'changed' : 'token_invalid';
    } catch (error) {
      if (isUniqueViolation(error)) return 'email_taken';
      throw error;
    }
  }

  private async change(tx: Queries, token: string, userId: string, client: Client): Promise<boolean> {
    const [user] = await tx.query(
      sql<{ email: string }>`select email from users where id = ${userId} for no key update`,
    );
    const grant = user && (await this.tokens.consume(tx, token, 'change_email'));
    if (!grant || !(await this.isStillWanted(tx, grant))) return false;
    const { email } = grant;
    await tx.query(
      sql`update users set email = ${email}, email_canonical = ${requireCanonical(email)}, email_verified_at = now(),
            updated_at = now() where id = ${userId}`,
    );
    await this.claims.endEverything(tx, userId, grant.sessionId ?? null, 'email_changed');
    // Guesses are counted by address, and the old one is nobody's now.
    await forgetGuesses(tx, requireCanonical(user.email), 'all');
    const details = { from: maskEmail(user.email), to: maskEmail(email) };
    await this.audit.record({ kind: 'email_changed', userId, client, details }, tx);
    await this.outbox.add(tx, {
      kind: 'email_changed',
      userId,
      recipient: user.email,
      params: { ...origin(client), new_email: maskEmail(email) },
    });
    return true;
  }

  /** Whether the session in which it was asked for was not ended by somebody who did not want it there. */
  private async isStillWanted(tx: Queries, { userId, sessionId }: Grant): Promise<boolean> {
    const rows = await tx.query(
      sql`select 1 from sessions s where s.id = ${sessionId ?? null} and s.user_id = ${userId} and not ${isCutOff}
          and (s.revoked_at is null or s.revoked_reason = any(${ENDED_BY_ITSELF}))`,
    );
    return rows.length === 1;
  }

  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const { userId, recipient } = job;
    if (userId === null || recipient === null) return null;
    const locked = await tx.query(
      sql`select 1 from users where id = ${userId} and disabled_at is null for no key update`,
    );
    const { session: sessionId = null, asked_at: askedAt = '' } = job.params;
    const grant: Grant = { purpose: 'change_email', userId, email: recipient, sessionId };
    if (locked.length === 0 || !(await this.isStillWanted(tx, grant))) return null;
    const later = await tx.query(
      sql`select 1 from outbox_mails where user_id = ${userId} and kind = 'email_change_requested' and params->>'asked_at' > ${askedAt}`,
    );
    if (later.length > 0) return null;
    // Taken meanwhile: its owner need not hear of a link that would lead nowhere.
    if (await holderOf(tx, recipient, userId)) return null;
    const params = await this.mails.compose(tx, job, grant);
    return params && { recipient, params };
  }

  private log(event: string, user: string, { requestId: request_id, ip }: Client): void {
    this.logger.info({ event, request_id, ip, user });
  }
}

/** Whose an address is already; undefined for nobody but the person that is left out. */
async function holderOf(
  tx: Queries,
  email: string,
  exceptId: string,
): Promise<{ id: string; email: string } | undefined> {
  const [holder] = await tx.query(
    sql<{ id: string; email: string }>`select id, email from users
      where email_canonical = ${requireCanonical(email)} and id <> ${exceptId}`,
  );
  return holder;
}
