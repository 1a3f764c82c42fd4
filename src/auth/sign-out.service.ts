import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { Database } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { withdrawAddressChanges } from '../users/one-time-tokens/withdraw-address-changes.js';
import { type Brought, PresentedSessions } from './presented-sessions.service.js';
import { lockAccount } from './sessions/account-lock.js';
import type { LiveSession } from './sessions/session-state.js';
import { SessionsService } from './sessions/sessions.service.js';
import { type Authentication, liveSessions } from './strategies/authenticator.js';

/** Whose sessions a sign-out ends: the presented ones, the others of the same people, or all of theirs. */
export type LogoutScope = 'local' | 'others' | 'global';

/** Ending the sessions that a request proves to hold. */
@Injectable()
export class SignOuts {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly presented: PresentedSessions,
    private readonly audit: Audit,
  ) {}

  /**
   * Ends every session that the request proves to hold; an expired token ends its own. With `global` also all the
   * others of the same people; with `others` only those others, and the one that counts goes on.
   *
   * @returns how many were ended.
   */
  async end(brought: Brought, scope: LogoutScope, client: Client): Promise<number> {
    let ended = 0;
    if (scope !== 'local') {
      for (const session of onePerPerson(brought.authentication))
        ended += await this.endOfPerson(session, scope, client);
    }
    return scope === 'others' ? ended : ended + (await this.endPresented(brought, client));
  }

  private endOfPerson(
    { userId, sessionId }: LiveSession,
    scope: 'others' | 'global',
    client: Client,
  ): Promise<number> {
    const reason = `logout_${scope}` as const;
    return this.database.transaction(async (tx) => {
      const exceptId = scope === 'others' ? sessionId : null;
      // As whoever changes the account: else each could hold a session that the other waits for.
      await lockAccount(tx, userId);
      const sessions = await this.sessions.revokeOfUser(userId, exceptId, reason, tx);
      await withdrawAddressChanges(tx, userId, exceptId);
      const event = { userId, sessionId, client };
      if (sessions > 0 && scope === 'others')
        await this.audit.record({ ...event, kind: 'sessions_revoked', details: { reason, sessions } }, tx);
      if (sessions > 0 && scope === 'global')
        await this.audit.record({ ...event, kind: 'logout', details: { scope, sessions } }, tx);
      return sessions;
    });
  }

  private async endPresented(brought: Brought, client: Client): Promise<number> {
    const sessionIds = await this.presented.idsOf(brought);
    if (sessionIds.length === 0) return 0;
    return this.database.transaction(async (tx) => {
      const ended = await this.sessions.revoke(sessionIds, 'logout', tx);
      for (const { userId, sessionId } of ended)
        await this.audit.record(
          { kind: 'logout', userId, sessionId, client, details: { scope: 'local' } },
          tx,
        );
      return ended.length;
    });
  }
}

/** The live session that counts for each person; a request may carry credentials of several. */
function onePerPerson({ verdicts }: Authentication): LiveSession[] {
  const live = liveSessions(verdicts);
  return live.filter(({ userId }, index) => live.findIndex((other) => other.userId === userId) === index);
}
