import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Queries } from '../database/database.js';
import type { MailKind } from './mail-kinds.js';

/** What a template fills in: texts, never markup. */
export type MailParams = Readonly<Record<string, string>>;

/** A mail to be sent. It holds no secret: what carries a token is composed when it is sent. */
export interface NewMail {
  readonly kind: MailKind;
  /** Whose account it concerns; null where that is only found when it is composed. */
  readonly userId: string | null;
  /** The address as stored; null where it is only found when it is composed. */
  readonly recipient: string | null;
  readonly params?: MailParams;
  /** Seconds after which it is not worth sending any more; a day by default. */
  readonly usefulFor?: number;
  /** Its 32 random bytes, where a token was derived from them before; fresh ones by default. */
  readonly nonce?: Buffer;
}

/** A mail that is about to be sent. */
export interface MailJob {
  readonly id: string;
  readonly kind: MailKind;
  readonly userId: string | null;
  readonly recipient: string | null;
  readonly params: MailParams;
  /** 32 random bytes of its own: what is derived from them is the same at each attempt. */
  readonly nonce: Buffer;
  readonly createdAt: Date;
}

/** To whom, and what the template fills in. */
export interface ComposedMail {
  readonly recipient: string;
  readonly params: MailParams;
}

/**
 * Completes a mail when it is sent, in a transaction: finds whom it concerns, and makes the token that it carries.
 *
 * @returns null when there is nobody to write to.
 */
export type Composer = (tx: Queries, job: MailJob) => Promise<ComposedMail | null>;

const DAY = 86_400;
const NONCE_BYTES = 32;

/**
 * Mails that are to be sent. They are written in the transaction of what they tell, and sent behind it: no request waits
 * for a mail server, and none is lost when that one or this process fails.
 */
@Injectable()
export class Outbox {
  private readonly composers = new Map<MailKind, Composer>();
  private readonly listeners: (() => void)[] = [];

  /** Calls a listener whenever a mail that was added is there to be sent. */
  whenAdded(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Says how mails of a kind are completed. Those without a composer have all they need. */
  composeWith(kind: MailKind, composer: Composer): void {
    this.composers.set(kind, composer);
  }

  /** Completes a mail; null when there is nobody to write to. */
  async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const composer = this.composers.get(job.kind);
    if (composer) return composer(tx, job);
    return job.recipient === null ? null : { recipient: job.recipient, params: job.params };
  }

  /** Adds a mail, in the transaction of what it tells. */
  async add(queries: Queries, mail: NewMail): Promise<void> {
    const { kind, userId, recipient, params = {}, usefulFor = DAY, nonce = randomBytes(NONCE_BYTES) } = mail;
    await queries.query(
      sql`insert into outbox_mails (id, kind, user_id, recipient, params, nonce, expires_at)
          values (${uuidv7()}, ${kind}, ${userId}, ${recipient}, ${JSON.stringify(params)}::jsonb, ${nonce},
            now() + make_interval(secs => ${usefulFor}))`,
    );
    await queries.afterCommit(async () => {
      for (const listener of this.listeners) listener();
    });
  }

  /**
   * How many mails of a kind somebody was to get in the last seconds. Those that carry a token are limited anyway when they are
   * sent: five of a kind an hour for an account and for an address.
   */
  async countRecent(queries: Queries, userId: string, kind: MailKind, seconds: number): Promise<number> {
    const [found] = await queries.query(
      sql<{ count: number }>`select count(*)::int as count from outbox_mails
        where user_id = ${userId} and kind = ${kind} and state <> 'dropped'
          and created_at > now() - make_interval(secs => ${seconds})`,
    );
    return found?.count ?? 0;
  }
}
