import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/** Whose factors are used or changed: how guesses are counted for them, and where notices go. */
export interface FactorOwner {
  /** As its owner wrote it. */
  readonly email: string;
  readonly emailCanonical: string;
}

interface OwnerRow {
  email: string;
  email_canonical: string;
}

/** The account with this id; null if there is none. */
export async function findFactorOwner(queries: Queries, userId: string): Promise<FactorOwner | null> {
  const rows = await queries.query(
    sql<OwnerRow>`select email, email_canonical from users where id = ${userId}`,
  );
  return toOwner(rows);
}

/**
 * The same, locked until the transaction ends. Whatever changes second factors takes it, as a sign-in does: none of them
 * goes by factors that are about to change.
 */
export async function lockFactorOwner(tx: Queries, userId: string): Promise<FactorOwner | null> {
  const rows = await tx.query(
    sql<OwnerRow>`select email, email_canonical from users where id = ${userId} for no key update`,
  );
  return toOwner(rows);
}

function toOwner([row]: readonly OwnerRow[]): FactorOwner | null {
  return row ? { email: row.email, emailCanonical: row.email_canonical } : null;
}
