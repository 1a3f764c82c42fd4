import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database, type Queries } from '../database/database.js';
import { OldRows } from '../sweep/old-rows.js';
import type { MailKind } from './mail-kinds.js';
import type { MailJob } from './outbox.service.js';

/** A mail that this process is to send now. */
export interface ClaimedMail extends MailJob {
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
}

/** Seconds that a claim lasts, and what must be left of it to begin sending: longer than sending can take. */
const LEASE = 60;
const LEASE_LEFT = 35;
/** Mails of a kind in an hour, for an account and for an address, of those that anybody can ask for. */
const HOURLY_MAX = 5;
const LIMITED: readonly MailKind[] = ['verify_email', 'change_email', 'reset_password', 'signup_attempt'];

/** What is done with is kept a week: who asks where a mail is does so within days. */
export const oldMails = () =>
  new OldRows({
    table: 'outbox_mails',
    key: ['id'],
    by: 'created_at',
    isOver: sql`state <> 'waiting' and created_at < now() - interval '7 days'`,
  });

/** The rows of the outbox, as those who send see them. The database decides who sends what, and by its clock. */
@Injectable()
export class MailQueue {
  constructor(private readonly database: Database) {}

  /**
   * Takes mails that are due, for a time in which nobody else gets them. What is not settled by then is due again, so nothing
   * is lost with a process that dies.
   */
  async claim(limit: number): Promise<ClaimedMail[]> {
    const rows = await this.database.query(
      sql<Row>`update outbox_mails set attempts = attempts + 1,
            next_attempt_at = now() + make_interval(secs => ${LEASE})
          where id in (select id from outbox_mails
            where state = 'waiting' and next_attempt_at <= now() and expires_at > now()
            order by next_attempt_at, id limit ${limit} for update skip locked)
          returning id, kind, user_id, recipient, params, nonce, created_at, attempts`,
    );
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      userId: row.user_id,
      recipient: row.recipient,
      params: row.params,
      nonce: Buffer.from(row.nonce),
      createdAt: new Date(row.created_at),
      attempt: row.attempts,
    }));
  }

  /** Whether a claim still holds, for long enough to send: a process may have slept in between. */
  async isHeld(tx: Queries, { id, attempt }: ClaimedMail): Promise<boolean> {
    const rows = await tx.query(
      sql`select 1 from outbox_mails where id = ${id} and state = 'waiting' and attempts = ${attempt}
          and next_attempt_at > now() + make_interval(secs => ${LEASE_LEFT})`,
    );
    return rows.length > 0;
  }

  /**
   * Notes whom a mail goes to, and whether they have not had too many of its kind. Those before it count, in the order in which
   * they were added, however often and by whom they are tried.
   */
  async address(
    tx: Queries,
    { id, kind, params }: ClaimedMail,
    recipient: string,
  ): Promise<'fine' | 'too_many'> {
    // What an administrator has sent nobody else can ask for, nor keep away by asking for others.
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

  /** The mail server has it. */
  async markSent(id: string): Promise<void> {
    await this.database.query(
      sql`update outbox_mails set state = 'sent', finished_at = now(), last_error = null where id = ${id}`,
    );
  }

  /** It is kept for the mailbox of development. */
  async markShown(tx: Queries, id: string, rendered: Buffer): Promise<void> {
    await tx.query(
      sql`update outbox_mails set state = 'shown', finished_at = now(), last_error = null, rendered = ${rendered}
          where id = ${id}`,
    );
  }

  /** It is not going to be sent. */
  async drop({ id, attempt }: ClaimedMail, reason: string): Promise<void> {
    await this.database.query(
      sql`update outbox_mails set state = 'dropped', finished_at = now(), last_error = ${reason}
          where id = ${id} and state = 'waiting' and attempts = ${attempt}`,
    );
  }

  /** It is to be tried again. */
  async postpone({ id, attempt }: ClaimedMail, reason: string, seconds: number): Promise<void> {
    await this.database.query(
      sql`update outbox_mails set next_attempt_at = now() + make_interval(secs => ${seconds}), last_error = ${reason}
          where id = ${id} and state = 'waiting' and attempts = ${attempt}`,
    );
  }

  /**
   * Drops what came too late, but for what is being sent right now.
   *
   * @returns how many.
   */
  async dropLate(): Promise<number> {
    const late = await this.database.query(
      sql`update outbox_mails set state = 'dropped', finished_at = now(), last_error = coalesce(last_error, 'expired')
          where state = 'waiting' and expires_at <= now() and (attempts = 0 or next_attempt_at <= now()) returning id`,
    );
    return late.length;
  }
}

interface Row {
  readonly id: string;
  readonly kind: MailKind;
  readonly user_id: string | null;
  readonly recipient: string | null;
  readonly params: Readonly<Record<string, string>>;
  readonly nonce: Uint8Array;
  readonly created_at: Date | string;
  readonly attempts: number;
}
