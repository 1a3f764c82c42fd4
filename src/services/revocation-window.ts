import { sql } from 'kysely';
import type { Database } from '../platform/database/database.js';
import type { RevocationKind } from '../auth/revocation/revocation.entity.js';
import type { RevocationEntry } from '../verify/revocations.gate.js';

/** A revocation that other services must know, because access tokens that it concerns have not expired. */
export interface LiveRevocation {
  readonly seq: bigint;
  /** The transaction that wrote it. */
  readonly xact: bigint;
  /** When, in seconds since the epoch, rounded up. */
  readonly at: number;
  readonly entry: RevocationEntry;
}

/** The state of the database at one moment. */
export interface RevocationSnapshot {
  /** By the database's clock, in seconds since the epoch. */
  readonly now: number;
  /** The oldest transaction that can still write: all earlier ones are included. */
  readonly oldest: bigint;
  /** Newest first. The same array as before if nothing changed. */
  readonly revocations: readonly LiveRevocation[];
  /** Represents the revocations beyond the limit of the list; null without any. */
  readonly cutOff: Extract<RevocationEntry, { before: number }> | null;
}

/** Milliseconds for which all requests share one read of the database. */
const SHARED_FOR = 1_000;
/** Seconds that an entry outlives its tokens: the maximum clock tolerance of verifiers (RFC 7519 §4.1.4, J6). */
const TOLERANCE_MAX = 60;
/** Seconds; lists change by time only in these steps, so that nodes with the same list return the same content. */
export const STEP = 30;
/**
 * About 5 MB signed. Beyond it, older entries become one revoked-before time: all users' tokens from before it are
 * refreshed once.
 */
const LISTED_MAX = 50_000;
/** Seconds that a transaction may have waited for the lock of the session that it ends. */
const LOCK_MARGIN = 10;

interface Look {
  /** The start time of the server, which identifies it. */
  server: string;
  now: number;
  oldest: string;
  revocations: Row[];
}

interface Row {
  seq: string;
  xact: string;
  at: number;
  last: number;
  kind: RevocationKind;
  sid: string | null;
  sub: string | null;
  before: number | null;
  exp: number;
}

/**
 * The live revocations, kept by this process and updated on request: at most one statement a second, which reads the
 * new rows.
 *
 * New rows are found by transactions, as the database itself tracks them: a poll reads the rows of all transactions
 * that may still have been open at the previous poll, so it reads some twice. A cursor over sequence numbers or times
 * would miss the row of a transaction that took its number early and committed late.
 *
 * If the server was replaced or restarted, the position is invalid, and everything is read again.
 *
 * A revoked-before time ends sessions by their creation, which tokens do not contain. It covers all tokens issued
 * before it was set: ended sessions got none since, and others refresh once.
 */
export class RevocationWindow {
  private revocations: readonly LiveRevocation[] = [];
  private cutOff: RevocationSnapshot['cutOff'] = null;
  private from = 0n;
  private server: string | null = null;
  private step = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private looking: Promise<RevocationSnapshot> | null = null;
  private isLooking = false;

  /** @param keySetMaxAge seconds after which all cached key sets are newer than the revocation of a key. */
  constructor(
    private readonly database: Pick<Database, 'query'>,
    private readonly keySetMaxAge: number,
  ) {}

  /** A state at most a second old, or the result of a read in progress. */
  read(): Promise<RevocationSnapshot> {
    if (this.looking && (this.isLooking || performance.now() - this.lookedAt < SHARED_FOR))
      return this.looking;
    this.looking = this.look();
    return this.looking;
  }

  private async look(): Promise<RevocationSnapshot> {
    this.lookedAt = performance.now();
    this.isLooking = true;
    try {
      return await this.ask();
    } catch (error) {
      this.looking = null;
      throw error;
    } finally {
      this.isLooking = false;
    }
  }

  private async ask(): Promise<RevocationSnapshot> {
    const [look] = await this.database.query(
      sql<Look>`select extract(epoch from now())::float8 as now, pg_snapshot_xmin(pg_current_snapshot())::text as oldest,
          pg_postmaster_start_time()::text as server,
          coalesce((select json_agg(r order by r.number desc) from (
            select seq as number, seq::text, xact::text, kind, session_id as sid, user_id as sub,
              ceil(extract(epoch from created_at)) as at,
              ceil(extract(epoch from case kind when 'credential' then issued_before else created_at end)) as before,
              ceil(extract(epoch from dead_at)) + ${TOLERANCE_MAX} as exp,
              ceil(extract(epoch from max(dead_at) over ())) + ${TOLERANCE_MAX} as last
            from (select *, case kind when 'key' then created_at + make_interval(secs => ${this.keySetMaxAge})
                                      else tokens_expire_at end as dead_at
                  from revocations where xact >= ${this.from.toString()}::bigint) as noted
            where dead_at > now() - make_interval(secs => ${TOLERANCE_MAX})
              and (kind <> 'credential' or issued_before is not null)
            order by number desc limit ${LISTED_MAX + 1}) as r), '[]') as revocations`,
    );
    if (!look) throw new Error('the database returned no row');
    const { now } = look;
    const oldest = BigInt(look.oldest);
    // Transaction ids and numbers only increase; after a failover or a restore they start from another value.
    if (oldest < this.from || (this.server !== null && this.server !== look.server)) {
      this.startAnew();
      return this.ask();
    }
    this.take(look.revocations, now);
    this.from = oldest;
    this.server = look.server;
    return { now, oldest, revocations: this.revocations, cutOff: this.cutOff };
  }

  private startAnew(): void {
    this.revocations = [];
    this.cutOff = null;
    this.from = 0n;
    this.step = 0;
    this.server = null;
  }

  private take(rows: readonly Row[], now: number): void {
    const step = Math.floor(now / STEP);
    const known = new Set(rows.length > 0 ? this.revocations.map(({ seq }) => seq) : []);
    const fresh = rows.map(toRevocation).filter(({ seq }) => !known.has(seq));
    if (fresh.length === 0 && step === this.step) return;
    this.step = step;
    const live = [...fresh, ...this.revocations]
      .filter(({ entry }) => entry.exp > step * STEP)
      .toSorted((one, other) => (one.seq < other.seq ? 1 : -1));
    this.revocations = live.slice(0, LISTED_MAX);
    if (this.cutOff && this.cutOff.exp <= step * STEP) this.cutOff = null;
    const unlisted = live.slice(LISTED_MAX);
    if (unlisted.length > 0) this.cut(unlisted, rows[0]?.last ?? 0);
  }

  private cut(unlisted: readonly LiveRevocation[], last: number): void {
    const { before = 0, exp = 0 } = this.cutOff ?? {};
    this.cutOff = {
      before: unlisted.reduce((latest, { at }) => Math.max(latest, at + LOCK_MARGIN), before),
      exp: unlisted.reduce((latest, { entry }) => Math.max(latest, entry.exp), Math.max(exp, last)),
    };
  }
}

function toRevocation(row: Row): LiveRevocation {
  return { seq: BigInt(row.seq), xact: BigInt(row.xact), at: row.at, entry: toEntry(row) };
}

function toEntry({ kind, sid, sub, before, exp }: Row): RevocationEntry {
  if (kind === 'key') return { keys: true, exp };
  if (kind === 'session' && sid !== null) return { sid, exp };
  if (kind === 'credential' && sid !== null && before !== null) return { sid, before, exp };
  if (kind === 'user' && sub !== null && before !== null) return { sub, before, exp };
  if (kind === 'all' && before !== null) return { before, exp };
  throw new Error(`a revocation of kind ${kind} does not say what it revokes`);
}
