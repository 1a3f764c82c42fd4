import { sql } from 'kysely';
import type { Database } from '../../database/database.js';

/** Accounts that are read at once. */
const PAGE = 1_000;
const FIRST = '00000000-0000-0000-0000-000000000000';

interface Row {
  id: string;
  email: string;
  password_hash: string | null;
  name: string | null;
  role: string;
  email_verified: boolean;
  disabled: boolean;
  password_compromised: boolean;
  created_at: string;
}

/** How many accounts were exported, and how many of them are administrators: a line does not say so. */
export interface ExportCount {
  accounts: number;
  admins: number;
}

/**
 * Every account as a line that an import reads, with the hash of its password: as secret as the database itself.
 * Administrators come back as users; sessions, passkeys and other factors stay behind.
 *
 * @param count is kept up to date.
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
