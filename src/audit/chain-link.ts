import { createHmac } from 'node:crypto';
import { sql } from 'kysely';

/** Says how a link is computed; another way gets another number. */
const FORMAT = 'traffy-audit/v1';
const PRUNE_FORMAT = 'traffy-audit-prune/v1';

/** What stands before the first event: a hash of zeros. */
export const NO_HASH = Buffer.alloc(32);

/** An event as its link takes it in: every column but its place and its hash, as the database writes it. */
export interface ChainedEvent {
  readonly id: string;
  readonly kind: string;
  readonly at: string;
  readonly user_id: string | null;
  readonly actor: string;
  readonly session_id: string | null;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly request_id: string | null;
  readonly details: string;
  readonly xact: string;
}

/** The columns of `ChainedEvent`. The time is in seconds since 1970 with all its digits. */
export const CHAINED_COLUMNS = sql`id::text as id, kind, extract(epoch from at)::text as at, user_id::text as user_id,
  actor, session_id::text as session_id, ip, user_agent, request_id, details::text as details, xact::text as xact`;

/**
 * The hash of an event at a place: HMAC-SHA-256 over the hash before it, its place and all that it says. Without the key
 * nobody makes one, or finds another event for it.
 */
export function linkHash(key: Buffer, previous: Buffer, seq: bigint, event: ChainedEvent): Buffer {
  const { id, kind, at, user_id, actor, session_id, ip, user_agent, request_id, details, xact } = event;
  const facts = [id, kind, at, user_id, actor, session_id, ip, user_agent, request_id, details, xact];
  return createHmac('sha256', key)
    .update(previous)
    .update(JSON.stringify([FORMAT, seq.toString(), ...facts]))
    .digest();
}

/**
 * What proves that the chain was cut at a place by who holds its key: anybody who can write to the table could record
 * that events were deleted.
 */
export function pruneProof(key: Buffer, seq: bigint, hash: Buffer): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([PRUNE_FORMAT, seq.toString(), hash.toString('hex')]))
    .digest('hex');
}
