import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { ActorLock, type EndedActor } from '../auth/credentials/actor-lock.service.js';
import { Database } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import { setProfile } from '../users/user-writes.js';
import type { ProfileBody } from '../users/users.dto.js';

/** Changing one's own profile. */
@Injectable()
export class ProfileChange {
  constructor(
    private readonly database: Database,
    private readonly actors: ActorLock,
    private readonly audit: Audit,
  ) {}

  /** @returns why nothing was changed: the session ended after the request was authenticated; null if all is well. */
  change(caller: LiveAuthentication, profile: ProfileBody, client: Client): Promise<EndedActor | null> {
    const { userId } = caller.live;
    return this.database.transaction(async (tx) => {
      const actor = await this.actors.lock(tx, caller);
      if (actor.status === 'ended') return actor;
      const { name, language } = profile;
      const changed = { ...(name !== undefined && { name }), ...(language !== undefined && { language }) };
      await setProfile(tx, userId, changed);
      const details = { fields: Object.keys(changed) };
      await this.audit.record({ kind: 'profile_changed', userId, client, details }, tx);
      return null;
    });
  }
}
