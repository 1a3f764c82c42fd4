import { Injectable } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Audit } from '../audit/audit.service.js';
import { Database } from '../platform/database/database.js';
import { lockAccount } from '../users/account-lock.js';
import { UsersService } from '../users/users.service.js';
import { DevicesService } from '../account/devices.service.js';
import { Containment } from '../auth/containment/containment.service.js';
import { type SessionListing, SessionsService } from '../auth/sessions/sessions.service.js';
import type { EndedActor } from '../auth/credentials/actor-lock.service.js';
import { actorOf, type Administrator, AdminLock } from './admin-lock.service.js';

/** How many sessions were ended. */
export type EndOutcome =
  { readonly status: 'done'; readonly sessions: number } | { readonly status: 'not_found' } | EndedActor;

/** Actions of administrators on sessions of users. */
@Injectable()
export class SessionAdministration {
  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly devices: DevicesService,
    private readonly sessions: SessionsService,
    private readonly containment: Containment,
    private readonly admins: AdminLock,
    private readonly audit: Audit,
  ) {}

  /** The live sessions of an account, newest first; null if the account does not exist. */
  async list(userId: string): Promise<SessionListing[] | null> {
    return (await this.exists(userId)) ? this.devices.list(userId) : null;
  }

  /** Ends all sessions of an account; `not_found` if there is no such account. */
  async endAll(userId: string, admin: Administrator): Promise<EndOutcome> {
    if (!isUuid(userId)) return { status: 'not_found' };
    return this.database.transaction(async (tx): Promise<EndOutcome> => {
      const refusal = await this.admins.lock(tx, admin);
      if (refusal) return refusal;
      const account = await lockAccount(tx, userId);
      if (!account) return { status: 'not_found' };
      // Sessions that expired or are covered by a revoked-before time have unmarked rows: they do not count.
      const sessions = (await this.sessions.listOfUser(userId, tx)).length;
      const subject = { account, sessionId: null, reason: 'ended_by_admin' } as const;
      await this.containment.contain(tx, 'all_sessions_ended', subject);
      await this.audit.record(
        { kind: 'sessions_revoked', userId, ...byAdmin(admin), details: { sessions } },
        tx,
      );
      return { status: 'done', sessions };
    });
  }

  /** Ends one session of an account; `not_found` if it has no such live one. */
  async end(userId: string, sessionId: string, admin: Administrator): Promise<EndOutcome> {
    if (!isUuid(userId) || !isUuid(sessionId)) return { status: 'not_found' };
    return this.database.transaction(async (tx): Promise<EndOutcome> => {
      const refusal = await this.admins.lock(tx, admin);
      if (refusal) return refusal;
      if (!(await lockAccount(tx, userId)) || !(await this.sessions.isLiveOf(userId, sessionId, tx)))
        return { status: 'not_found' };
      const subject = { sessionIds: [sessionId], reason: 'ended_by_admin' } as const;
      const [ended] = await this.containment.contain(tx, 'one_session_ended', subject);
      if (!ended) return { status: 'not_found' };
      await this.audit.record({ kind: 'session_ended', userId, sessionId, ...byAdmin(admin) }, tx);
      return { status: 'done', sessions: 1 };
    });
  }

  private async exists(userId: string): Promise<boolean> {
    return isUuid(userId) && (await this.users.find(userId)) !== null;
  }
}

/** Who acts, as the audit trail keeps it. */
function byAdmin(admin: Administrator) {
  return { actor: actorOf(admin), client: admin.client } as const;
}
