import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Queries } from '../platform/database/database.js';
import { NOW } from '../platform/database/sql-time.js';
import { seal, sealedUnder, unseal } from '../platform/secrets/secrets.js';
import type { AuditTables } from './audit.tables.js';
import { NO_HASH } from './chain-link.js';

const PURPOSE = 'audit-chain';
const KEY_BYTES = 32;

/** AUTH_SECRETS cannot decrypt the key of the chain, so nothing can be sealed or verified. */
export class ChainKeyDoesNotFit extends Error {
  constructor() {
    super(
      'none of AUTH_SECRETS decrypts the key of the audit trail: add the secret that was used to the end of the list',
    );
  }
}

/** Begins the chain with a new key, unless it has begun. Of concurrent nodes, one does it. */
export async function beginChain(queries: Queries, secrets: readonly string[]): Promise<void> {
  const key = seal(secrets, PURPOSE, PURPOSE, randomBytes(KEY_BYTES));
  // If events are sealed and the chain is gone, a new chain would hide that.
  await queries.query(
    sql`insert into audit_chain (one, key, first_seq, first_hash, head_seq, head_hash)
        select 1, ${key}::bytea, 0, ${NO_HASH}::bytea, 0, ${NO_HASH}::bytea
        where not exists (select 1 from audit_events where seq is not null) on conflict do nothing`,
  );
}

/**
 * Decrypts the key of the chain.
 *
 * @throws ChainKeyDoesNotFit
 */
export function openChainKey(secrets: readonly string[], sealed: Buffer): Buffer {
  const key = unseal(secrets, PURPOSE, PURPOSE, sealed);
  if (!key) throw new ChainKeyDoesNotFit();
  return key;
}

/** The result of re-encrypting the key of the chain; `none` if no chain has begun. */
export type ChainKeyRewrapping = 'rewrapped' | 'kept' | 'unopened' | 'none';

/** Re-encrypts the key of the chain under the first of AUTH_SECRETS, unless it is already. */
export async function rewrapChainKey(tx: Queries, secrets: readonly string[]): Promise<ChainKeyRewrapping> {
  const chains = tx.of<AuditTables>();
  const row = await chains.selectFrom('audit_chain').select('key').forUpdate().executeTakeFirst();
  if (!row) return 'none';
  const { key: sealed } = row;
  const under = sealedUnder(secrets, PURPOSE, PURPOSE, sealed);
  if (under === 0) return 'kept';
  if (under === null) return 'unopened';
  const resealed = seal(secrets, PURPOSE, PURPOSE, openChainKey(secrets, sealed));
  await chains.updateTable('audit_chain').set({ key: resealed, updated_at: NOW }).execute();
  return 'rewrapped';
}
