import { sql } from 'kysely';
import type { Columns } from '../../platform/database/columns.js';
import type { Database } from '../../platform/database/database.js';
import type { UsersTables } from '../users.tables.js';

/** Accounts read in one query. */
const PAGE = 1_000;
const FIRST = '00000000-0000-0000-0000-000000000000';

type Row = Columns<UsersTables, 'users', 'id' | 'email' | 'password_hash' | 'name' | 'role'> & {
  readonly email_verified: boolean;
  readonly disabled: boolean;
  readonly password_compromised: boolean;
  /** With microseconds, which a `Date` does not have. */
  readonly created_at: string;
};

/** The number of exported accounts, and of administrators among them: a line does not contain the role. */
export interface ExportCount {
  accounts: number;
  admins: number;
}

/**
 * Every account as a line that an import reads, with its password hash: as secret as the database. Administrators are
 * imported as users; sessions, passkeys and other factors are not exported.
 *
 * @param count is updated during the export.
 */
export async function* exportedLines(database: Database, count: ExportCount): AsyncGenerator<string> {
  for (let last = FIRST; ;) {
    const rows: Row[] = await database.query(
      sql<Row>`select id, email, password_hash, name, role, email_verified_at is not null as email_verified,
          disabled_at is not null as disabled, password_compromised_at is not null as password_compromised,
          to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at
        from users where id > ${last} order by id limit ${PAGE}`,
    );
    if (rows.length === 0) return;
    last = rows.at(-1)?.id ?? last;
    count.accounts += rows.length;
    count.admins += rows.filter(({ role }) => role === 'admin').length;
    yield rows.map((row) => `${JSON.stringify(lineOf(row))}\n`).join('');
  }
}

function lineOf({ role: _role, name, disabled, password_compromised, ...row }: Row): object {
  return {
    ...row,
    ...(name !== null && { name }),
    ...(disabled && { disabled }),
    ...(password_compromised && { password_compromised }),
  };
}
