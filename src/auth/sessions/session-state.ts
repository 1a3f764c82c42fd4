import { type RawBuilder, sql } from 'kysely';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Columns } from '../../platform/database/columns.js';
import type { Role } from '../../platform/http/access.decorators.js';
import type { UsersTables } from '../../users/users.tables.js';
import { isCutOff, isNotCutOff } from '../revocation/cut-off.js';
import type { SessionsTables } from './sessions.tables.js';

/** A live session and its user. */
export interface LiveSession {
  readonly sessionId: string;
  readonly userId: string;
  /** As the owner wrote it. */
  readonly email: string;
  readonly role: Role;
  /** The kind of its credential: of the sign-in, or of the last completed exchange. */
  readonly strategy: StrategyName;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When it ends without further use. */
  readonly idlesAt: Date;
  /** When the user last authenticated: `auth_time`. */
  readonly authenticatedAt: Date;
  /** The methods: RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** Access tokens issued before this time are revoked; null if none are. */
  readonly tokensValidFrom: Date | null;
  /** The kind of credential of its pending exchange. */
  readonly exchangeTo: StrategyName | null;
}

/** The state of a session, by the database's clock. */
export type SessionState =
  | { readonly state: 'live'; readonly session: LiveSession }
  | { readonly state: 'expired' | 'revoked'; readonly sessionId: string; readonly userId: string };

/** A session row, as `readState` reads it. */
export type SessionRow = Columns<
  SessionsTables,
  'sessions',
  | 'id'
  | 'user_id'
  | 'strategy'
  | 'created_at'
  | 'expires_at'
  | 'authenticated_at'
  | 'methods'
  | 'tokens_valid_from'
  | 'exchange_to'
> &
  Columns<UsersTables, 'users', 'email' | 'role'> & {
    readonly idles_at: Date;
    readonly state: SessionState['state'];
  };

/**
 * The condition that `sessions s` is live: not revoked, not past its idle timeout, not expired.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds.
 */
export function isLive(idleTtl: number): RawBuilder<boolean> {
  return sql<boolean>`(s.revoked_at is null and ${isNotCutOff} and ${isInTime(idleTtl)})`;
}

function isInTime(idleTtl: number): RawBuilder<boolean> {
  return sql<boolean>`(s.expires_at > now() and s.last_used_at > now() - make_interval(secs => ${idleTtl}))`;
}

/** The columns of `sessions s` and `users u` that form a SessionRow. */
export function stateColumns(idleTtl: number): RawBuilder<unknown> {
  return sql`s.id, s.user_id, u.email, u.role, s.strategy, s.created_at, s.expires_at, s.authenticated_at, s.methods,
    s.tokens_valid_from, s.exchange_to, s.last_used_at + make_interval(secs => ${idleTtl}) as idles_at,
    case when s.revoked_at is not null or ${isCutOff} then 'revoked' when ${isInTime(idleTtl)} then 'live' else 'expired' end as state`;
}

/** Reads the state from a row. */
export function readState(row: SessionRow): SessionState {
  if (row.state !== 'live') return { state: row.state, sessionId: row.id, userId: row.user_id };
  const session: LiveSession = {
    sessionId: row.id,
    userId: row.user_id,
    email: row.email,
    role: row.role,
    strategy: row.strategy,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    idlesAt: row.idles_at,
    authenticatedAt: row.authenticated_at,
    methods: row.methods,
    tokensValidFrom: row.tokens_valid_from,
    exchangeTo: row.exchange_to,
  };
  return { state: 'live', session };
}
