import { Module } from '@nestjs/common';
import { Purger } from '../platform/retention/purger.service.js';
import { SessionsModule } from '../auth/sessions/sessions.module.js';
import { LiveCredentials } from './live-credentials.service.js';
import { NodeRegistration } from './node-registration.service.js';
import { NodeRegistry, expiredNodes } from './node-registry.service.js';
import { StrategyChange } from './strategy-change.service.js';

/** The nodes that serve, and which value of AUTH_STRATEGY a node may run beside them. */
@Module({
  imports: [SessionsModule],
  providers: [NodeRegistry, NodeRegistration, LiveCredentials, StrategyChange],
  exports: [NodeRegistration, StrategyChange],
})
export class ClusterModule {
  constructor(purger: Purger) {
    purger.add(expiredNodes());
  }
}
