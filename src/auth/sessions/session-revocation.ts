import { anyOf } from '../../platform/database/any-of.js';
import type { Queries } from '../../platform/database/database.js';
import { NOW } from '../../platform/database/sql-time.js';
import type { EndedSession } from './ended-sessions.js';
import type { SessionsTables } from './sessions.tables.js';

/** Why a session was revoked, as stored in its row. */
export type RevocationReason =
  | 'logout'
  | 'logout_global'
  | 'logout_others'
  | 'replaced'
  | 'limit'
  | 'refresh_reused'
  | 'device_removed'
  | 'revoked_by_service'
  | 'password_changed'
  | 'password_reset'
  | 'email_changed'
  | 'email_proved'
  | 'factors_changed'
  | 'user_disabled'
  | 'user_deleted'
  | 'ended_by_admin'
  | 'ended_by_operator';

/** Which sessions: some by id, or those of an account except one; with null, all of the account. */
export type SessionsToRevoke =
  { readonly ids: readonly string[] } | { readonly userId: string; readonly exceptId: string | null };

/**
 * Revokes sessions. Sessions revoked before keep their reason. A trigger notifies all nodes.
 *
 * @returns the sessions that this call revoked.
 */
export async function revokeSessions(
  tx: Queries,
  which: SessionsToRevoke,
  reason: RevocationReason,
): Promise<EndedSession[]> {
  if ('ids' in which && which.ids.length === 0) return [];
  const locked =
    'ids' in which
      ? notRevoked(tx).where('id', '=', anyOf(which.ids))
      : notRevoked(tx).where('user_id', '=', which.userId);
  const exceptId = 'ids' in which ? null : which.exceptId;
  let revoking = tx
    .of<SessionsTables>()
    .updateTable('sessions')
    .set({ revoked_at: NOW, revoked_reason: reason })
    .where('id', 'in', locked);
  if (exceptId !== null) revoking = revoking.where('id', '<>', exceptId);
  return revoking.returning(['id as sessionId', 'user_id as userId']).execute();
}

/** Locks the sessions of an account that are not revoked, until the transaction ends. */
export async function lockSessionsOf(tx: Queries, userId: string): Promise<void> {
  await notRevoked(tx).where('user_id', '=', userId).execute();
}

/** Locks rows in id order to avoid deadlocks. */
function notRevoked(tx: Queries) {
  const sessions = tx.of<SessionsTables>().selectFrom('sessions').select('id');
  return sessions.where('revoked_at', 'is', null).orderBy('id').forUpdate();
}
