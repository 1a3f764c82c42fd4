import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/**
 * How long a session, and an access token, can live at most, whatever the settings are: a sign-in that is under way is
 * not to be seen yet, and must stay dead, too.
 */
const LONGEST_LIFE = { session: '401 days', token: '25 hours' } as const;

/**
 * Declares dead every session that was made before a moment: of one person, or, with null, of everybody. It is one
 * row, however many sessions there are, and it also ends those that a transaction under way is about to commit.
 *
 * @param before now by default, and at the latest.
 */
export async function cutOff(
  queries: Queries,
  userId: string | null,
  before: Date | null = null,
): Promise<void> {
  await queries.query(
    sql`insert into revocations (kind, user_id, issued_before, tokens_expire_at, expires_at)
        values (${userId === null ? 'all' : 'user'}, ${userId}::uuid, least(${before}::timestamptz, now()),
          now() + ${LONGEST_LIFE.token}::interval, now() + ${LONGEST_LIFE.session}::interval)`,
  );
}

const isCutOffAlone = sql<boolean>`exists (select 1 from revocations r where r.kind = any (array['user', 'all'])
  and r.user_id = s.user_id and r.issued_before > s.created_at)`;
const isCutOffWithAll = sql<boolean>`exists (select 1 from revocations r where r.kind = any (array['user', 'all'])
  and r.user_id is null and r.issued_before > s.created_at)`;

/** Whether `sessions s` was made before such a moment. */
export const isCutOff = sql<boolean>`(${isCutOffAlone} or ${isCutOffWithAll})`;

/** Whether it was not. Apart, so that for many sessions the database can look once at all such moments. */
export const isNotCutOff = sql<boolean>`not ${isCutOffAlone} and not ${isCutOffWithAll}`;
