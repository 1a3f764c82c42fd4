import { createHmac } from 'node:crypto';
import { sql } from 'kysely';

/** The version of the link format. */
const FORMAT = 'traffy-audit/v1';
const PRUNE_FORMAT = 'traffy-audit-prune/v1';

/** The hash before the first event: zeros. */
export const NO_HASH = Buffer.alloc(32);

/** The input of a link: every column of the event except its place and hash, as the database formats it. */
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

/** The columns of `ChainedEvent`. The time is in seconds since 1970 with all digits. */
export const CHAINED_COLUMNS = sql`id::text as id, kind, extract(epoch from at)::text as at, user_id::text as user_id,
  actor, session_id::text as session_id, ip, user_agent, request_id, details::text as details, xact::text as xact`;

/**
 * Computes the hash of an event: HMAC-SHA-256 over the previous hash, the place and the event. Without the key, an
 * attacker cannot create a hash or replace an event.
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
 * Proves that a holder of the key pruned the chain at a place: anyone with write access could record that events were
 * deleted.
 */
export function pruneProof(key: Buffer, seq: bigint, hash: Buffer): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([PRUNE_FORMAT, seq.toString(), hash.toString('hex')]))
    .digest('hex');
}
