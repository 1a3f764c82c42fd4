import { type RawBuilder, sql } from 'kysely';

/** The start of the transaction, by the database's clock. */
export const NOW = sql<Date>`now()`;

/** This many seconds after `NOW`. */
export function secondsFromNow(seconds: number): RawBuilder<Date> {
  return sql`now() + make_interval(secs => ${seconds})`;
}

/** This many seconds before `NOW`. */
export function secondsAgo(seconds: number): RawBuilder<Date> {
  return sql`now() - make_interval(secs => ${seconds})`;
}
