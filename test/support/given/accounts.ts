import { sql } from 'kysely';
import type { Queryable } from './queryable.js';

/** Gives an account a role. @param who id or address, as given at sign-up. */
export async function role(app: Queryable, who: string, name: 'user' | 'admin'): Promise<void> {
  await app.query(sql`update users set role = ${name} where ${is(who)}`);
}

/** Marks the address of an account as verified. */
export async function verifiedEmail(app: Queryable, who: string): Promise<void> {
  await app.query(sql`update users set email_verified_at = now() where ${is(who)}`);
}

/** Disables an account, without ending its sessions. */
export async function disabledAccount(app: Queryable, who: string): Promise<void> {
  await app.query(sql`update users set disabled_at = now() where ${is(who)}`);
}

/** Marks the password of an account as compromised, without ending its sessions. */
export async function compromisedPassword(app: Queryable, who: string): Promise<void> {
  await app.query(sql`update users set password_compromised_at = now() where ${is(who)}`);
}

/** Sets the stored hash of an account; null removes the password. */
export async function passwordHash(app: Queryable, who: string, hash: string | null): Promise<void> {
  await app.query(sql`update users set password_hash = ${hash} where ${is(who)}`);
}

/** Deletes every guess counter. */
export async function noGuesses(app: Queryable): Promise<void> {
  await app.query(sql`delete from guess_counters`);
}

/** An id or an address names the account. */
function is(who: string) {
  return sql<boolean>`(id::text = ${who} or email = ${who})`;
}
