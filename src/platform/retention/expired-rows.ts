import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../database/database.js';
import type { Purge, PurgedBatch } from './purge.js';

/** A table with rows that expire and that no other row references. */
export type ExpiredRowsOf<Tables> = {
  [Table in keyof Tables & string]: {
    readonly table: Table;
    /** The columns of the primary key. */
    readonly key: readonly (keyof Tables[Table] & string)[];
    /** The indexed time by which rows expire; rows are deleted in its order. */
    readonly by: keyof Tables[Table] & string;
    /** Whether a row has expired. */
    readonly isOver: RawBuilder<boolean>;
  };
}[keyof Tables & string];

/** Deletes expired rows, the oldest first. */
export class ExpiredRows<Tables> implements Purge {
  readonly rows: string;
  private readonly place = new Place();

  constructor(private readonly of: ExpiredRowsOf<Tables>) {
    this.rows = of.table;
  }

  async batch(tx: Queries, limit: number): Promise<PurgedBatch> {
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
 * The position of a walk through an index. Deleted rows stay in an index until they are vacuumed, which an old
 * snapshot (a backup, a report) delays: starting at the front would cost more with each batch.
 */
export class Place {
  private at: string | null = null;

  /** Whether a row is at or after the position of the walk. */
  reached(column: string): RawBuilder<boolean> {
    return this.at === null
      ? sql<boolean>`true`
      : sql<boolean>`${sql.ref(column)} >= ${this.at}::timestamptz`;
  }

  /** @param at a time as PostgreSQL writes it; null to start from the beginning. */
  move(at: string | null): void {
    this.at = at;
  }
}
