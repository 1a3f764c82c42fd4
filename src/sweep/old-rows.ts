import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../database/database.js';
import type { Sweep, Swept } from './sweep.js';

/** The rows of a table that nobody needs from a certain moment on, and on which no other rows hang. */
export interface OldRowsOf {
  readonly table: string;
  /** The columns of the primary key. */
  readonly key: readonly string[];
  /** The indexed time by which rows grow old: they go in its order. */
  readonly by: string;
  /** Whether a row's time is over. */
  readonly isOver: RawBuilder<boolean>;
}

/** Deletes old rows, the oldest first. */
export class OldRows implements Sweep {
  readonly rows: string;
  private readonly place = new Place();

  constructor(private readonly of: OldRowsOf) {
    this.rows = of.table;
  }

  async batch(tx: Queries, limit: number): Promise<Swept> {
    const { table, key, by, isOver } = this.of;
    const columns = sql.join(key.map((column) => sql.ref(column)));
    const [gone] = await tx.query(
      sql<{ count: number; last: string | null }>`with gone as (
          delete from ${sql.table(table)} where (${columns}) in (
            select ${columns} from ${sql.table(table)} where ${isOver} and ${this.place.reached(by)}
            order by ${sql.ref(by)} limit ${limit} for update skip locked)
          returning ${sql.ref(by)} as at
        ) select count(*)::int as count, max(at)::text as last from gone`,
    );
    const { count = 0, last = null } = gone ?? {};
    const hasMore = count >= limit;
    this.place.move(hasMore ? last : null);
    return { count, hasMore };
  }
}

/**
 * How far a walk through an index came. What was deleted stays in an index until it is vacuumed, which an old snapshot
 * (a backup, a report) puts off: to begin at the front each time would cost more with each batch.
 */
export class Place {
  private at: string | null = null;

  /** Whether a row lies where the walk has come to, or behind. */
  reached(column: string): RawBuilder<boolean> {
    return this.at === null
      ? sql<boolean>`true`
      : sql<boolean>`${sql.ref(column)} >= ${this.at}::timestamptz`;
  }

  /** @param at a time as PostgreSQL writes it; null to begin anew. */
  move(at: string | null): void {
    this.at = at;
  }
}
