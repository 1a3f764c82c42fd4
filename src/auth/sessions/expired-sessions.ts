import { sql } from 'kysely';
import { anyOf } from '../../platform/database/any-of.js';
import type { Queries } from '../../platform/database/database.js';
import { Place } from '../../platform/retention/expired-rows.js';
import type { Purge, PurgedBatch } from '../../platform/retention/purge.js';
import type { SessionsTables } from './sessions.tables.js';

/**
 * Deletes rows that belong to sessions, before the sessions are deleted.
 *
 * @param limit the maximum number of rows to delete; reaching it means that more may be left.
 * @returns the number of deleted rows.
 */
export type SessionPurge = (tx: Queries, sessionIds: readonly string[], limit: number) => Promise<number>;

/** How a session can end permanently, and the column with the time. */
type End = 'expires_at' | 'revoked_at';

/**
 * Sessions that ended long ago, in either way. docs/adr/0025 has the rule: no verdict on a credential that may still
 * be live depends on them.
 */
export class ExpiredSessions implements Purge {
  readonly rows = 'sessions';
  private readonly place = new Place();

  /**
   * @param retention SESSION_RETENTION, in seconds.
   * @param purges for tables with many rows a session; other rows are deleted with the session.
   */
  constructor(
    private readonly end: End,
    private readonly retention: number,
    private readonly purges: readonly SessionPurge[],
  ) {}

  async batch(tx: Queries, limit: number): Promise<PurgedBatch> {
    const { end, retention, place } = this;
    const kept = sql`make_interval(secs => ${retention})`;
    const over = await tx.query(
      sql<{ id: string; at: string }>`select id, ${sql.ref(end)}::text as at from sessions
        where ${sql.ref(end)} < now() - ${kept} and ${place.reached(end)}
          and (access_expires_at is null or access_expires_at < now() - ${kept})
        order by ${sql.ref(end)} limit ${limit} for update skip locked`,
    );
    const ids = over.map(({ id }) => id);
    if (ids.length === 0) return this.done(null, 0);
    for (const purge of this.purges) {
      const purged = await purge(tx, ids, limit);
      // The sessions are deleted after the last of their rows.
      if (purged >= limit) return { count: 0, hasMore: true };
    }
    await tx.of<SessionsTables>().deleteFrom('sessions').where('id', '=', anyOf(ids)).execute();
    return this.done(ids.length < limit ? null : (over.at(-1)?.at ?? null), ids.length);
  }

  private done(at: string | null, count: number): PurgedBatch {
    this.place.move(at);
    return { count, hasMore: at !== null };
  }
}
