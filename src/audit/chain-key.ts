import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Queries } from '../database/database.js';
import { seal, sealedUnder, unseal } from '../secrets/secrets.js';
import { NO_HASH } from './chain-link.js';

const PURPOSE = 'audit-chain';
const KEY_BYTES = 32;

/** The key of the chain does not open with AUTH_SECRETS, so that nothing can be sealed or verified. */
export class ChainKeyDoesNotFit extends Error {
  constructor() {
    super(
      'none of AUTH_SECRETS opens the key of the audit trail: add the secret that was used to the end of the list',
    );
  }
}

/** Begins the chain with a new key, unless it has begun. Of many nodes that come at once, one does it. */
export async function beginChain(queries: Queries, secrets: readonly string[]): Promise<void> {
  const key = seal(secrets, PURPOSE, PURPOSE, randomBytes(KEY_BYTES));
  // Where events are sealed and their chain has gone, another one would only hide that.
  await queries.query(
    sql`insert into audit_chain (one, key, first_seq, first_hash, head_seq, head_hash)
        select 1, ${key}::bytea, 0, ${NO_HASH}::bytea, 0, ${NO_HASH}::bytea
        where not exists (select 1 from audit_events where seq is not null) on conflict do nothing`,
  );
}

/**
 * The key of the chain as it was stored.
 *
 * @throws ChainKeyDoesNotFit
 */
export function openChainKey(secrets: readonly string[], sealed: Uint8Array): Buffer {
  const key = unseal(secrets, PURPOSE, PURPOSE, Buffer.from(sealed));
  if (!key) throw new ChainKeyDoesNotFit();
  return key;
}

/** What sealing the key of the chain anew came to; `none` where no chain has begun. */
export type ChainKeyRewrapping = 'rewrapped' | 'kept' | 'unopened' | 'none';

/** Seals the key of the chain under the first of AUTH_SECRETS, if it is under another one. */
export async function rewrapChainKey(tx: Queries, secrets: readonly string[]): Promise<ChainKeyRewrapping> {
  const [row] = await tx.query(
    sql<{ key: Uint8Array }>`select key from audit_chain where one = 1 for update`,
  );
  if (!row) return 'none';
  const sealed = Buffer.from(row.key);
  const under = sealedUnder(secrets, PURPOSE, PURPOSE, sealed);
  if (under === 0) return 'kept';
  if (under === null) return 'unopened';
  const resealed = seal(secrets, PURPOSE, PURPOSE, openChainKey(secrets, sealed));
  await tx.query(sql`update audit_chain set key = ${resealed}, updated_at = now() where one = 1`);
  return 'rewrapped';
}
