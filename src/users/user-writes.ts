import { randomBytes } from 'node:crypto';
import { sql, type UpdateObject } from 'kysely';
import type { Columns } from '../platform/database/columns.js';
import type { Queries } from '../platform/database/database.js';
import { NOW } from '../platform/database/sql-time.js';
import type { Role } from '../platform/http/access.decorators.js';
import type { Language } from '../texts/language.js';
import { requireCanonical } from './email.js';
import type { UsersTables } from './users.tables.js';

/*
 * The writes to account rows for other rooms: only this room writes `users`. Call them inside the transaction of the
 * change, under the lock of the row. An unknown id changes nothing.
 */

/** An account that does not exist yet. */
export interface NewUser {
  readonly id: string;
  /** An address that `canonicalEmail` accepts. */
  readonly email: string;
  readonly passwordHash: string;
  readonly isEmailVerified: boolean;
  /** The language of mails; the default if absent. */
  readonly language?: Language;
}

/** An account as an authenticator shows it. */
export type WebauthnUser = Columns<UsersTables, 'users', 'email' | 'name'> & { readonly handle: Buffer };

/** WebAuthn Level 3 §14.6.1 recommends 64 random bytes. */
const HANDLE_BYTES = 64;

/**
 * Adds an account unless its address is taken. The database decides, so that one of concurrent calls succeeds.
 *
 * @returns whether it was added.
 */
export async function insertUser(tx: Queries, user: NewUser): Promise<boolean> {
  const { id, email, passwordHash, isEmailVerified, language = null } = user;
  const [added] = await tx
    .of<UsersTables>()
    .insertInto('users')
    .values({
      id,
      email,
      email_canonical: requireCanonical(email),
      password_hash: passwordHash,
      language,
      email_verified_at: isEmailVerified ? NOW : null,
    })
    .onConflict((conflict) => conflict.column('email_canonical').doNothing())
    .returning('id')
    .execute();
  return added !== undefined;
}

/** Replaces the password and removes the mark "compromised". */
export async function setPasswordHash(tx: Queries, id: string, hash: string): Promise<void> {
  await update(tx, id, { password_hash: hash, password_compromised_at: null });
}

/** Marks the password as compromised: it is refused until it is changed. */
export async function markPasswordCompromised(tx: Queries, id: string): Promise<void> {
  await update(tx, id, { password_compromised_at: NOW });
}

/** Marks the address as verified; the time of an earlier verification stays. */
export async function markEmailVerified(tx: Queries, id: string): Promise<void> {
  await update(tx, id, { email_verified_at: sql<Date>`coalesce(email_verified_at, now())` });
}

/**
 * Changes the address to one that was just verified.
 *
 * @param email an address that `canonicalEmail` accepts.
 * @throws the driver's unique violation if another account has it: see `isUniqueViolation`.
 */
export async function changeEmail(tx: Queries, id: string, email: string): Promise<void> {
  await update(tx, id, { email, email_canonical: requireCanonical(email), email_verified_at: NOW });
}

export async function setRole(tx: Queries, id: string, role: Role): Promise<void> {
  await update(tx, id, { role });
}

export async function disableUser(tx: Queries, id: string): Promise<void> {
  await update(tx, id, { disabled_at: NOW });
}

export async function enableUser(tx: Queries, id: string): Promise<void> {
  await update(tx, id, { disabled_at: null });
}

/** Changes the name, the language or both. @returns whether the account exists. */
export async function setProfile(
  tx: Queries,
  id: string,
  profile: { readonly name?: string | null; readonly language?: Language | null },
): Promise<boolean> {
  return update(tx, id, profile);
}

/** Clears the name and the WebAuthn user handle, which were set by a user who never verified the address. */
export async function clearUnverifiedProfile(tx: Queries, id: string): Promise<void> {
  await update(tx, id, { name: null, webauthn_handle: null });
}

/**
 * Gives an account a WebAuthn user handle unless it has one: random, so that it reveals nothing about the user
 * (WebAuthn Level 3 §14.6.1). One statement, so it needs no transaction.
 *
 * @returns the handle and the names for the authenticator; null if the account does not exist.
 */
export async function ensureWebauthnHandle(queries: Queries, id: string): Promise<WebauthnUser | null> {
  const [user] = await queries
    .of<UsersTables>()
    .updateTable('users')
    .set({ webauthn_handle: sql<Buffer>`coalesce(webauthn_handle, ${randomBytes(HANDLE_BYTES)})` })
    .where('id', '=', id)
    .returning((row) => ['email', 'name', row.ref('webauthn_handle').$notNull().as('handle')])
    .execute();
  return user ?? null;
}

/** Deletes an account and, by cascade, all its data. */
export async function deleteUser(tx: Queries, id: string): Promise<void> {
  await tx.of<UsersTables>().deleteFrom('users').where('id', '=', id).execute();
}

async function update(
  tx: Queries,
  id: string,
  changes: UpdateObject<UsersTables, 'users'>,
): Promise<boolean> {
  const [updated] = await tx
    .of<UsersTables>()
    .updateTable('users')
    .set({ ...changes, updated_at: NOW })
    .where('id', '=', id)
    .returning('id')
    .execute();
  return updated !== undefined;
}
