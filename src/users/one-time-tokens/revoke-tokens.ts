import { type RawBuilder, sql } from 'kysely';
import { dropMails, type RequestingSessions } from '../../mail/outbox-writes.js';
import { anyOf } from '../../platform/database/any-of.js';
import type { Queries } from '../../platform/database/database.js';
import type { UsersTables } from '../users.tables.js';
import type { TokenPurpose } from './one-time-token.entity.js';

/** Revokes the mailed tokens of an account for a purpose, or all of them. */
export async function revokeTokens(
  tx: Queries,
  userId: string,
  purpose: TokenPurpose | 'all',
): Promise<void> {
  let revoking = tx.of<UsersTables>().deleteFrom('one_time_tokens').where('user_id', '=', userId);
  if (purpose !== 'all') revoking = revoking.where('purpose', '=', purpose);
  await revoking.execute();
}

/** Revokes links to new addresses of accounts, and drops the mails whose link was not created yet. */
export async function revokeAddressChanges(
  tx: Queries,
  userIds: readonly string[],
  sessions: RequestingSessions,
): Promise<void> {
  // Mails first: a composer writes the row of its mail before the token. So this waits and sees the token, or the
  // composer finds its mail dropped.
  await dropMails(tx, userIds, 'change_email', sessions);
  await tx
    .of<UsersTables>()
    .deleteFrom('one_time_tokens')
    .where('user_id', '=', anyOf(userIds))
    .where('purpose', '=', 'change_email')
    .where(requestedIn(sessions))
    .execute();
}

function requestedIn(sessions: RequestingSessions): RawBuilder<boolean> {
  if (sessions === 'any') return sql<boolean>`true`;
  if ('except' in sessions) return sql<boolean>`session_id is distinct from ${sessions.except}::uuid`;
  return sql<boolean>`session_id = any(${[...sessions.among]}::uuid[])`;
}
