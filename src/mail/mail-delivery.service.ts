import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AppConfig } from '../../config/app.config.js';
import { APP_CONFIG } from '../../config/tokens.config.js';
import { LOGGER } from '../platform/logging/logger.js';
import { maskEmail } from '../platform/logging/mask-email.js';
import { type Composition, MailComposition } from './mail-composition.service.js';
import { type ClaimedMail, MailQueue } from './mail-queue.service.js';
import { MailTransport, type OutgoingMail, type SendFailure, sendFailure } from './mail-transport.js';
import { Outbox } from './outbox.service.js';

/** Milliseconds between two polls for due mails: retries, and mails of a node that died. */
const LOOK_INTERVAL = 2_000;
const LATE_INTERVAL = 60_000;
/** Mails that one process sends concurrently. */
const AT_ONCE = 4;
/**
 * Delay in milliseconds before an added mail is composed: the reply has left by then, so its time does not reveal
 * whether a mail was composed.
 */
const BEHIND_THE_REPLY = 50;
/** Milliseconds that a shutdown waits for mails that are being sent. */
const GRACE = 1_500;
/** Seconds until the second attempt; the delay triples after each attempt, up to a limit by kind of failure. */
const FIRST_DELAY = 5;
const DELAY_MAX = { passing: 5 * 60, final: 60 * 60 };
/** Attempts to record that the server took a mail, and the milliseconds between them. */
const MARKINGS = 5;
const MARKING_PAUSE = 1_000;

/**
 * Sends the mails of the outbox in the background. A mail is due until the server has taken it. If the process dies
 * right after that, the mail is sent again with the same text and Message-ID.
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

  /** Sends due mails up to the concurrency limit, and continues as they finish. Never throws. */
  sendDue(): Promise<void> {
    if (this.mustWait) return Promise.resolve();
    this.isWantedAgain = true;
    if (!this.isLooking) this.looking = this.lookWhileWanted();
    return this.looking;
  }

  /** In production, mails wait for a mail server: a mailbox would show their links to anyone. */
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
      // Log it once: while the database is unavailable, every poll fails.
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
        // The mail is due again when the claim expires.
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

  /** @returns null if it failed and will be retried. */
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

  /** Retries, because a mail that is not recorded as sent is sent again. */
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
      // The next attempt.
    }
  }
}

/** Returns the delay in seconds, with random jitter of a fifth, so that failed mails are not all retried together. */
function delayOf(attempt: number, finality: SendFailure['finality']): number {
  const delay = Math.min(FIRST_DELAY * 3 ** (attempt - 1), DELAY_MAX[finality]);
  return delay * (1 + Math.random() / 5);
}
