import type { Columns } from '../platform/database/columns.js';
import type { Queries } from '../platform/database/database.js';
import type { AuditTables } from './audit.tables.js';

/** A place in the chain. A place that is noted elsewhere later proves that all events up to it still exist. */
export interface ChainPlace {
  /** Counted from 1; 0 is before the first event. */
  readonly seq: bigint;
  readonly hash: Buffer;
}

/** A chain as stored. */
export interface StoredChain {
  /** Encrypted under AUTH_SECRETS. */
  readonly sealedKey: Buffer;
  /** The last event that retention deleted. */
  readonly first: ChainPlace;
  readonly head: ChainPlace;
}

const COLUMNS = ['key', 'first_seq', 'first_hash', 'head_seq', 'head_hash'] as const;

/** Returns the chain; null if it has not begun. */
export async function readChain(queries: Queries): Promise<StoredChain | null> {
  const row = await queries.of<AuditTables>().selectFrom('audit_chain').select(COLUMNS).executeTakeFirst();
  return row ? toChain(row) : null;
}

/** Returns the chain, locked until the transaction ends; null if it has not begun or another node holds the lock. */
export async function lockChain(tx: Queries): Promise<StoredChain | null> {
  const row = await tx
    .of<AuditTables>()
    .selectFrom('audit_chain')
    .select(COLUMNS)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row ? toChain(row) : null;
}

/** Formats a place: `17:9f86…`. */
export function placeText({ seq, hash }: ChainPlace): string {
  return `${seq}:${hash.toString('hex')}`;
}

/** Parses a place of `placeText`; null for an invalid text. */
export function readPlace(text: string): ChainPlace | null {
  const { seq, hash } = /^(?<seq>\d{1,18}):(?<hash>[0-9a-f]{64})$/i.exec(text)?.groups ?? {};
  if (seq === undefined || hash === undefined) return null;
  return { seq: BigInt(seq), hash: Buffer.from(hash, 'hex') };
}

function toChain(row: Columns<AuditTables, 'audit_chain', (typeof COLUMNS)[number]>): StoredChain {
  return {
    sealedKey: row.key,
    first: { seq: BigInt(row.first_seq), hash: row.first_hash },
    head: { seq: BigInt(row.head_seq), hash: row.head_hash },
  };
}
