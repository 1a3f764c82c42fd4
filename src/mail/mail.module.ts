import { Global, Module } from '@nestjs/common';
import { MailComposition } from './mail-composition.service.js';
import { MailDelivery } from './mail-delivery.service.js';
import { Sweeper } from '../platform/retention/sweeper.service.js';
import { MailQueue, oldMails } from './mail-queue.service.js';
import { MailTransport } from './mail-transport.js';
import { Outbox } from './outbox.service.js';

/** Mail: the outbox and its delivery. Global, because every feature sends notifications. */
@Global()
@Module({
  providers: [Outbox, MailQueue, MailTransport, MailComposition, MailDelivery],
  exports: [Outbox],
})
export class MailModule {
  constructor(sweeper: Sweeper) {
    sweeper.add(oldMails());
  }
}
