import ipaddr from 'ipaddr.js';
import { type RawBuilder, sql } from 'kysely';
import type { Database, Queries } from '../../database/database.js';
import { isNotCutOff } from './cut-off.js';
import { isLive } from './session-state.js';
import type { RevocationReason } from './sessions.service.js';

/** Which live sessions are meant: those that all of this holds for. */
export interface SessionSelection {
  readonly userId?: string;
  /** Made at this moment or later. */
  readonly since?: Date;
  /** Made before this moment. */
  readonly before?: Date;
  /** Signed in from this network, such as 203.0.113.0/24. */
  readonly network?: string;
  /** Got an access token while this key signed. */
  readonly kid?: string;
}

/** A session that is meant. */
export interface SelectedSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly strategy: string;
  readonly createdAt: Date;
  readonly ip: string | null;
  /** Whether it is used at all: one that idled too long is selected, too, so that it stays dead whatever is set later. */
  readonly isLive: boolean;
}

interface Row {
  id: string;
  user_id: string;
  strategy: string;
  created_at: Date | string;
  ip: string | null;
  is_live: boolean;
}

/** Sessions that are ended in one statement: few enough that nobody waits long behind their locks. */
const BATCH = 1_000;

/** Whether a text is a network that `SessionSelection.network` takes. */
export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}

/**
 * The sessions that are meant and not revoked, the oldest first.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds.
 */
export async function selectSessions(
  database: Database,
  selection: SessionSelection,
  idleTtl: number,
): Promise<SelectedSession[]> {
  const rows = await database.query(
    sql<Row>`select s.id, s.user_id, s.strategy, s.created_at, s.ip, ${isLive(idleTtl)} as is_live from sessions s
      where ${await conditionOf(database, selection)} and s.revoked_at is null and ${isNotCutOff} and s.expires_at > now()
      order by s.created_at, s.id`,
  );
  return rows.map((row) => ({
    sessionId: row.id,
    userId: row.user_id,
    strategy: row.strategy,
    createdAt: new Date(row.created_at),
    ip: row.ip,
    isLive: row.is_live,
  }));
}

/**
 * Ends sessions in batches. All nodes hear of it by themselves.
 *
 * @returns how many were still alive.
 */
export async function endSessions(queries: Queries, sessionIds: readonly string[]): Promise<number> {
  let ended = 0;
  for (let start = 0; start < sessionIds.length; start += BATCH) {
    const batch = sessionIds.slice(start, start + BATCH);
    const rows = await queries.query(
      sql`update sessions set revoked_at = now(), revoked_reason = 'ended_by_operator'
          where id in (select id from sessions where id = any(${batch}::uuid[]) and revoked_at is null order by id for update)
          returning id`,
    );
    ended += rows.length;
  }
  return ended;
}

/**
 * Ends every session of a person, outside of a node: all nodes hear of it by themselves.
 *
 * @returns how many were still alive.
 */
export async function endSessionsOf(
  userId: string,
  _exceptId: null,
  reason: RevocationReason,
  tx: Queries,
): Promise<number> {
  const rows = await tx.query(
    sql`update sessions set revoked_at = now(), revoked_reason = ${reason}
        where id in (select id from sessions where user_id = ${userId} and revoked_at is null order by id for update)
        returning id`,
  );
  return rows.length;
}

async function conditionOf(
  database: Database,
  { userId, since, before, network, kid }: SessionSelection,
): Promise<RawBuilder<boolean>> {
  const conditions = [
    ...(userId === undefined ? [] : [sql`s.user_id = ${userId}`]),
    ...(since ? [sql`s.created_at >= ${since.toISOString()}::timestamptz`] : []),
    ...(before ? [sql`s.created_at < ${before.toISOString()}::timestamptz`] : []),
    ...(network === undefined ? [] : [sql`s.ip = any(${await addressesIn(database, network)}::text[])`]),
    // Which key signed a token is not kept: it can be of any session that had one while the key signed.
    ...(kid === undefined
      ? []
      : [
          sql`exists (select 1 from signing_keys k where k.kid = ${kid} and s.access_expires_at > k.promoted_at
                and s.created_at <= coalesce(k.demoted_at, now()))`,
        ]),
  ];
  return sql<boolean>`(${conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)})`;
}

/** The addresses of sessions that lie in a network. Compared here: as text they may be no addresses at all. */
async function addressesIn(database: Database, network: string): Promise<string[]> {
  const range = rangeOf(network);
  const rows = await database.query(
    sql<{ ip: string }>`select distinct ip from sessions where ip is not null and revoked_at is null`,
  );
  return rows
    .map(({ ip }) => ip)
    .filter((ip) => {
      if (!ipaddr.isValid(ip)) return false;
      const address = ipaddr.process(ip);
      return address.kind() === range[0].kind() && address.match(range);
    });
}

/** IPv4 behind `::ffff:` is IPv4, in networks as in addresses. */
function rangeOf(network: string): ReturnType<typeof ipaddr.parseCIDR> {
  const [address, bits] = ipaddr.parseCIDR(network);
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [address.toIPv4Address(), bits - 96] : [address, bits];
}
