import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import type { Role } from '../../http/access.decorators.js';
import { findLocks, type Lock } from '../lockout/locks.js';
import { isLive } from '../sessions/session-state.js';

/** An account as an administrator sees it. */
export interface AdministeredUser {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly isEmailVerified: boolean;
  readonly disabledAt: Date | null;
  /** Since when the password counts as known to others, and opens nothing. */
  readonly passwordCompromisedAt: Date | null;
  readonly hasPassword: boolean;
  readonly hasTotp: boolean;
  readonly passkeys: number;
  readonly recoveryCodes: number;
  readonly liveSessions: number;
  readonly createdAt: Date;
}

/** One that was looked at by itself. */
export interface InspectedUser extends AdministeredUser {
  readonly locks: readonly Lock[];
}

/** Which accounts are listed, and from where on. */
export interface UserQuery {
  /** Of the canonical address, in any case. */
  readonly emailPrefix?: string;
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** The id of the last one of the page before. */
  readonly after?: string;
  readonly limit: number;
}

interface Row {
  id: string;
  email: string;
  email_canonical: string;
  name: string | null;
  role: Role;
  email_verified_at: Date | string | null;
  disabled_at: Date | string | null;
  password_compromised_at: Date | string | null;
  has_password: boolean;
  has_totp: boolean;
  passkeys: number | string;
  recovery_codes: number | string;
  live_sessions: number | string;
  created_at: Date | string;
}

/**
 * The accounts that a query means, by id: UUIDv7, so in the order in which they were made.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds: which sessions are alive depends on it.
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

/** The account with this id, with the locks on it; null if there is none. */
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
    disabledAt: row.disabled_at === null ? null : new Date(row.disabled_at),
    passwordCompromisedAt:
      row.password_compromised_at === null ? null : new Date(row.password_compromised_at),
    hasPassword: row.has_password,
    hasTotp: row.has_totp,
    passkeys: Number(row.passkeys),
    recoveryCodes: Number(row.recovery_codes),
    liveSessions: Number(row.live_sessions),
    createdAt: new Date(row.created_at),
  };
}

/** A pattern for LIKE that takes the text literally. */
function likePrefix(prefix: string): string {
  return `${prefix.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
}
