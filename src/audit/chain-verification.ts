import { sql } from 'kysely';
import type { Queries } from '../database/database.js';
import { type ChainPlace, readChain, type StoredChain } from './chain-head.js';
import { openChainKey } from './chain-key.js';
import { CHAINED_COLUMNS, type ChainedEvent, linkHash, pruneProof } from './chain-link.js';

/** Events that are read at once: memory stays flat, however many there are. */
const BATCH = 1_000;
/** How far is looked ahead for what became of a place that does not fit. */
const LOOK_AHEAD = 200;

/** What is wrong at the first place that does not fit. */
export type ChainFault =
  /** The event says something else than it did. */
  | 'changed'
  /** An event is not there any more. */
  | 'missing'
  /** An event that was never sealed stands here. */
  | 'inserted'
  /** Events changed places. */
  | 'reordered'
  /** The chain ends before its head, or before the head that was noted. */
  | 'cut'
  /** The oldest events are gone, and the trail does not say that they were deleted. */
  | 'cut_at_start'
  /** Another event stands where the head was noted: all from some place on was made anew. */
  | 'another_head'
  /** The noted head lies before the oldest event that is kept: that it was there cannot be told any more. */
  | 'head_too_old'
  /** Events are sealed, but where their chain begins and ends is gone. */
  | 'no_chain';

/** What verifying the chain came to. */
export interface ChainReport {
  /** The first place that does not fit; null where all do. */
  readonly broken: { readonly fault: ChainFault; readonly seq: bigint; readonly id: string | null } | null;
  /** How many events were found good. */
  readonly events: number;
  /** The last one that was deleted because its time was over, and the last of all; null where no chain has begun. */
  readonly first: ChainPlace | null;
  readonly head: ChainPlace | null;
  /** Events that wait for their place, and since when the oldest does. */
  readonly unsealed: { readonly events: number; readonly since: Date | null };
}

interface SealedEvent extends ChainedEvent {
  seq: string;
  hash: Uint8Array;
}

type Broken = NonNullable<ChainReport['broken']>;

/** What was found on the way. */
interface Walk {
  readonly broken: Broken | null;
  readonly events: number;
  /** The last place that fits. */
  readonly end: ChainPlace;
  /** Whether the trail says, and proves, that it deleted the events before its first one. */
  readonly isPruned: boolean;
  /** The hash at the noted place; null where the walk did not pass it. */
  readonly atNoted: Buffer | null;
}

/**
 * Computes the chain anew, from its oldest event to its head.
 *
 * @param queries a transaction in which nothing moves: `repeatable read`.
 * @param noted a head that was noted elsewhere, now or long ago: the chain must still contain it.
 * @throws ChainKeyDoesNotFit
 */
export async function verifyChain(
  queries: Queries,
  secrets: readonly string[],
  noted: ChainPlace | null = null,
): Promise<ChainReport> {
  const unsealed = await countUnsealed(queries);
  const chain = await readChain(queries);
  if (!chain) {
    const [sealed] = await queries.query(
      sql<{
        id: string;
        seq: string;
      }>`select id, seq::text as seq from audit_events e where e.seq is not null order by e.seq limit 1`,
    );
    const broken: Broken | null = sealed
      ? { fault: 'no_chain', seq: BigInt(sealed.seq), id: sealed.id }
      : noted && noted.seq > 0n
        ? { fault: 'cut', seq: 1n, id: null }
        : null;
    return { broken, events: 0, first: null, head: null, unsealed };
  }
  const key = openChainKey(secrets, chain.sealedKey);
  const walk = await walkChain(queries, key, chain, noted);
  const broken = walk.broken ?? (await judgeEnds(queries, key, chain, walk, noted));
  return { broken, events: walk.events, first: chain.first, head: chain.head, unsealed };
}

async function walkChain(
  queries: Queries,
  key: Buffer,
  { first }: StoredChain,
  noted: ChainPlace | null,
): Promise<Walk> {
  let { seq, hash } = first;
  let events = 0;
  const proof = pruneProof(key, first.seq, first.hash);
  let isPruned = false;
  let atNoted = noted?.seq === seq ? hash : null;
  for (;;) {
    const batch = await readAfter(queries, seq, BATCH);
    for (const event of batch) {
      const fits =
        BigInt(event.seq) === seq + 1n &&
        linkHash(key, hash, seq + 1n, event).equals(Buffer.from(event.hash));
      if (!fits) {
        const broken = await diagnose(queries, key, { seq, hash });
        return { broken, events, end: { seq, hash }, isPruned, atNoted };
      }
      seq += 1n;
      hash = Buffer.from(event.hash);
      events += 1;
      if (noted?.seq === seq) atNoted = hash;
      isPruned = isPruned || proves(event, proof);
    }
    if (batch.length < BATCH) return { broken: null, events, end: { seq, hash }, isPruned, atNoted };
  }
}

