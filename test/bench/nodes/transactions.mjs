import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/**
 * Milliseconds until PostgreSQL's sessions have reported their counts: idle ones immediately, busy ones each second.
 */
const SETTLED = 1_500;

/** Counts the transactions of a database: what its own counter says, less what looking at it costs. */
export async function transactionsOf(databaseUrl) {
  const client = new pg.Client({
    connectionString: Object.assign(new URL(databaseUrl), { pathname: '/postgres' }).href,
  });
  await client.connect();
  const name = new URL(databaseUrl).pathname.slice(1);
  const look = async () => {
    await pause(SETTLED);
    const { rows } = await client.query(
      'select (xact_commit + xact_rollback)::float8 as count from pg_stat_database where datname = $1',
      [name],
    );
    return { count: rows[0].count, at: performance.now() };
  };
  return {
    /** How many there were while some work went on, and in which time. */
    during: async (work) => {
      const before = await look();
      await work();
      const after = await look();
      const seconds = (after.at - before.at) / 1000;
      const count = after.count - before.count;
      return { count, seconds, perSecond: count / seconds };
    },
    close: () => client.end(),
  };
}
