import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Audit } from '../../audit/audit.service.js';
import { Database } from '../../database/database.js';
import { Outbox } from '../../mail/outbox.service.js';
import { RevocationFeed } from '../sessions/revocation-feed.service.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { UserAdministration } from './user-administration.js';

/** The administration of accounts within the service, where this node hears of what ends before the reply leaves. */
@Injectable()
export class UserAdministrationService extends UserAdministration {
  constructor(
    database: Database,
    sessions: SessionsService,
    feed: RevocationFeed,
    audit: Audit,
    outbox: Outbox,
    @Inject(AUTH_CONFIG) config: AuthConfig,
  ) {
    super(
      database,
      {
        revokeOfUser: (...parameters) => sessions.revokeOfUser(...parameters),
        catchUp: () => feed.catchUp(),
      },
      audit,
      outbox,
      config.SESSION_IDLE_TTL,
    );
  }
}
