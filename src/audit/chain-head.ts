import { sql } from 'kysely';
import type { Queries } from '../database/database.js';

/** A place in the chain: whoever notes it elsewhere can tell later whether all until then is still there. */
export interface ChainPlace {
  /** Counted from 1; 0 stands before the first event. */
  readonly seq: bigint;
  readonly hash: Buffer;
}

/** A chain as it is stored. */
export interface StoredChain {
  /** As it is encrypted under AUTH_SECRETS. */
  readonly sealedKey: Buffer;
  /** The last event that was deleted because its time was over. */
  readonly first: ChainPlace;
  readonly head: ChainPlace;
}

interface ChainRow {
  key: Uint8Array;
  first_seq: string;
  first_hash: Uint8Array;
  head_seq: string;
  head_hash: Uint8Array;
}

const COLUMNS = sql`key, first_seq::text as first_seq, first_hash, head_seq::text as head_seq, head_hash`;

/** The chain; null where none has begun. */
export async function readChain(queries: Queries): Promise<StoredChain | null> {
  const [row] = await queries.query(sql<ChainRow>`select ${COLUMNS} from audit_chain where one = 1`);
  return row ? toChain(row) : null;
}

/** The chain, locked until the transaction ends; null where none has begun, or another node has it. */
export async function lockChain(tx: Queries): Promise<StoredChain | null> {
  const [row] = await tx.query(
    sql<ChainRow>`select ${COLUMNS} from audit_chain where one = 1 for update skip locked`,
  );
  return row ? toChain(row) : null;
}

/** A place as it is written down: `17:9f86…`. */
export function placeText({ seq, hash }: ChainPlace): string {
  return `${seq}:${hash.toString('hex')}`;
}

/** The place that `placeText` wrote; null for a text that is none. */
export function readPlace(text: string): ChainPlace | null {
  const { seq, hash } = /^(?<seq>\d{1,18}):(?<hash>[0-9a-f]{64})$/i.exec(text)?.groups ?? {};
  if (seq === undefined || hash === undefined) return null;
  return { seq: BigInt(seq), hash: Buffer.from(hash, 'hex') };
}

function toChain(row: ChainRow): StoredChain {
  return {
    sealedKey: Buffer.from(row.key),
    first: { seq: BigInt(row.first_seq), hash: Buffer.from(row.first_hash) },
    head: { seq: BigInt(row.head_seq), hash: Buffer.from(row.head_hash) },
  };
}
