import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { Containment } from '../auth/containment/containment.service.js';
import { ActorLock, type EndedActor } from '../auth/credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import { deleteFinishedMails } from '../mail/outbox-writes.js';
import { Outbox } from '../mail/outbox.service.js';
import { Database, type Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { SecurityLog } from '../platform/logging/security-log.service.js';
import { lockOtherAdmins } from '../users/last-admin.js';
import { deleteUser } from '../users/user-writes.js';

/** The result of a deletion. */
export type DeletionOutcome = { readonly status: 'deleted' | 'last_admin' } | EndedActor;

/** Deletes the account of the caller. */
@Injectable()
export class AccountDeletion {
  constructor(
    private readonly database: Database,
    private readonly actors: ActorLock,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Deletes an account with all its data. The audit trail stays, under the id alone, until its retention ends, and so
   * does the mail that notifies the owner. The address can be used again. The last administrator cannot be deleted.
   */
  async delete(caller: LiveAuthentication, client: Client): Promise<DeletionOutcome> {
    const { userId } = caller.live;
    const outcome = await this.database.transaction((tx) => this.deleteIn(tx, caller, client));
    if (outcome.status === 'deleted') this.log.write('account_deleted', client, { user: userId });
    return outcome;
  }

  private async deleteIn(tx: Queries, caller: LiveAuthentication, client: Client): Promise<DeletionOutcome> {
    const { userId } = caller.live;
    const otherAdmins = await lockOtherAdmins(tx, userId);
    const actor = await this.actors.lock(tx, caller, 'delete');
    if (actor.status === 'ended') return actor;
    const { account, session } = actor;
    const { sessionId } = session;
    if (account.role === 'admin' && otherAdmins === 0) return { status: 'last_admin' };
    // Revoked explicitly, not only deleted with the row: this node must know before the reply is sent.
    await this.containment.contain(tx, 'account_deleted', { account, sessionId });
    await this.outbox.add(tx, {
      kind: 'account_deleted',
      userId,
      recipient: account.email,
      params: {
        ip: client.ip,
        user_agent: client.userAgent ?? '',
        // The account that has it is gone when the mail is composed.
        ...(account.language !== null && { language: account.language }),
      },
    });
    await deleteFinishedMails(tx, userId);
    await this.audit.record({ kind: 'account_deleted', userId, sessionId, client }, tx);
    await deleteUser(tx, userId);
    return { status: 'deleted' };
  }
}
