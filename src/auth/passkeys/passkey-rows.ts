import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/** A passkey and its owner, as a ceremony needs them. */
export interface StoredPasskey {
  readonly id: string;
  readonly userId: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly signCount: number;
  readonly isBackupEligible: boolean;
  readonly emailCanonical: string;
  /** The owner's WebAuthn user handle. */
  readonly handle: Buffer;
  readonly isDisabled: boolean;
  readonly isEmailVerified: boolean;
}

interface Row {
  id: string;
  user_id: string;
  public_key: Uint8Array;
  sign_count: number;
  is_backup_eligible: boolean;
  email_canonical: string;
  webauthn_handle: Uint8Array;
  is_disabled: boolean;
  is_verified: boolean;
}

/** The passkey with this credential id; null if nobody has one. */
export async function findPasskey(queries: Queries, credentialId: Buffer): Promise<StoredPasskey | null> {
  const [row] = await queries.query(
    sql<Row>`select p.id, p.user_id, p.public_key, p.sign_count::float8 as sign_count, p.is_backup_eligible,
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
    emailCanonical: row.email_canonical,
    handle: Buffer.from(row.webauthn_handle),
    isDisabled: row.is_disabled,
    isEmailVerified: row.is_verified,
  };
}

/** What a browser needs to know of a person's passkeys to ask for one, or not to make a second one. */
export async function descriptorsOf(
  queries: Queries,
  userId: string,
): Promise<{ id: string; transports: string[] }[]> {
  const rows = await queries.query(
    sql<{ credential_id: Uint8Array; transports: string[] }>`select credential_id, transports from passkeys
      where user_id = ${userId} order by created_at, id`,
  );
  return rows.map(({ credential_id, transports }) => ({
    id: Buffer.from(credential_id).toString('base64url'),
    transports,
  }));
}
