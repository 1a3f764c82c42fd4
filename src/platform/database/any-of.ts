import { type RawBuilder, sql } from 'kysely';

/** The ids as one array parameter, to compare a `uuid` column with `=`. */
export function anyOf(ids: readonly string[]): RawBuilder<string> {
  return sql`any(${[...ids]}::uuid[])`;
}
