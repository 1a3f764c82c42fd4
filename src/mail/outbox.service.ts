import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Queries } from '../platform/database/database.js';
import { secondsAgo, secondsFromNow } from '../platform/database/sql-time.js';
import type { MailKind } from './mail-kinds.js';
import type { MailTables } from './mail.tables.js';

/** Parameters of a template: texts, never markup. `language` overrides the language of the account. */
export type MailParams = Readonly<Record<string, string>>;

/** A mail to send. It contains no secret: mails with a token are composed when they are sent. */
export interface NewMail {
  readonly kind: MailKind;
  /** The account that it concerns; null if it is only found when the mail is composed. */
  readonly userId: string | null;
  /** The address as stored; null if it is only found when the mail is composed. */
  readonly recipient: string | null;
  readonly params?: MailParams;
  /** Seconds after which the mail is not worth sending; one day by default. */
  readonly usefulFor?: number;
  /** Its 32 random bytes, if a token was derived from them before; fresh ones by default. */
  readonly nonce?: Buffer;
}

/** A mail that is about to be sent. */
export interface MailJob {
  readonly id: string;
  readonly kind: MailKind;
  readonly userId: string | null;
  readonly recipient: string | null;
  readonly params: MailParams;
  /** 32 random bytes of the mail: everything derived from them is the same at each attempt. */
  readonly nonce: Buffer;
  readonly createdAt: Date;
}

/** Recipient and parameters. */
export interface ComposedMail {
  /** The account, if the composer found it: its language counts. */
  readonly userId?: string;
  readonly recipient: string;
  readonly params: MailParams;
}

/**
 * Completes a mail in a transaction when it is sent: finds the recipient and creates the token.
 *
 * @returns null if there is no recipient.
 */
export type Composer = (tx: Queries, job: MailJob) => Promise<ComposedMail | null>;

const DAY = 86_400;
const NONCE_BYTES = 32;

/**
 * The outbox. Mails are added in the transaction of their cause and sent later: no request waits for a mail server,
 * and no mail is lost when the server or this process fails.
 */
@Injectable()
export class Outbox {
  private readonly composers = new Map<MailKind, Composer>();
  private readonly listeners: (() => void)[] = [];

  /** Calls a listener whenever a mail was added. */
  whenAdded(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Registers the composer of a kind of mail. Kinds without a composer need none. */
  composeWith(kind: MailKind, composer: Composer): void {
    this.composers.set(kind, composer);
  }

  /** Completes a mail; null if there is no recipient. */
  async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const composer = this.composers.get(job.kind);
    if (composer) return composer(tx, job);
    return job.recipient === null ? null : { recipient: job.recipient, params: job.params };
  }

  /** Adds a mail, in the transaction of its cause. */
  async add(queries: Queries, mail: NewMail): Promise<void> {
    const { kind, userId, recipient, params = {}, usefulFor = DAY, nonce = randomBytes(NONCE_BYTES) } = mail;
    await queries
      .of<MailTables>()
      .insertInto('outbox_mails')
      .values({
        id: uuidv7(),
        kind,
        user_id: userId,
        recipient,
        params: sql`${JSON.stringify(params)}::jsonb`,
        nonce,
        expires_at: secondsFromNow(usefulFor),
      })
      .execute();
    await queries.afterCommit(async () => {
      for (const listener of this.listeners) listener();
    });
  }

  /**
   * Counts the mails of a kind for an account in the last seconds. Mails with a token are also limited when they are
   * sent: five of a kind per hour, per account and per address.
   */
  async countRecent(queries: Queries, userId: string, kind: MailKind, seconds: number): Promise<number> {
    const { count } = await queries
      .of<MailTables>()
      .selectFrom('outbox_mails')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('user_id', '=', userId)
      .where('kind', '=', kind)
      .where('state', '<>', 'dropped')
      .where('created_at', '>', secondsAgo(seconds))
      .executeTakeFirstOrThrow();
    return count;
  }
}
