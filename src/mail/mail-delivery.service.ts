import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AppConfig } from '../../config/app.config.js';
import { APP_CONFIG } from '../../config/tokens.config.js';
import { LOGGER } from '../logging/logger.js';
import { maskEmail } from '../logging/mask-email.js';
import { type Composition, MailComposition } from './mail-composition.service.js';
import { type ClaimedMail, MailQueue } from './mail-queue.service.js';
import { MailTransport, type OutgoingMail, type SendFailure, sendFailure } from './mail-transport.js';
import { Outbox } from './outbox.service.js';

/** Milliseconds between two looks for what is due: after a failure, or added by another node that died. */
const LOOK_INTERVAL = 2_000;
const LATE_INTERVAL = 60_000;
/** Mails that one process sends at once. */
const AT_ONCE = 4;
/**
 * Milliseconds until what was added is looked at: the reply is out by then, and its time does not tell whether there was
 * anything to compose.
 */
const BEHIND_THE_REPLY = 50;
/** Milliseconds that what is being sent gets at a stop. */
const GRACE = 1_500;
/** Seconds until the next attempt: thrice as long after each, up to what its failure deserves. */
const FIRST_DELAY = 5;
const DELAY_MAX = { passing: 5 * 60, final: 60 * 60 };
/** Attempts to note that the mail server has a mail, and the milliseconds between them. */
const MARKINGS = 5;
const MARKING_PAUSE = 1_000;

/**
 * Sends what is in the outbox, beside the requests. A mail is due until the mail server has it; one that the server took
 * just before this process died goes out once more, with the same text and the same Message-ID.
 */
@Injectable()
export class MailDelivery implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly underWay = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private readonly timers: NodeJS.Timeout[] = [];
  private looking = Promise.resolve();
  private isLooking = false;
  private isWantedAgain = false;
  private isStopping = false;
  private isQueueAway = false;
  private soon: NodeJS.Timeout | undefined;

  constructor(
    private readonly outbox: Outbox,
    private readonly queue: MailQueue,
    private readonly composition: MailComposition,
    private readonly transport: MailTransport,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.every(LATE_INTERVAL, () => void this.dropLate());
    if (this.mustWait) return;
    this.outbox.whenAdded(() => this.sendSoon());
    this.every(LOOK_INTERVAL, () => void this.sendDue());
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    for (const timer of this.timers) clearInterval(timer);
    const giveUp = setTimeout(() => this.stopping.abort(), GRACE);
    await this.looking;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
    clearTimeout(giveUp);
  }

  /** Sends what is due, as far as there is room; each that is done makes room for the next. Never throws. */
  sendDue(): Promise<void> {
    if (this.mustWait) return Promise.resolve();
    this.isWantedAgain = true;
    if (!this.isLooking) this.looking = this.lookWhileWanted();
    return this.looking;
  }

  /** In production mails wait until there is a mail server: shown there, their links would be anybody's who looks. */
  private get mustWait(): boolean {
    return !this.transport.isConfigured && this.app.APP_ENV === 'production';
  }

  private async lookWhileWanted(): Promise<void> {
    this.isLooking = true;
    try {
      while (this.isWantedAgain && !this.isStopping) {
        this.isWantedAgain = false;
        const room = AT_ONCE - this.underWay.size;
        const claimed = room > 0 ? await this.queue.claim(room) : [];
        for (const mail of claimed) this.start(mail);
        this.isQueueAway = false;
      }
    } catch (error) {
      // Told once: while the database is away, every look fails.
      if (!this.isQueueAway) this.logger.warn({ event: 'mail_delivery_delayed', err: error });
      this.isQueueAway = true;
    } finally {
      this.isLooking = false;
    }
  }

  private sendSoon(): void {
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      void this.sendDue();
    }, BEHIND_THE_REPLY).unref();
  }

  private every(ms: number, work: () => void): void {
    this.timers.push(setInterval(work, ms).unref());
  }

  private start(mail: ClaimedMail): void {
    const work = this.deliver(mail)
      .catch((error: unknown) => {
        // It is due again when the claim ends.
        this.logger.warn({ event: 'mail_delivery_delayed', kind: mail.kind, mail: mail.id, err: error });
      })
      .finally(() => {
        this.underWay.delete(work);
        void this.sendDue();
      });
    this.underWay.add(work);
  }

  private async deliver(claimed: ClaimedMail): Promise<void> {
    const composition = await this.compose(claimed);
    if (composition?.outcome === 'dropped') await this.drop(claimed, composition.reason);
    if (composition?.outcome === 'ready') await this.send(claimed, composition.mail);
  }

  /** @returns null if it failed, and is tried again. */
  private async compose(claimed: ClaimedMail): Promise<Composition | null> {
    try {
      const { composition, transport } = this;
      return await (transport.isConfigured ? composition.compose(claimed) : composition.show(claimed));
    } catch (error) {
      const { id, kind, attempt } = claimed;
      this.logger.error({ event: 'mail_not_composed', kind, mail: id, attempt, err: error });
      await this.queue.postpone(claimed, 'compose', delayOf(attempt, 'passing'));
      return null;
    }
  }

  private async send(claimed: ClaimedMail, mail: OutgoingMail): Promise<void> {
    const about = { kind: claimed.kind, mail: claimed.id, attempt: claimed.attempt };
    try {
      await this.transport.send(mail, this.stopping.signal);
    } catch (error) {
      const failure = sendFailure(error);
      this.logger.warn({
        event: 'mail_failed',
        ...about,
        to: maskEmail(mail.recipient),
        reason: failure.reason,
      });
      await this.queue.postpone(claimed, failure.reason, delayOf(claimed.attempt, failure.finality));
      return;
    }
    await this.markSent(claimed.id);
    this.logger.info({ event: 'mail_sent', ...about });
  }

  /** Insists, because a mail that is not noted as sent is sent again. */
  private async markSent(id: string): Promise<void> {
    for (let marking = 1; ; marking += 1) {
      try {
        return await this.queue.markSent(id);
      } catch (error) {
        if (marking === MARKINGS || this.stopping.signal.aborted) throw error;
        await pause(MARKING_PAUSE, undefined, { ref: false });
      }
    }
  }

  private async drop(claimed: ClaimedMail, reason: string): Promise<void> {
    await this.queue.drop(claimed, reason);
    this.logger.info({ event: 'mail_dropped', kind: claimed.kind, mail: claimed.id, reason });
  }

  private async dropLate(): Promise<void> {
    try {
      const late = await this.queue.dropLate();
      if (late > 0) this.logger.warn({ event: 'mails_expired', count: late });
    } catch {
      // The next time.
    }
  }
}

/** Seconds, with a fifth by chance, so that what failed together is not tried together. */
function delayOf(attempt: number, finality: SendFailure['finality']): number {
  const delay = Math.min(FIRST_DELAY * 3 ** (attempt - 1), DELAY_MAX[finality]);
  return delay * (1 + Math.random() / 5);
}
