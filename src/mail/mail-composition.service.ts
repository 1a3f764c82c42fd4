import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database, type Queries } from '../database/database.js';
import { envelopeAddress } from './mail-address.js';
import { contentOf } from './mail-contents.js';
import { type ClaimedMail, MailQueue } from './mail-queue.service.js';
import type { OutgoingMail } from './mail-transport.js';
import { Outbox } from './outbox.service.js';
import { renderMail } from './render-mail.js';
import { sealShown } from './shown-mail.js';

/** What became of composing: a mail to send, one that is shown instead, one not to send and why, or somebody else's. */
export type Composition =
  | { readonly outcome: 'ready'; readonly mail: OutgoingMail }
  | { readonly outcome: 'shown' | 'taken' }
  | { readonly outcome: 'dropped'; readonly reason: string };

/** Ends the transaction without what was done in it: a token nobody gets is not made either. */
class NotToBeSent extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

/** Makes mails of what is to be told. Where they lead to comes from PUBLIC_URL, and from no request. */
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

  /** @returns null if the mail is another process's by now. */
  private async render(tx: Queries, claimed: ClaimedMail): Promise<OutgoingMail | null> {
    if (!(await this.queue.isHeld(tx, claimed))) return null;
    const composed = await this.outbox.compose(tx, claimed);
    if (!composed) throw new NotToBeSent('nobody');
    const { recipient, params } = composed;
    if (envelopeAddress(recipient) === null) throw new NotToBeSent('address');
    // Behind the composer, which may lock the account.
    if ((await this.queue.address(tx, claimed, recipient)) === 'too_many') throw new NotToBeSent('too_many');
    const { id, kind, createdAt: at } = claimed;
    const content = contentOf({ kind, params, at, publicUrl: this.app.PUBLIC_URL });
    return { id, at, recipient, ...renderMail(content) };
  }
}
