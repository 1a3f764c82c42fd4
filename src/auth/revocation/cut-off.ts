import { sql } from 'kysely';
import type { Queries } from '../../platform/database/database.js';
import type { RevocationTables } from './revocation.tables.js';

/**
 * The longest possible life of a session and of an access token under any settings: a concurrent sign-in is not
 * visible yet and must stay revoked.
 */
const LONGEST_LIFE = { session: '401 days', token: '25 hours' } as const;

/**
 * Revokes every session that was created before a time: of one user, or of all users with null. It is one row,
 * whatever the number of sessions, and also covers sessions of transactions that have not committed yet.
 *
 * @param before now by default; later times are refused.
 */
export async function cutOff(
  queries: Queries,
  userId: string | null,
  before: Date | null = null,
): Promise<void> {
  await queries
    .of<RevocationTables>()
    .insertInto('revocations')
    .values({
      kind: userId === null ? 'all' : 'user',
      user_id: userId,
      issued_before: sql<Date>`least(${before}::timestamptz, now())`,
      tokens_expire_at: sql<Date>`now() + ${LONGEST_LIFE.token}::interval`,
      expires_at: sql<Date>`now() + ${LONGEST_LIFE.session}::interval`,
    })
    .execute();
}

/** Revokes every access token that the just revoked signing keys have signed. */
export async function noteKeyRevocation(tx: Queries): Promise<void> {
  await tx
    .of<RevocationTables>()
    .insertInto('revocations')
    .values({ kind: 'key', expires_at: sql<Date>`now() + interval '1 day'` })
    .execute();
}

const isCutOffAlone = sql<boolean>`exists (select 1 from revocations r where r.kind = any (array['user', 'all'])
  and r.user_id = s.user_id and r.issued_before > s.created_at)`;
const isCutOffWithAll = sql<boolean>`exists (select 1 from revocations r where r.kind = any (array['user', 'all'])
  and r.user_id is null and r.issued_before > s.created_at)`;

/** Whether `sessions s` was created before such a time. */
export const isCutOff = sql<boolean>`(${isCutOffAlone} or ${isCutOffWithAll})`;

/** Whether it was not. Separate, so that the database can evaluate all such times once for many sessions. */
export const isNotCutOff = sql<boolean>`not ${isCutOffAlone} and not ${isCutOffWithAll}`;
