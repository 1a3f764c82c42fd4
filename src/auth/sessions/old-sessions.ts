import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import { OldRows, Place } from '../../sweep/old-rows.js';
import type { Sweep, Swept } from '../../sweep/sweep.js';

/**
 * Deletes what hangs on sessions that are about to go.
 *
 * @param limit the most rows that it may delete; as many mean that there may be more.
 * @returns how many it deleted.
 */
export type Clearing = (tx: Queries, sessionIds: readonly string[], limit: number) => Promise<number>;

/** How a session can end in a way that no setting takes back, and the column that says when. */
type End = 'expires_at' | 'revoked_at';

/**
 * Sessions that ended long ago, one way or the other. docs/adr/0025 has the rule: no verdict on a credential that might
 * still be alive depends on them any more.
 */
export class OldSessions implements Sweep {
  readonly rows = 'sessions';
  private readonly place = new Place();

  /**
   * @param retention SESSION_RETENTION, in seconds.
   * @param clearings for what can be much for one session; the rest goes with its row.
   */
  constructor(
    private readonly end: End,
    private readonly retention: number,
    private readonly clearings: readonly Clearing[],
  ) {}

  async batch(tx: Queries, limit: number): Promise<Swept> {
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
    for (const clear of this.clearings) {
      const cleared = await clear(tx, ids, limit);
      // The sessions go with the last of it.
      if (cleared >= limit) return { count: 0, hasMore: true };
    }
    await tx.query(sql`delete from sessions where id = any(${ids}::uuid[])`);
    return this.done(ids.length < limit ? null : (over.at(-1)?.at ?? null), ids.length);
  }

  private done(at: string | null, count: number): Swept {
    this.place.move(at);
    return { count, hasMore: at !== null };
  }
}

/** Revocations that every node and service has heard of, and whose last access token has run out. */
export const oldRevocations = () =>
  new OldRows({ table: 'revocations', key: ['seq'], by: 'expires_at', isOver: sql`expires_at < now()` });
