import { Injectable } from '@nestjs/common';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import type { MailKind } from '../../mail/mail-kinds.js';
import { setMailParam } from '../../mail/outbox-writes.js';
import { type MailJob, type MailParams, Outbox } from '../../mail/outbox.service.js';
import type { MailedToken } from './mail-code.js';
import { type Grant, OneTimeTokens } from './one-time-tokens.service.js';
import { revokeTokens } from './revoke-tokens.js';

/** The maximum of mails of one kind in an hour for an account. The outbox also enforces it for mails with a link. */
const PER_HOUR = 5;
const HOUR = 3_600;

/** Marks a mail that was composed before: its token exists or was used. */
const MARK = 'composed';

/** Mails that carry a token. */
@Injectable()
export class TokenMails {
  constructor(
    private readonly tokens: OneTimeTokens,
    private readonly outbox: Outbox,
  ) {}

  /** Whether an account had so many mails of a kind within the hour that another would not be sent (E11). */
  async hadTooMany(queries: Queries, userId: string, kind: MailKind): Promise<boolean> {
    return (await this.outbox.countRecent(queries, userId, kind, HOUR)) >= PER_HOUR;
  }

  /**
   * The parameters of a mail with a token, for an account that the transaction has locked. The token is created at
   * the first attempt to send the mail and is the same at each.
   *
   * @returns null if no mail must be sent: its token was used, superseded or revoked since.
   */
  async compose(tx: Queries, job: MailJob, grant: Grant): Promise<MailParams | null> {
    const standing = await this.tokens.find(tx, job);
    // A used token must not be created again.
    if (standing === null && wasComposed(job)) return null;
    // Dropped while it was composed.
    if (!(await setMailParam(tx, job.id, grant.userId, [MARK, 'yes']))) return null;
    if (standing !== null) return { ...job.params, ...paramsOf(standing) };
    // Only the newest link stays valid. Links that verify the current address are equivalent and all stay: an
    // attacker must not be able to revoke the owner's link, and the owner can open the first of two mails.
    if (grant.purpose !== 'verify_email') await revokeTokens(tx, grant.userId, grant.purpose);
    return { ...job.params, ...paramsOf(await this.tokens.mint(tx, job, grant)) };
  }
}

function paramsOf({ token, code }: MailedToken): MailParams {
  return { token, ...(code !== null && { code }) };
}

/** Whether a mail was composed in an earlier attempt that failed. */
export function wasComposed({ params }: MailJob): boolean {
  return params[MARK] !== undefined;
}

/** The client of a request, for the mail about it. */
export function origin({ ip, userAgent }: Client): MailParams {
  return { ip, user_agent: userAgent ?? '' };
}

/** The client that `origin` described, with its `request_id`. */
export function clientOf({ ip = '', user_agent: userAgent, request_id: requestId = '' }: MailParams): Client {
  return { ip, userAgent: userAgent || null, requestId };
}
