import { Injectable } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Containment } from '../auth/containment/containment.service.js';
import { ActorLock, type EndedActor } from '../auth/credentials/actor-lock.service.js';
import { recordEnded } from '../auth/sessions/ended-sessions.js';
import { type SessionListing, SessionsService } from '../auth/sessions/sessions.service.js';
import { Database } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { SecurityLog } from '../platform/logging/security-log.service.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';

/** How the end of a session came out; `ended`: the session that asked had ended itself. */
export type DeviceOutcome = { readonly status: 'removed' | 'not_found' } | EndedActor;

/** A user's own view of their sessions. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly actors: ActorLock,
    private readonly containment: Containment,
    private readonly log: SecurityLog,
  ) {}

  /** The live sessions of a user, newest first. */
  list(userId: string): Promise<SessionListing[]> {
    return this.sessions.listOfUser(userId);
  }

  /** Ends one session of the caller; `not_found` if they have no live session with this id. */
  async end(caller: LiveAuthentication, sessionId: string, client: Client): Promise<DeviceOutcome> {
    if (!isUuid(sessionId)) return { status: 'not_found' };
    const { userId } = caller.live;
    const reason = 'device_removed';
    const outcome = await this.database.transaction(async (tx): Promise<DeviceOutcome> => {
      const actor = await this.actors.lock(tx, caller);
      if (actor.status === 'ended') return actor;
      if (!(await this.sessions.isLiveOf(userId, sessionId, tx))) return { status: 'not_found' };
      const subject = { sessionIds: [sessionId], reason } as const;
      const ended = await this.containment.contain(tx, 'one_session_ended', subject);
      await recordEnded(tx, ended, { reason, client });
      return { status: ended.length === 1 ? 'removed' : 'not_found' };
    });
    if (outcome.status === 'removed')
      this.log.write('session_ended', client, { user: userId, session: sessionId });
    return outcome;
  }
}
