import { sql } from 'kysely';
import type { Queries } from '../platform/database/database.js';
import type { AuditTables } from './audit.tables.js';
import { type ChainPlace, readChain, type StoredChain } from './chain-head.js';
import { openChainKey } from './chain-key.js';
import { CHAINED_COLUMNS, type ChainedEvent, linkHash, pruneProof } from './chain-link.js';

/** Events per read, so that memory stays constant. */
const BATCH = 1_000;
/** Events that are searched for the cause of a mismatch. */
const LOOK_AHEAD = 200;

/** The first fault of the chain. */
export type ChainFault =
  /** The content of an event was changed. */
  | 'changed'
  /** An event is missing. */
  | 'missing'
  /** An event that was never sealed was inserted. */
  | 'inserted'
  /** Events were reordered. */
  | 'reordered'
  /** The chain ends before its head, or before the noted head. */
  | 'cut'
  /** The oldest events are missing, and the trail does not record their deletion. */
  | 'cut_at_start'
  /** The event at the noted head is another one: the chain was rebuilt from some place on. */
  | 'another_head'
  /** The noted head is older than the oldest event, so its presence cannot be verified. */
  | 'head_too_old'
  /** Events are sealed, but the row of the chain is missing. */
  | 'no_chain';

/** The result of a verification. */
export interface ChainReport {
  /** The first fault; null for a valid chain. */
  readonly broken: { readonly fault: ChainFault; readonly seq: bigint; readonly id: string | null } | null;
  /** Number of valid events. */
  readonly events: number;
  /** The last event that retention deleted, and the last event; null if no chain has begun. */
  readonly first: ChainPlace | null;
  readonly head: ChainPlace | null;
  /** Events that are not sealed yet, and the time of the oldest. */
  readonly unsealed: { readonly events: number; readonly since: Date | null };
}

interface SealedEvent extends ChainedEvent {
  readonly seq: number;
  readonly hash: Buffer;
}

type Broken = NonNullable<ChainReport['broken']>;

/** The findings of a walk along the chain. */
interface Walk {
  readonly broken: Broken | null;
  readonly events: number;
  /** The last valid place. */
  readonly end: ChainPlace;
  /** Whether the trail records and proves that it pruned the events before its first one. */
  readonly isPruned: boolean;
  /** The hash at the noted place; null if the walk did not pass it. */
  readonly atNoted: Buffer | null;
}

/**
 * Verifies the chain from its oldest event to its head.
 *
 * @param queries a `repeatable read` transaction.
 * @param noted a head that was noted elsewhere; the chain must still contain it.
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
    const sealed = await queries
      .of<AuditTables>()
      .selectFrom('audit_events')
      .select((event) => ['id', event.ref('seq').$notNull().as('seq')])
      .where('seq', 'is not', null)
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst();
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
      const fits = BigInt(event.seq) === seq + 1n && linkHash(key, hash, seq + 1n, event).equals(event.hash);
      if (!fits) {
        const broken = await diagnose(queries, key, { seq, hash });
        return { broken, events, end: { seq, hash }, isPruned, atNoted };
      }
      seq += 1n;
      hash = event.hash;
      events += 1;
      if (noted?.seq === seq) atNoted = hash;
      isPruned = isPruned || proves(event, proof);
    }
    if (batch.length < BATCH) return { broken: null, events, end: { seq, hash }, isPruned, atNoted };
  }
}

/** Determines the fault after the last valid place. */
async function diagnose(queries: Queries, key: Buffer, { seq, hash }: ChainPlace): Promise<Broken> {
  const place = seq + 1n;
  const [event, ...following] = await readAfter(queries, seq, LOOK_AHEAD);
  if (!event || BigInt(event.seq) !== place) return { fault: 'missing', seq: place, id: null };
  const own = event.hash;
  const fitsBehind = (previous: Buffer, at: bigint, candidate: SealedEvent) =>
    linkHash(key, previous, at, candidate).equals(candidate.hash);
  const broken = (fault: ChainFault): Broken => ({ fault, seq: place, id: event.id });
  // Its content with its own hash, or with the hash at this place: it belongs here and was moved.
  const isRight = (one: SealedEvent) =>
    fitsBehind(hash, place, one) || linkHash(key, hash, place, one).equals(own);
  const rightful = following.find(isRight);
  if (rightful) {
    const wasSealed = following.some(({ seq: at, hash: before }) =>
      [BigInt(at), BigInt(at) + 1n].some((was) => linkHash(key, before, was, event).equals(own)),
    );
    const isMoved = wasSealed || linkHash(key, hash, place, rightful).equals(own);
    return broken(isMoved ? 'reordered' : 'inserted');
  }
  const [next] = following;
  // The next event fits the place after it: one event was removed, and the others moved up.
  if (next && fitsBehind(own, place + 2n, next)) return broken('missing');
  return broken('changed');
}

/** Checks the beginning and the end of the chain. */
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
    sql<SealedEvent>`select ${CHAINED_COLUMNS}, seq, hash from audit_events
      where seq > ${seq.toString()}::bigint order by seq limit ${limit}`,
  );
}

async function countUnsealed(queries: Queries): Promise<ChainReport['unsealed']> {
  const unsealed = await queries
    .of<AuditTables>()
    .selectFrom('audit_events')
    .select(({ fn }) => [fn.countAll<number>().as('events'), fn.min<Date | null>('at').as('since')])
    .where('seq', 'is', null)
    .executeTakeFirst();
  return unsealed ?? { events: 0, since: null };
}

/** The same for events that are not sealed yet. */
async function isPrunedUnsealed(queries: Queries, proof: string): Promise<boolean> {
  const rows = await queries.query(
    sql<ChainedEvent>`select ${CHAINED_COLUMNS} from audit_events where seq is null and audit_events.kind = 'audit_pruned'`,
  );
  return rows.some((event) => proves(event, proof));
}

function proves({ kind, details }: ChainedEvent, proof: string): boolean {
  return kind === 'audit_pruned' && (JSON.parse(details) as { proof?: unknown }).proof === proof;
}