/** What became of the place behind the last one that fits. */
async function diagnose(queries: Queries, key: Buffer, { seq, hash }: ChainPlace): Promise<Broken> {
  const place = seq + 1n;
  const [event, ...following] = await readAfter(queries, seq, LOOK_AHEAD);
  if (!event || BigInt(event.seq) !== place) return { fault: 'missing', seq: place, id: null };
  const own = Buffer.from(event.hash);
  const fitsBehind = (previous: Buffer, at: bigint, candidate: SealedEvent) =>
    linkHash(key, previous, at, candidate).equals(Buffer.from(candidate.hash));
  const broken = (fault: ChainFault): Broken => ({ fault, seq: place, id: event.id });
  // Its content with its own hash, or with the one that stands here: it belongs here, and was moved away.
  const isRight = (one: SealedEvent) =>
    fitsBehind(hash, place, one) || linkHash(key, hash, place, one).equals(own);
  const rightful = following.find(isRight);
  if (rightful) {
    const wasSealed = following.some(({ seq: at, hash: before }) =>
      [BigInt(at), BigInt(at) + 1n].some((was) => linkHash(key, Buffer.from(before), was, event).equals(own)),
    );
    const isMoved = wasSealed || linkHash(key, hash, place, rightful).equals(own);
    return broken(isMoved ? 'reordered' : 'inserted');
  }
  const [next] = following;
  // What follows goes by the place after: one was taken out, and the rest moved up.
  if (next && fitsBehind(own, place + 2n, next)) return broken('missing');
  return broken('changed');
}

/** Whether the chain begins and ends where it should. */
async function judgeEnds(
  queries: Queries,
  key: Buffer,
  { first, head }: StoredChain,
  { end, isPruned, atNoted }: Walk,
  noted: ChainPlace | null,
): Promise<Broken | null> {
  if (end.seq < head.seq) return { fault: 'cut', seq: end.seq + 1n, id: null };
  if (end.seq > head.seq) return { fault: 'inserted', seq: head.seq + 1n, id: null };
  if (!end.hash.equals(head.hash)) return { fault: 'changed', seq: head.seq, id: null };
  if (
    first.seq > 0n &&
    !isPruned &&
    !(await isPrunedUnsealed(queries, pruneProof(key, first.seq, first.hash)))
  )
    return { fault: 'cut_at_start', seq: first.seq, id: null };
  if (!noted || atNoted?.equals(noted.hash)) return null;
  if (noted.seq > head.seq) return { fault: 'cut', seq: head.seq + 1n, id: null };
  return { fault: noted.seq < first.seq ? 'head_too_old' : 'another_head', seq: noted.seq, id: null };
}

function readAfter(queries: Queries, seq: bigint, limit: number): Promise<SealedEvent[]> {
  return queries.query(
    sql<SealedEvent>`select ${CHAINED_COLUMNS}, seq::text as seq, hash from audit_events
      where audit_events.seq > ${seq.toString()}::bigint order by audit_events.seq limit ${limit}`,
  );
}

async function countUnsealed(queries: Queries): Promise<ChainReport['unsealed']> {
  const [row] = await queries.query(
    sql<{ events: number; since: Date | string | null }>`select count(*)::int as events, min(at) as since
      from audit_events where seq is null`,
  );
  return { events: row?.events ?? 0, since: row?.since ? new Date(row.since) : null };
}

/** The same of what is not sealed yet. */
async function isPrunedUnsealed(queries: Queries, proof: string): Promise<boolean> {
  const rows = await queries.query(
    sql<ChainedEvent>`select ${CHAINED_COLUMNS} from audit_events where seq is null and audit_events.kind = 'audit_pruned'`,
  );
  return rows.some((event) => proves(event, proof));
}

function proves({ kind, details }: ChainedEvent, proof: string): boolean {
  return kind === 'audit_pruned' && (JSON.parse(details) as { proof?: unknown }).proof === proof;
}
