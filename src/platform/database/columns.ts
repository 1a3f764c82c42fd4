import type { Selectable } from 'kysely';

/** Columns of a table as a statement returns them: `Columns<UsersTables, 'users', 'id' | 'email'>`. */
export type Columns<
  Tables,
  Table extends keyof Tables,
  Column extends keyof Selectable<Tables[Table]>,
> = Pick<Selectable<Tables[Table]>, Column>;
