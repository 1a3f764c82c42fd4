import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Audit } from '../audit/audit.service.js';
import { Database } from '../platform/database/database.js';
import { Outbox } from '../mail/outbox.service.js';
import { Containment } from '../auth/containment/containment.service.js';
import type { EndedActor } from '../auth/credentials/actor-lock.service.js';
import { actorOf, type Administrator, AdminLock } from './admin-lock.service.js';
import { type ChangeOutcome, UserAdministration, type UserChange } from './user-administration.js';

/** The administration of accounts in the service: this node must know of ended sessions before the reply is sent. */
@Injectable()
export class UserAdministrationService extends UserAdministration {
  constructor(
    database: Database,
    containment: Containment,
    audit: Audit,
    outbox: Outbox,
    private readonly admins: AdminLock,
    @Inject(AUTH_CONFIG) config: AuthConfig,
  ) {
    super(database, containment, audit, outbox, config.SESSION_IDLE_TTL);
  }

  /** `change` by an administrator who may still act. */
  changeBy(admin: Administrator, id: string, change: UserChange): Promise<ChangeOutcome | EndedActor> {
    const actor = { actor: actorOf(admin), client: admin.client } as const;
    return this.database.transaction(
      async (tx) => (await this.admins.lock(tx, admin)) ?? this.changeIn(tx, id, change, actor),
    );
  }
}
