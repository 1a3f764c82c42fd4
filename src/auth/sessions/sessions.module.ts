import { Inject, Module } from '@nestjs/common';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Purger } from '../../platform/retention/purger.service.js';
import { RevocationModule } from '../revocation/revocation.module.js';
import { ExpiredSessions } from './expired-sessions.js';
import { PendingExchanges } from './pending-exchanges.service.js';
import { RunningStrategy } from './running-strategy.js';
import { SessionActivity } from './session-activity.service.js';
import { SessionPurges } from './session-purges.service.js';
import { SessionsService } from './sessions.service.js';
import { VerifiedCredentials } from './verified-credentials.service.js';

const SERVICES = [
  RunningStrategy,
  SessionsService,
  SessionActivity,
  SessionPurges,
  VerifiedCredentials,
  PendingExchanges,
];

/** The session row: its lifetime, its last use, and the cache of verified credentials. */
@Module({ imports: [RevocationModule], providers: SERVICES, exports: SERVICES })
export class SessionsModule {
  constructor(
    purger: Purger,
    { all: purges }: SessionPurges,
    @Inject(AUTH_CONFIG) { SESSION_RETENTION }: AuthConfig,
  ) {
    purger.add(
      new ExpiredSessions('expires_at', SESSION_RETENTION, purges),
      new ExpiredSessions('revoked_at', SESSION_RETENTION, purges),
    );
  }
}
