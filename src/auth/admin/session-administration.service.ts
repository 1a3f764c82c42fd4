import { Injectable } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Audit } from '../../audit/audit.service.js';
import { Database } from '../../database/database.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { UsersService } from '../../users/users.service.js';
import { lockAccount } from '../sessions/account-lock.js';
import { DevicesService } from '../sessions/devices.service.js';
import { type SessionListing, SessionsService } from '../sessions/sessions.service.js';
import type { Doer } from './user-administration.js';

/** What administrators do to sessions of others. */
@Injectable()
export class SessionAdministration {
  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly devices: DevicesService,
    private readonly sessions: SessionsService,
    private readonly audit: Audit,
  ) {}

  /** The live sessions of an account, the newest first; null if there is no such account. */
  async list(userId: string): Promise<SessionListing[] | null> {
    return (await this.exists(userId)) ? this.devices.list(userId) : null;
  }

  /** Ends all sessions of an account; how many, or null if there is no such account. */
  async endAll(userId: string, { actor, client }: Doer): Promise<number | null> {
    if (!(await this.exists(userId))) return null;
    return this.database.transaction(async (tx) => {
      await lockAccount(tx, userId);
      // What a cut-off ended, or ran out, has a row that is not marked yet: it is no session any more.
      const ended = (await this.sessions.listOfUser(userId, tx)).length;
      await this.sessions.revokeOfUser(userId, null, 'ended_by_admin', tx);
      await withdrawAddressChanges(tx, userId, null);
      await this.audit.record(
        { kind: 'sessions_revoked', userId, actor, ...(client && { client }), details: { sessions: ended } },
        tx,
      );
      return ended;
    });
  }

  /** Ends one session of an account; false if it has no such live one. */
  async end(userId: string, sessionId: string, { actor, client }: Doer): Promise<boolean> {
    if (!isUuid(userId) || !isUuid(sessionId)) return false;
    return this.database.transaction(async (tx) => {
      const isEnded = await this.sessions.revokeOwn(userId, sessionId, 'ended_by_admin', tx);
      if (isEnded)
        await this.audit.record(
          { kind: 'session_ended', userId, sessionId, actor, ...(client && { client }) },
          tx,
        );
      return isEnded;
    });
  }

  private async exists(userId: string): Promise<boolean> {
    return isUuid(userId) && (await this.users.find(userId)) !== null;
  }
}
