import { Global, Module } from '@nestjs/common';
import { MailComposition } from './mail-composition.service.js';
import { MailDelivery } from './mail-delivery.service.js';
import { Purger } from '../platform/retention/purger.service.js';
import { MailQueue, expiredMails } from './mail-queue.service.js';
import { MailTransport } from './mail-transport.js';
import { Outbox } from './outbox.service.js';

/** Mail: the outbox and its delivery. Global, because every feature sends notifications. */
@Global()
@Module({
  providers: [Outbox, MailQueue, MailTransport, MailComposition, MailDelivery],
  exports: [Outbox],
})
export class MailModule {
  constructor(purger: Purger) {
    purger.add(expiredMails());
  }
}
