import { Injectable } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import { Database } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { Containment } from '../containment/containment.service.js';
import { ActorLock, type EndedActor } from '../credentials/actor-lock.service.js';
import { PresentedSessions } from '../credentials/presented-sessions.service.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { type Authentication, type LiveAuthentication, liveSessions } from '../credentials/authenticator.js';

/** Which sessions a sign-out ends: the presented ones, the others of the same users, or all of theirs. */
export type LogoutScope = 'local' | 'others' | 'global';

export type SignOutOutcome =
  /** `hasUnknown`: a presented credential of our form names no session, so nothing ended for it. */
  | { readonly status: 'signed_out'; readonly hasUnknown: boolean }
  /** A live session ended after the request was authenticated, before it could end others. */
  | Pick<EndedActor, 'status' | 'dead'>;

/** Ends the sessions that a request provably holds. */
@Injectable()
export class SignOut {
  constructor(
    private readonly database: Database,
    private readonly containment: Containment,
    private readonly presented: PresentedSessions,
    private readonly actors: ActorLock,
    private readonly sessions: SessionsService,
    private readonly audit: Audit,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Ends all sessions that the request provably holds, also by credentials that expired, were replaced or were sent in
   * the wrong place. With `global` also all others of the same users; with `others` only those, and the live session
   * of the request stays. Idempotent: of concurrent calls with `global`, all succeed.
   *
   * @param values all that the request presented, whatever it is.
   */
  async end(
    authentication: Authentication,
    values: readonly string[],
    scope: LogoutScope,
    client: Client,
  ): Promise<SignOutOutcome> {
    let ended = 0;
    let dead: EndedActor['dead'] | null = null;
    const { sessionIds, hasUnknown } = await this.presented.identify(values);
    if (scope !== 'local') {
      for (const one of onePerUser(authentication)) {
        const outcome = await this.endOfUser(one, scope, client);
        if (typeof outcome === 'number') ended += outcome;
        else dead ??= outcome;
      }
    }
    if (scope !== 'others') ended += await this.endPresented(sessionIds, client);
    const user = authentication.live?.userId;
    if (ended > 0) this.log.write('logout', client, { scope, user, sessions: ended });
    return dead ? { status: 'ended', dead } : { status: 'signed_out', hasUnknown };
  }

  private endOfUser(
    authentication: LiveAuthentication,
    scope: 'others' | 'global',
    client: Client,
  ): Promise<number | EndedActor['dead']> {
    const { userId, sessionId } = authentication.live;
    return this.database.transaction(async (tx) => {
      const actor = await this.actors.lock(tx, authentication);
      // A concurrent request did the same: nothing is left to do.
      if (scope === 'global' && (await this.sessions.wasSignedOutEverywhere(tx, sessionId))) return 0;
      if (actor.status === 'ended') return actor.dead;
      const { account } = actor;
      const ended =
        scope === 'others'
          ? await this.containment.contain(tx, 'other_sessions_ended', { account, sessionId })
          : await this.containment.contain(tx, 'all_sessions_ended', { account, sessionId: null });
      const sessions = ended.length;
      const event = { userId, sessionId, client };
      const reason = 'logout_others';
      if (sessions > 0 && scope === 'others')
        await this.audit.record({ ...event, kind: 'sessions_revoked', details: { reason, sessions } }, tx);
      if (sessions > 0 && scope === 'global')
        await this.audit.record({ ...event, kind: 'logout', details: { scope, sessions } }, tx);
      return sessions;
    });
  }

  private async endPresented(sessionIds: readonly string[], client: Client): Promise<number> {
    if (sessionIds.length === 0) return 0;
    return this.database.transaction(async (tx) => {
      const ended = await this.containment.contain(tx, 'signed_out', { sessionIds, reason: 'logout' });
      for (const { userId, sessionId } of ended)
        await this.audit.record(
          { kind: 'logout', userId, sessionId, client, details: { scope: 'local' } },
          tx,
        );
      return ended.length;
    });
  }
}

/** The live session of each user; a request can carry credentials of several users. */
function onePerUser(authentication: Authentication): LiveAuthentication[] {
  const sessions = liveSessions(authentication.verdicts);
  const first = new Map(sessions.toReversed().map((session) => [session.userId, session]));
  return [...first.values()].map((live) => ({ ...authentication, live }));
}
