import { sql } from 'kysely';
import type { Columns } from '../../../platform/database/columns.js';
import type { Queries } from '../../../platform/database/database.js';
import type { UsersTables } from '../../../users/users.tables.js';
import type { FactorsTables } from '../factors.tables.js';
import { keyFlawOf } from './cose-key.js';
import { knownTransports } from './webauthn.dto.js';

/** A passkey and its owner, for a ceremony. */
export interface StoredPasskey {
  readonly id: string;
  readonly userId: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly signCount: number;
  readonly isBackupEligible: boolean;
  /** Why the key must not sign in; null if it can. */
  readonly keyFlaw: string | null;
  readonly emailCanonical: string;
  /** The owner's WebAuthn user handle. */
  readonly handle: Buffer;
  readonly isDisabled: boolean;
  readonly isEmailVerified: boolean;
}

type Row = Columns<
  FactorsTables,
  'passkeys',
  'id' | 'user_id' | 'public_key' | 'sign_count' | 'is_backup_eligible' | 'key_flaw'
> &
  Columns<UsersTables, 'users', 'email_canonical'> & {
    readonly webauthn_handle: Buffer;
    readonly is_disabled: boolean;
    readonly is_verified: boolean;
  };

/** Finds the passkey with this credential id; null if it does not exist. */
export async function findPasskey(queries: Queries, credentialId: Buffer): Promise<StoredPasskey | null> {
  const [row] = await queries.query(
    sql<Row>`select p.id, p.user_id, p.public_key, p.sign_count, p.is_backup_eligible, p.key_flaw,
        u.email_canonical, u.webauthn_handle, u.disabled_at is not null as is_disabled, u.email_verified_at is not null as is_verified
      from passkeys p join users u on u.id = p.user_id
      where p.credential_id = ${credentialId} and u.webauthn_handle is not null`,
  );
  if (!row) return null;
  return {
    id: row.id,
    userId: row.user_id,
    publicKey: new Uint8Array(row.public_key),
    signCount: row.sign_count,
    isBackupEligible: row.is_backup_eligible,
    // Checked again: a node of an older version could have added it after the check of the stored keys.
    keyFlaw: row.key_flaw ?? keyFlawOf(row.public_key),
    emailCanonical: row.email_canonical,
    handle: row.webauthn_handle,
    isDisabled: row.is_disabled,
    isEmailVerified: row.is_verified,
  };
}

/**
 * Descriptors of the passkeys that a user can sign in with: for a browser to request one, or to avoid a second
 * registration.
 */
export async function descriptorsOf(
  queries: Queries,
  userId: string,
): Promise<{ id: string; transports: string[] }[]> {
  const rows = await queries
    .of<FactorsTables>()
    .selectFrom('passkeys')
    .select(['credential_id', 'transports'])
    .where('user_id', '=', userId)
    .where('key_flaw', 'is', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map(({ credential_id, transports }) => ({
    id: credential_id.toString('base64url'),
    transports: knownTransports(transports),
  }));
}
