import { until } from './process.js';

/**
 * Waits until so many statements on the database wait for a lock.
 *
 * @param rowsOf runs a statement, also within a transaction.
 */
export async function untilBlocked(
  count: number,
  rowsOf: (statement: string) => Promise<unknown[]>,
): Promise<void> {
  await until(async () => {
    // Within a transaction, PostgreSQL repeats what it showed first.
    await rowsOf('select pg_stat_clear_snapshot()');
    const blocked = await rowsOf(
      `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return blocked.length >= count || undefined;
  });
}
