import { Global, Module } from '@nestjs/common';
import { Audit } from './audit.service.js';
import { AuditLog } from './audit-log.service.js';
import { Purger } from '../platform/retention/purger.service.js';
import { AuditRetention, expiredAuditCounters } from './audit-retention.service.js';
import { AuditRounds } from './audit-rounds.service.js';
import { AuditSealer } from './audit-sealer.service.js';
import { OwnEventsController } from './own-events.controller.js';

/** The audit trail. Global, because every feature records events. */
@Global()
@Module({
  controllers: [OwnEventsController],
  providers: [Audit, AuditLog, AuditSealer, AuditRetention, AuditRounds],
  exports: [Audit, AuditLog],
})
export class AuditModule {
  constructor(purger: Purger, retention: AuditRetention) {
    purger.add(retention, expiredAuditCounters());
  }
}
