import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database, type Queries } from '../platform/database/database.js';
import { DEFAULT_LANGUAGE, isLanguage, type Language } from '../texts/language.js';
import { envelopeAddress } from './mail-address.js';
import { contentOf } from './mail-contents.js';
import { type ClaimedMail, MailQueue } from './mail-queue.service.js';
import type { OutgoingMail } from './mail-transport.js';
import { type MailParams, Outbox } from './outbox.service.js';
import { renderMail } from './render-mail.js';
import { sealShown } from './shown-mail.js';

/**
 * The result of composing: a mail to send or to show, a reason not to send it, or a mail that another process has
 * taken.
 */
export type Composition =
  | { readonly outcome: 'ready'; readonly mail: OutgoingMail }
  | { readonly outcome: 'shown' | 'taken' }
  | { readonly outcome: 'dropped'; readonly reason: string };

/** Rolls the transaction back: a token that is not sent must not be created. */
class NotToBeSent extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

/** Composes mails. Their links come from PUBLIC_URL, never from a request. */
@Injectable()
export class MailComposition {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly queue: MailQueue,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly auth: AuthConfig,
  ) {}

  /** Composes a mail that is to be sent. */
  async compose(claimed: ClaimedMail): Promise<Composition> {
    return this.attempt(async (tx) => {
      const mail = await this.render(tx, claimed);
      return mail ? { outcome: 'ready', mail } : { outcome: 'taken' };
    });
  }

  /** Composes a mail that is only shown. */
  async show(claimed: ClaimedMail): Promise<Composition> {
    return this.attempt(async (tx) => {
      const mail = await this.render(tx, claimed);
      if (!mail) return { outcome: 'taken' };
      await this.queue.markShown(tx, claimed.id, sealShown(this.auth.AUTH_SECRETS, claimed.id, mail));
      return { outcome: 'shown' };
    });
  }

  private async attempt(work: (tx: Queries) => Promise<Composition>): Promise<Composition> {
    try {
      return await this.database.transaction(work);
    } catch (error) {
      if (error instanceof NotToBeSent) return { outcome: 'dropped', reason: error.reason };
      throw error;
    }
  }

  /** @returns null if another process has taken the mail. */
  private async render(tx: Queries, claimed: ClaimedMail): Promise<OutgoingMail | null> {
    if (!(await this.queue.isHeld(tx, claimed))) return null;
    const composed = await this.outbox.compose(tx, claimed);
    if (!composed) throw new NotToBeSent('nobody');
    const { recipient, params, userId = claimed.userId } = composed;
    if (envelopeAddress(recipient) === null) throw new NotToBeSent('address');
    // After the composer, which may lock the account.
    if ((await this.queue.address(tx, claimed, recipient)) === 'too_many') throw new NotToBeSent('too_many');
    const { id, kind, createdAt: at } = claimed;
    const language = await languageFor(tx, userId, params);
    const content = contentOf({ kind, params, at, publicUrl: this.app.PUBLIC_URL, language });
    return { id, at, recipient, ...renderMail(content) };
  }
}

/** The language of a mail: the one given with it, else that of the account, else the default. */
async function languageFor(tx: Queries, userId: string | null, { language }: MailParams): Promise<Language> {
  if (isLanguage(language)) return language;
  const [user] = await tx.query(
    sql<{ language: string | null }>`select language from users where id = ${userId}::uuid`,
  );
  return isLanguage(user?.language) ? user.language : DEFAULT_LANGUAGE;
}
