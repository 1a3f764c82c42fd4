import { type RawBuilder, sql } from 'kysely';
import type { Columns } from '../platform/database/columns.js';
import type { Queries } from '../platform/database/database.js';
import type { Role } from '../platform/http/access.decorators.js';
import { lowerAscii } from '../platform/http/ascii.js';
import type { UsersTables } from '../users/users.tables.js';
import { findLocks, type Lock } from '../auth/lockout/locks.js';
import { isLive } from '../auth/sessions/session-state.js';

/** An account as an administrator sees it. */
export interface AdministeredUser {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly isEmailVerified: boolean;
  readonly disabledAt: Date | null;
  /** Since when the password is marked as compromised and refused. */
  readonly passwordCompromisedAt: Date | null;
  readonly hasPassword: boolean;
  readonly hasTotp: boolean;
  readonly passkeys: number;
  readonly recoveryCodes: number;
  readonly liveSessions: number;
  readonly createdAt: Date;
}

/** An account with the details that only a single lookup reads. */
export interface InspectedUser extends AdministeredUser {
  readonly locks: readonly Lock[];
}

/** Filter and position of a list of accounts. */
export interface UserQuery {
  /** A prefix of the canonical address, in any case. */
  readonly emailPrefix?: string;
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** The last id of the previous page. */
  readonly after?: string;
  readonly limit: number;
}

type Row = Columns<
  UsersTables,
  'users',
  | 'id'
  | 'email'
  | 'email_canonical'
  | 'name'
  | 'role'
  | 'email_verified_at'
  | 'disabled_at'
  | 'password_compromised_at'
  | 'created_at'
> & {
  readonly has_password: boolean;
  readonly has_totp: boolean;
  readonly passkeys: number;
  readonly recovery_codes: number;
  readonly live_sessions: number;
};

/**
 * The accounts that match a query, by id: UUIDv7, so in order of creation.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds: decides which sessions are live.
 */
export async function listUsers(
  queries: Queries,
  { emailPrefix, role, state, after, limit }: UserQuery,
  idleTtl: number,
): Promise<AdministeredUser[]> {
  const conditions = [
    sql`true`,
    ...(emailPrefix === undefined ? [] : [sql`u.email_canonical like ${likePrefix(emailPrefix)}`]),
    ...(role === undefined ? [] : [sql`u.role = ${role}`]),
    ...(state === undefined ? [] : [sql`(u.disabled_at is null) = ${state === 'enabled'}`]),
    ...(after === undefined ? [] : [sql`u.id > ${after}::uuid`]),
  ];
  const rows = await queries.query(
    sql<Row>`${select(idleTtl)} where ${sql.join(conditions, sql` and `)} order by u.id limit ${limit}`,
  );
  return rows.map(read);
}

/** The account with this id and its locks; null if it does not exist. */
export async function findUser(queries: Queries, id: string, idleTtl: number): Promise<InspectedUser | null> {
  const [row] = await queries.query(sql<Row>`${select(idleTtl)} where u.id = ${id}`);
  return row ? { ...read(row), locks: await findLocks(queries, row.email_canonical) } : null;
}

/** @param idleTtl SESSION_IDLE_TTL, in seconds. */
function select(idleTtl: number): RawBuilder<Row> {
  return sql<Row>`select u.id, u.email, u.email_canonical, u.name, u.role, u.email_verified_at, u.disabled_at, u.password_compromised_at,
    u.password_hash is not null as has_password, u.created_at,
    exists (select 1 from totp_authenticators t where t.user_id = u.id and t.confirmed_at is not null) as has_totp,
    (select count(*) from passkeys p where p.user_id = u.id) as passkeys,
    (select count(*) from recovery_codes r where r.user_id = u.id) as recovery_codes,
    (select count(*) from sessions s where s.user_id = u.id and ${isLive(idleTtl)}) as live_sessions
  from users u`;
}

function read(row: Row): AdministeredUser {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    isEmailVerified: row.email_verified_at !== null,
    disabledAt: row.disabled_at,
    passwordCompromisedAt: row.password_compromised_at,
    hasPassword: row.has_password,
    hasTotp: row.has_totp,
    passkeys: row.passkeys,
    recoveryCodes: row.recovery_codes,
    liveSessions: row.live_sessions,
    createdAt: row.created_at,
  };
}

/** A LIKE pattern that matches the text literally. */
function likePrefix(prefix: string): string {
  return `${lowerAscii(prefix).replace(/[\\%_]/g, '\\$&')}%`;
}
