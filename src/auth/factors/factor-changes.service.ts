import { Injectable } from '@nestjs/common';
import type { AuditKind } from '../../audit/audit-kinds.js';
import { Audit } from '../../audit/audit.service.js';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import type { MailKind } from '../../mail/mail-kinds.js';
import { Outbox } from '../../mail/outbox.service.js';
import type { LockedAccount } from '../../users/account-lock.js';
import { Containment } from '../containment/containment.service.js';
import { ActorLock, type EndedActor, type LockedActor } from '../credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../credentials/authenticator.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** A request to change the factors of a user. */
export interface FactorRequest {
  /** Its session stays. */
  readonly actor: LiveAuthentication;
  /** Whether the user's other sessions end (ASVS 5.0.0 7.4.3). */
  readonly otherSessions: 'keep' | 'end';
  readonly client: Client;
}

/** The change, for the audit trail and the mail. */
export interface FactorChange {
  readonly audit: AuditKind;
  readonly mail: MailKind;
  readonly params?: Readonly<Record<string, string>>;
  /** Further details for the audit trail. */
  readonly details?: Readonly<Record<string, string>>;
}

/** The steps that belong to every change of factors. */
@Injectable()
export class FactorChanges {
  constructor(
    private readonly actors: ActorLock,
    private readonly sessions: SessionsService,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  /** Locks the account whose factors are about to change, and the acting session: a factor outlives every session. */
  lockOwner(tx: Queries, { actor }: Pick<FactorRequest, 'actor'>): Promise<LockedActor | EndedActor> {
    return this.actors.lock(tx, actor);
  }

  /**
   * Ends what a change of factors ends, and the other sessions if requested. Call it under the lock, before the
   * change.
   */
  async contain(
    tx: Queries,
    account: LockedAccount,
    { actor, otherSessions, client }: FactorRequest,
  ): Promise<void> {
    const { userId, sessionId } = actor.live;
    await this.containment.contain(tx, 'factor_changed', { account, sessionId });
    if (otherSessions === 'keep') return;
    const reason = 'factors_changed';
    const subject = { account, sessionId, reason } as const;
    const { length: sessions } = await this.containment.contain(tx, 'other_sessions_ended', subject);
    if (sessions === 0) return;
    const details = { reason, sessions };
    await this.audit.record({ kind: 'sessions_revoked', userId, sessionId, client, details }, tx);
  }

  /**
   * Records that the session proved or created a second factor. All other sessions must prove one before they change
   * anything.
   */
  async noteFactor(
    tx: Queries,
    { actor }: Pick<FactorRequest, 'actor'>,
    methods: readonly string[],
  ): Promise<void> {
    await this.sessions.addMethods(tx, actor.live.sessionId, [...methods, 'mfa']);
  }

  /** Records the change and notifies the owner of the account, in its transaction. */
  async tell(
    tx: Queries,
    { actor, client }: Pick<FactorRequest, 'actor' | 'client'>,
    recipient: string,
    { audit, mail, params, details }: FactorChange,
  ): Promise<void> {
    const { userId, sessionId } = actor.live;
    await this.outbox.add(tx, {
      kind: mail,
      userId,
      recipient,
      params: { ...params, ip: client.ip, user_agent: client.userAgent ?? '' },
    });
    await this.audit.record({ kind: audit, userId, sessionId, client, ...(details && { details }) }, tx);
  }
}
