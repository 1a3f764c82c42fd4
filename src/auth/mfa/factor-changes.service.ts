import { Injectable } from '@nestjs/common';
import type { AuditKind } from '../../audit/audit-kinds.js';
import { Audit } from '../../audit/audit.service.js';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { MailKind } from '../../mail/mail-kinds.js';
import { Outbox } from '../../mail/outbox.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

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

  /** Ends the other sessions, if that was asked for. Behind the lock on the account's row, and before the factors are touched. */
  async endOtherSessions(
    tx: Queries,
    { userId, sessionId, otherSessions, client }: FactorRequest,
  ): Promise<void> {
    if (otherSessions === 'keep') return;
    const reason = 'factors_changed';
    const sessions = await this.sessions.revokeOfUser(userId, sessionId, reason, tx);
    if (sessions === 0) return;
    const details = { reason, sessions };
    await this.audit.record({ kind: 'sessions_revoked', userId, sessionId, client, details }, tx);
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
