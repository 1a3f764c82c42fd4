import type { Queries } from '../database/database.js';

/** The result of one batch. */
export interface PurgedBatch {
  /** Number of deleted rows. */
  readonly count: number;
  /** Whether more rows can have expired. */
  readonly hasMore: boolean;
}

/** A kind of rows that is purged. */
export interface Purge {
  /** The name of the table, for the log. */
  readonly rows: string;
  /** Seconds between two rounds; one minute by default. */
  readonly every?: number;
  /**
   * Deletes some rows in a transaction that only one node runs at a time. Skips locked rows.
   *
   * @param limit maximum number of rows to delete.
   */
  batch(tx: Queries, limit: number): Promise<PurgedBatch>;
}
