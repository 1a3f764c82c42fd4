import { Injectable } from '@nestjs/common';
import { type QueryCreator, sql } from 'kysely';
import { Database, type Queries } from '../platform/database/database.js';
import { NOW, secondsFromNow } from '../platform/database/sql-time.js';
import { ExpiredRows } from '../platform/retention/expired-rows.js';
import type { MailKind } from './mail-kinds.js';
import type { MailTables } from './mail.tables.js';
import type { MailJob } from './outbox.service.js';

/** A mail that this process has claimed for sending. */
export interface ClaimedMail extends MailJob {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
}

/** The lease of a claim in seconds, and the remainder that sending needs: longer than sending can take. */
const LEASE = 60;
const LEASE_LEFT = 35;
/** Mails per hour of one kind, per account and per address, for kinds that anyone can request. */
const HOURLY_MAX = 5;
const LIMITED: readonly MailKind[] = ['verify_email', 'change_email', 'reset_password', 'signup_attempt'];

/** Finished mails are kept for a week, for questions about delivery. */
export const expiredMails = () =>
  new ExpiredRows<MailTables>({
    table: 'outbox_mails',
    key: ['id'],
    by: 'created_at',
    isOver: sql`state <> 'waiting' and created_at < now() - interval '7 days'`,
  });

/** The rows of the outbox for delivery. The database decides by its clock which node sends a mail. */
@Injectable()
export class MailQueue {
  constructor(private readonly database: Database) {}

  /**
   * Claims due mails for a limited time. A mail that is not finished by then is due again, so no mail is lost with a
   * process.
   */
  async claim(limit: number): Promise<ClaimedMail[]> {
    const rows = await this.mails
      .updateTable('outbox_mails')
      .set((mail) => ({ attempts: mail('attempts', '+', 1), next_attempt_at: secondsFromNow(LEASE) }))
      .where('id', 'in', (due) =>
        due
          .selectFrom('outbox_mails')
          .select('id')
          .where('state', '=', 'waiting')
          .where('next_attempt_at', '<=', NOW)
          .where('expires_at', '>', NOW)
          .orderBy('next_attempt_at')
          .orderBy('id')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .returning(['id', 'kind', 'user_id', 'recipient', 'params', 'nonce', 'created_at', 'attempts'])
      .execute();
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      userId: row.user_id,
      recipient: row.recipient,
      params: row.params,
      nonce: row.nonce,
      createdAt: row.created_at,
      attempt: row.attempts,
    }));
  }

  /** Whether a claim is still valid for long enough to send: the process may have been suspended. */
  async isHeld(tx: Queries, { id, attempt }: ClaimedMail): Promise<boolean> {
    const rows = await tx
      .of<MailTables>()
      .selectFrom('outbox_mails')
      .select('id')
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .where('attempts', '=', attempt)
      .where('next_attempt_at', '>', secondsFromNow(LEASE_LEFT))
      .execute();
    return rows.length > 0;
  }

  /**
   * Sets the recipient of a mail, and checks the hourly limit of its kind. Earlier mails count in the order in which
   * they were added, whatever their attempts.
   */
  async address(
    tx: Queries,
    { id, kind, params }: ClaimedMail,
    recipient: string,
  ): Promise<'fine' | 'too_many'> {
    // Requests of administrators are not limited, and others cannot use up their quota.
    const isLimited = LIMITED.includes(kind) && params['by'] !== 'admin';
    if (isLimited)
      await tx.query(sql`select pg_advisory_xact_lock(hashtextextended(${`${kind} ${recipient}`}, 0))`);
    const [found] = await tx.query(
      sql<{ before: number }>`update outbox_mails mail set recipient = ${recipient} where mail.id = ${id}
          returning (select count(*)::int from outbox_mails other
            where other.kind = mail.kind and (other.recipient = ${recipient} or other.user_id = mail.user_id)
              and (other.created_at, other.id) < (mail.created_at, mail.id)
              and other.created_at > mail.created_at - interval '1 hour' and other.state <> 'dropped') as before`,
    );
    return isLimited && (found?.before ?? 0) >= HOURLY_MAX ? 'too_many' : 'fine';
  }

  /** Records that the mail server took the mail. */
  async markSent(id: string): Promise<void> {
    await this.mails
      .updateTable('outbox_mails')
      .set({ state: 'sent', finished_at: NOW, last_error: null })
      .where('id', '=', id)
      .execute();
  }

  /** Keeps the mail for the development mailbox. */
  async markShown(tx: Queries, id: string, rendered: Buffer): Promise<void> {
    await tx
      .of<MailTables>()
      .updateTable('outbox_mails')
      .set({ state: 'shown', finished_at: NOW, last_error: null, rendered })
      .where('id', '=', id)
      .execute();
  }

  /** Drops the mail: it will not be sent. */
  async drop(mail: ClaimedMail, reason: string): Promise<void> {
    await this.claimed(mail).set({ state: 'dropped', finished_at: NOW, last_error: reason }).execute();
  }

  /** Schedules another attempt. */
  async postpone(mail: ClaimedMail, reason: string, seconds: number): Promise<void> {
    await this.claimed(mail)
      .set({ next_attempt_at: secondsFromNow(seconds), last_error: reason })
      .execute();
  }

  /**
   * Drops mails that are too late, except those being sent.
   *
   * @returns the number of dropped mails.
   */
  async dropLate(): Promise<number> {
    const late = await this.mails
      .updateTable('outbox_mails')
      .set({
        state: 'dropped',
        finished_at: NOW,
        last_error: sql<string>`coalesce(last_error, 'expired')`,
      })
      .where('state', '=', 'waiting')
      .where('expires_at', '<=', NOW)
      .where((mail) => mail.or([mail('attempts', '=', 0), mail('next_attempt_at', '<=', NOW)]))
      .returning('id')
      .execute();
    return late.length;
  }

  private get mails(): QueryCreator<MailTables> {
    return this.database.of<MailTables>();
  }

  /** An update that has no effect after the claim has expired. */
  private claimed({ id, attempt }: ClaimedMail) {
    return this.mails
      .updateTable('outbox_mails')
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .where('attempts', '=', attempt);
  }
}
