import type { Queries } from '../database/database.js';

/** What one batch did. */
export interface Swept {
  /** Rows that were deleted. */
  readonly count: number;
  /** Whether there may be more whose time is over. */
  readonly hasMore: boolean;
}

/** Rows of one kind that are deleted when their time is over. */
export interface Sweep {
  /** What they are, for the log: the name of their table. */
  readonly rows: string;
  /** Seconds between two looks for them; a minute by default. */
  readonly every?: number;
  /**
   * Deletes a few, in a transaction that no other node sweeps in. Rows that somebody holds are left for the next time.
   *
   * @param limit the most rows that it may delete.
   */
  batch(tx: Queries, limit: number): Promise<Swept>;
}
