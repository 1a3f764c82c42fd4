import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuditKind } from '../../audit/audit-kinds.js';
import { Audit } from '../../audit/audit.service.js';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { MailKind } from '../../mail/mail-kinds.js';
import { Outbox } from '../../mail/outbox.service.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { type FactorOwner, lockFactorOwner } from './factor-owner.js';

/** Who changes their factors, and from where. */
export interface FactorRequest {
  readonly userId: string;
  /** The session that asks: it goes on. */
  readonly sessionId: string;
  /** What becomes of the person's other sessions (ASVS 5.0.0 7.4.3). */
  readonly otherSessions: 'keep' | 'end';
  readonly client: Client;
}

/** What was changed, for the trail and the mail. */
export interface FactorChange {
  readonly audit: AuditKind;
  readonly mail: MailKind;
  readonly params?: Readonly<Record<string, string>>;
  /** What else the trail says. */
  readonly details?: Readonly<Record<string, string>>;
}

/** What a change of somebody's factors brings along. */
@Injectable()
export class FactorChanges {
  constructor(
    private readonly sessions: SessionsService,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Locks the account whose factors are about to change, for a session that is still there: what a guard remembered of it may
   * be older than its end, and a factor that somebody adds outlives every session.
   *
   * @returns null if the account is gone, or the session has ended.
   */
  async lockOwner(
    tx: Queries,
    { userId, sessionId }: Pick<FactorRequest, 'userId' | 'sessionId'>,
  ): Promise<FactorOwner | null> {
    const owner = await lockFactorOwner(tx, userId);
    if (!owner) return null;
    // What would end it waits from here on.
    await tx.query(sql`select 1 from sessions where id = ${sessionId} for no key update`);
    const session = await this.sessions.findById(sessionId, tx);
    return session?.state === 'live' ? owner : null;
  }

  /** Ends the other sessions, if that was asked for. Behind the lock on the account's row, and before the factors are touched. */
  async endOtherSessions(
    tx: Queries,
    { userId, sessionId, otherSessions, client }: FactorRequest,
  ): Promise<void> {
    if (otherSessions === 'keep') return;
    const reason = 'factors_changed';
    const sessions = await this.sessions.revokeOfUser(userId, sessionId, reason, tx);
    await withdrawAddressChanges(tx, userId, sessionId);
    if (sessions === 0) return;
    const details = { reason, sessions };
    await this.audit.record({ kind: 'sessions_revoked', userId, sessionId, client, details }, tx);
  }

  /**
   * Notes that the session has a second factor: it was shown, or made, in it. All other sessions have to show one before
   * they change anything again.
   */
  async noteFactor(
    tx: Queries,
    { sessionId }: Pick<FactorRequest, 'sessionId'>,
    methods: readonly string[],
  ): Promise<void> {
    await this.sessions.addMethods(tx, sessionId, [...methods, 'mfa']);
  }

  /** Records the change and tells the account's owner, in the transaction that makes it. */
  async tell(
    tx: Queries,
    { userId, sessionId, client }: Pick<FactorRequest, 'userId' | 'sessionId' | 'client'>,
    recipient: string,
    { audit, mail, params, details }: FactorChange,
  ): Promise<void> {
    await this.outbox.add(tx, {
      kind: mail,
      userId,
      recipient,
      params: { ...params, ip: client.ip, user_agent: client.userAgent ?? '' },
    });
    await this.audit.record({ kind: audit, userId, sessionId, client, ...(details && { details }) }, tx);
  }
}
