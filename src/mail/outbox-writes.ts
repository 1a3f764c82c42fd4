import { type RawBuilder, sql } from 'kysely';
import { anyOf } from '../platform/database/any-of.js';
import type { Queries } from '../platform/database/database.js';
import { NOW } from '../platform/database/sql-time.js';
import type { MailKind } from './mail-kinds.js';
import type { MailTables } from './mail.tables.js';

/* Changes of queued mails for other rooms: only this room writes `outbox_mails`. */

/**
 * Sets a parameter of a mail that waits to be sent, and the account that it concerns.
 *
 * @returns false if the mail waits no longer: it was sent or dropped.
 */
export async function setMailParam(
  tx: Queries,
  id: string,
  userId: string,
  [name, value]: readonly [name: string, value: string],
): Promise<boolean> {
  const [changed] = await tx
    .of<MailTables>()
    .updateTable('outbox_mails')
    .set({
      params: sql`params || jsonb_build_object(${name}::text, ${value}::text)`,
      user_id: userId,
    })
    .where('id', '=', id)
    .where('state', '=', 'waiting')
    .returning('id')
    .execute();
  return changed !== undefined;
}

/** Which sessions requested a mail: any, any but one, or some. */
export type RequestingSessions = 'any' | { readonly except: string } | { readonly among: readonly string[] };

/** Drops the mails of a kind for accounts that wait to be sent, by the session that their parameter `session` names. */
export async function dropMails(
  tx: Queries,
  userIds: readonly string[],
  kind: MailKind,
  sessions: RequestingSessions,
): Promise<void> {
  await tx
    .of<MailTables>()
    .updateTable('outbox_mails')
    .set({ state: 'dropped', finished_at: NOW, last_error: 'withdrawn' })
    .where('user_id', '=', anyOf(userIds))
    .where('kind', '=', kind)
    .where('state', '=', 'waiting')
    .where(requestedIn(sessions))
    .execute();
}

/** Deletes the mails of an account that are sent or dropped. */
export async function deleteFinishedMails(tx: Queries, userId: string): Promise<void> {
  await tx
    .of<MailTables>()
    .deleteFrom('outbox_mails')
    .where('user_id', '=', userId)
    .where('finished_at', 'is not', null)
    .execute();
}

function requestedIn(sessions: RequestingSessions): RawBuilder<boolean> {
  if (sessions === 'any') return sql<boolean>`true`;
  if ('except' in sessions) return sql<boolean>`params->>'session' is distinct from ${sessions.except}`;
  return sql<boolean>`params->>'session' = any(${[...sessions.among]}::text[])`;
}
