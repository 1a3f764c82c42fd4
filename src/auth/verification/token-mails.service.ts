import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { MailKind } from '../../mail/mail-kinds.js';
import { type MailJob, type MailParams, Outbox } from '../../mail/outbox.service.js';
import { type Grant, OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';

/** Mails of a kind that somebody can cause in an hour. The outbox sends no more of those with a link anyway. */
const PER_HOUR = 5;
const HOUR = 3_600;

/** The mark on a mail that was composed before: its token exists since then, or was used. */
const MARK = 'composed';

/** Mails that carry a token. */
@Injectable()
export class TokenMails {
  constructor(
    private readonly tokens: OneTimeTokens,
    private readonly outbox: Outbox,
  ) {}

  /** Whether an account had so many mails of a kind within the hour that one more would not be sent (E11). */
  async hadTooMany(queries: Queries, userId: string, kind: MailKind): Promise<boolean> {
    return (await this.outbox.countRecent(queries, userId, kind, HOUR)) >= PER_HOUR;
  }

  /**
   * The parameters of a mail whose account the transaction has locked, with a token: made at the first attempt to send it,
   * and the same at each.
   *
   * @returns null if there is to be no mail, because its token was used or superseded meanwhile, or it was withdrawn.
   */
  async compose(tx: Queries, job: MailJob, grant: Grant): Promise<MailParams | null> {
    const standing = await this.tokens.find(tx, job);
    // A token that was used must not come into being once more.
    if (standing === null && wasComposed(job)) return null;
    const marked = await tx.query(
      sql`update outbox_mails set params = params || jsonb_build_object(${MARK}::text, 'yes'), user_id = ${grant.userId}
          where id = ${job.id} and state = 'waiting' returning 1`,
    );
    // Withdrawn while it was being composed.
    if (marked.length === 0) return null;
    if (standing !== null) return { ...job.params, token: standing };
    // The newest link counts. Those that prove the address an account has are all worth the same, and stay: nobody shall be
    // able to take back the one of somebody else, nor be refused for opening the first of two mails.
    if (grant.purpose !== 'verify_email') await this.tokens.takeBack(tx, grant.userId, grant.purpose);
    return { ...job.params, token: await this.tokens.mint(tx, job, grant) };
  }
}

/** Whether a mail was composed before, in an attempt to send it that failed. */
export function wasComposed({ params }: MailJob): boolean {
  return params[MARK] !== undefined;
}

/** Where a request came from, for the mail that tells of it. */
export function origin({ ip, userAgent }: Client): MailParams {
  return { ip, user_agent: userAgent ?? '' };
}

/** Who `origin` was made of, with the `request_id` beside it. */
export function clientOf({ ip = '', user_agent: userAgent, request_id: requestId = '' }: MailParams): Client {
  return { ip, userAgent: userAgent || null, requestId };
}
