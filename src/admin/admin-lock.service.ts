import { Injectable } from '@nestjs/common';
import { ActorLock, type EndedActor } from '../auth/credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import type { Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { lockOtherAdmins } from '../users/last-admin.js';

/** An administrator who acts over HTTP, and from where. */
export interface Administrator {
  readonly caller: LiveAuthentication;
  readonly client: Client;
}

/** Locks the administrator who acts on another account. */
@Injectable()
export class AdminLock {
  constructor(private readonly actors: ActorLock) {}

  /**
   * Locks all administrators, then the session of the one who acts. Call it before the other account is locked.
   *
   * @returns null if the administrator may still act.
   */
  async lock(tx: Queries, { caller }: Administrator): Promise<EndedActor | null> {
    // Administrators who act on each other would deadlock if each locked only the own account first.
    await lockOtherAdmins(tx, caller.live.userId);
    const actor = await this.actors.lock(tx, caller);
    return actor.status === 'ended' ? actor : null;
  }
}

/** The administrator, as the audit trail stores the actor. */
export function actorOf({ caller }: Administrator): `admin:${string}` {
  return `admin:${caller.live.userId}`;
}
