import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../platform/database/database.js';
import { addressRange, isAddressRange, isWithin } from '../../platform/http/address.js';
import { NOW } from '../../platform/database/sql-time.js';
import { isNotCutOff } from '../revocation/cut-off.js';
import { isLive } from './session-state.js';
import type { SessionsTables } from './sessions.tables.js';

/** A selection of live sessions: those that match all filters. */
export interface SessionSelection {
  readonly userId?: string;
  /** Created at this time or later. */
  readonly since?: Date;
  /** Created before this time. */
  readonly before?: Date;
  /** Signed in from this network, such as 203.0.113.0/24. */
  readonly network?: string;
  /** Had an access token while this key signed. */
  readonly kid?: string;
}

/** A selected session. */
export interface SelectedSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly strategy: string;
  readonly createdAt: Date;
  readonly ip: string | null;
  /**
   * Whether it is live. A session past its idle timeout is selected too, so that a later change of the setting cannot
   * revive it.
   */
  readonly isLive: boolean;
}

/** Whether a text is a valid value of `SessionSelection.network`. */
export function isNetwork(text: string): boolean {
  return isAddressRange(text);
}

/**
 * The selected sessions that are not revoked, oldest first.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds.
 */
export async function selectSessions(
  database: Database,
  selection: SessionSelection,
  idleTtl: number,
): Promise<SelectedSession[]> {
  const rows = await database
    .of<SessionsTables>()
    .selectFrom('sessions as s')
    .select(['s.id', 's.user_id', 's.strategy', 's.created_at', 's.ip', isLive(idleTtl).as('is_live')])
    .where(await conditionOf(database, selection))
    .where('s.revoked_at', 'is', null)
    .where(isNotCutOff)
    .where('s.expires_at', '>', NOW)
    .orderBy('s.created_at')
    .orderBy('s.id')
    .execute();
  return rows.map((row) => ({
    sessionId: row.id,
    userId: row.user_id,
    strategy: row.strategy,
    createdAt: row.created_at,
    ip: row.ip,
    isLive: row.is_live,
  }));
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
    // The signing key of a token is not stored: every session that had a token while the key signed is selected.
    ...(kid === undefined
      ? []
      : [
          sql`exists (select 1 from signing_keys k where k.kid = ${kid} and s.access_expires_at > k.promoted_at
                and s.created_at <= coalesce(k.demoted_at, now()))`,
        ]),
  ];
  return sql<boolean>`(${conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)})`;
}

/** The addresses of sessions within a network. Compared here: older rows can have other spellings. */
async function addressesIn(database: Database, network: string): Promise<string[]> {
  const range = addressRange(network);
  const rows = await database
    .of<SessionsTables>()
    .selectFrom('sessions')
    .select((session) => session.ref('ip').$notNull().as('ip'))
    .distinct()
    .where('ip', 'is not', null)
    .where('revoked_at', 'is', null)
    .execute();
  return rows.map(({ ip }) => ip).filter((ip) => isWithin(ip, [range]));
}
