import type { Queries } from '../../platform/database/database.js';
import type { SecondFactors } from '../assurance/second-factors.service.js';
import type { FactorsTables } from './factors.tables.js';

/**
 * Removes everything that a user can sign in with besides the password, and pending WebAuthn ceremonies.
 *
 * @param tx the transaction that has locked the account row.
 * @returns whether anything was removed.
 */
export async function removeFactors(tx: Queries, userId: string): Promise<boolean> {
  const tables = tx.of<FactorsTables>();
  const passkeys = await tables
    .deleteFrom('passkeys')
    .where('user_id', '=', userId)
    .returning('id')
    .execute();
  const apps = await tables
    .deleteFrom('totp_authenticators')
    .where('user_id', '=', userId)
    .returning('user_id')
    .execute();
  const codes = await tables
    .deleteFrom('recovery_codes')
    .where('user_id', '=', userId)
    .returning('user_id')
    .execute();
  await tables.deleteFrom('webauthn_challenges').where('user_id', '=', userId).execute();
  return passkeys.length + apps.length + codes.length > 0;
}

/** Removes the recovery codes of a user without any second factor, in the transaction that removed the last one. */
export async function removeStrandedRecoveryCodes(
  tx: Queries,
  userId: string,
  factors: SecondFactors,
): Promise<void> {
  if (await factors.has(userId, tx)) return;
  await tx.of<FactorsTables>().deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
}
