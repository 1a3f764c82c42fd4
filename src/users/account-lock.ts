import type { Columns } from '../platform/database/columns.js';
import type { Queries } from '../platform/database/database.js';
import type { Role } from '../platform/http/access.decorators.js';
import type { UsersTables } from './users.tables.js';

/** An account that a transaction has locked. It does not change until that transaction ends. */
export interface LockedAccount {
  readonly id: string;
  /** As the owner wrote it. */
  readonly email: string;
  readonly emailCanonical: string;
  readonly role: Role;
  /** The language of mails; null if none was chosen. */
  readonly language: string | null;
  readonly isDisabled: boolean;
  /** Whether the owner proved the address. */
  readonly isVerified: boolean;
  readonly passwordHash: string | null;
  /** Whether the password is known to be compromised and must be changed first. */
  readonly isPasswordCompromised: boolean;
}

/** What the transaction does to the account. A deletion takes its stronger lock at the start: an upgrade can deadlock. */
export type AccountUse = 'update' | 'delete';

const COLUMNS = [
  'id',
  'email',
  'email_canonical',
  'role',
  'language',
  'disabled_at',
  'email_verified_at',
  'password_hash',
  'password_compromised_at',
] as const;

/**
 * Locks an account until the transaction ends. Every transaction that changes an account, or that ends several sessions of
 * it, takes this lock before it locks a session.
 *
 * @returns the account, or null if it does not exist.
 */
export async function lockAccount(
  tx: Queries,
  userId: string,
  use: AccountUse = 'update',
): Promise<LockedAccount | null> {
  const account = selectAccount(tx).where('id', '=', userId);
  const locked = use === 'delete' ? account.forUpdate() : account.forNoKeyUpdate();
  return read(await locked.executeTakeFirst());
}

/**
 * `lockAccount` by address.
 *
 * @returns the account, or null if no account has this canonical address.
 */
export async function lockAccountByEmail(tx: Queries, emailCanonical: string): Promise<LockedAccount | null> {
  const account = selectAccount(tx).where('email_canonical', '=', emailCanonical);
  return read(await account.forNoKeyUpdate().executeTakeFirst());
}

/**
 * Whether a proof that was verified before the lock is still valid under it.
 *
 * @param passwordHash the verified password hash; null for other proofs.
 * @param use a compromised password is valid for `change_password` only.
 */
export function isProofGood(
  account: LockedAccount,
  passwordHash: string | null,
  use: 'sign_in' | 'change_password',
): boolean {
  if (account.isDisabled) return false;
  if (passwordHash === null) return true;
  if (account.passwordHash !== passwordHash) return false;
  return use === 'change_password' || !account.isPasswordCompromised;
}

function selectAccount(tx: Queries) {
  return tx.of<UsersTables>().selectFrom('users').select(COLUMNS);
}

function read(
  row: Columns<UsersTables, 'users', (typeof COLUMNS)[number]> | undefined,
): LockedAccount | null {
  if (!row) return null;
  return {
    id: row.id,
    email: row.email,
    emailCanonical: row.email_canonical,
    role: row.role,
    language: row.language,
    isDisabled: row.disabled_at !== null,
    isVerified: row.email_verified_at !== null,
    passwordHash: row.password_hash,
    isPasswordCompromised: row.password_compromised_at !== null,
  };
}
