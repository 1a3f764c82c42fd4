import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Role } from '../../http/access.decorators.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { Outbox } from '../../mail/outbox.service.js';
import { lockOtherAdmins } from '../admin/last-admin.js';
import { Lockout } from '../lockout/lockout.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { HeldSessions } from '../step-up/held-sessions.service.js';
import type { DeadCredential } from '../strategies/auth.strategy.js';
import type { Authentication } from '../strategies/authenticator.js';

/** How a deletion ended. */
export type DeletionOutcome =
  | { readonly status: 'deleted' | 'last_admin' }
  /** The session, or the credential that was sent, has died meanwhile. */
  | { readonly status: 'ended'; readonly dead: DeadCredential };

interface AccountRow {
  email: string;
  email_canonical: string;
  role: Role;
}

/** Deleting one's own account. */
@Injectable()
export class AccountDeletion {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly held: HeldSessions,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Deletes an account with all that belongs to it. What stays is the audit trail, under the id alone, until its time is
   * over, and the mail that tells its owner. The address is free again. An only administrator cannot leave.
   */
  async delete(
    authentication: Authentication,
    session: LiveSession,
    client: Client,
  ): Promise<DeletionOutcome> {
    const outcome = await this.database.transaction((tx) =>
      this.deleteIn(tx, authentication, session, client),
    );
    if (outcome.status === 'deleted')
      this.logger.info({
        event: 'account_deleted',
        request_id: client.requestId,
        ip: client.ip,
        user: session.userId,
      });
    return outcome;
  }

  private async deleteIn(
    tx: Queries,
    authentication: Authentication,
    { userId, sessionId }: LiveSession,
    client: Client,
  ): Promise<DeletionOutcome> {
    const otherAdmins = await lockOtherAdmins(tx, userId);
    const [account] = await tx.query(
      sql<AccountRow>`select email, email_canonical, role from users where id = ${userId} for update`,
    );
    if (!account) return { status: 'ended', dead: { reason: 'revoked', action: 'login', sessionId } };
    const held = await this.held.lock(tx, authentication);
    if ('reason' in held) return { status: 'ended', dead: held };
    if (account.role === 'admin' && otherAdmins === 0) return { status: 'last_admin' };
    // Revoked and not only gone with the row: this node hears of it before the reply leaves.
    await this.sessions.revokeOfUser(userId, null, 'user_deleted', tx);
    await this.outbox.add(tx, {
      kind: 'account_deleted',
      userId,
      recipient: account.email,
      params: { ip: client.ip, user_agent: client.userAgent ?? '' },
    });
    await tx.query(sql`delete from outbox_mails where user_id = ${userId} and finished_at is not null`);
    await this.lockout.clearAll(tx, account.email_canonical);
    await this.audit.record({ kind: 'account_deleted', userId, sessionId, client }, tx);
    await tx.query(sql`delete from users where id = ${userId}`);
    return { status: 'deleted' };
  }
}
