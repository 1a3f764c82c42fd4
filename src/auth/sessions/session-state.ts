import { type RawBuilder, sql } from 'kysely';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Role } from '../../http/access.decorators.js';
import { isCutOff, isNotCutOff } from './cut-off.js';

/** A session that is good, and whose it is. */
export interface LiveSession {
  readonly sessionId: string;
  readonly userId: string;
  /** As its owner wrote it. */
  readonly email: string;
  readonly role: Role;
  /** The kind of credential that it was last given for good: at sign-in, or by an exchange. */
  readonly strategy: StrategyName;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When it ends if it is not used again. */
  readonly idlesAt: Date;
  /** When the person last proved who they are: `auth_time`. */
  readonly authenticatedAt: Date;
  /** How: RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** Access tokens issued before are dead; null if none are. */
  readonly tokensValidFrom: Date | null;
  /** The kind of credential that it is being exchanged for, until the new one is used. */
  readonly exchangeTo: StrategyName | null;
}

/** What the database says of a session, by its own clock. */
export type SessionState =
  | { readonly state: 'live'; readonly session: LiveSession }
  | { readonly state: 'expired' | 'revoked'; readonly sessionId: string; readonly userId: string };

/** A session's row, as `readState` takes it. */
export interface SessionRow {
  id: string;
  user_id: string;
  email: string;
  role: Role;
  strategy: StrategyName;
  created_at: Date | string;
  expires_at: Date | string;
  idles_at: Date | string;
  authenticated_at: Date | string;
  methods: string[];
  tokens_valid_from: Date | string | null;
  exchange_to: StrategyName | null;
  state: SessionState['state'];
}

/**
 * The condition on `sessions s` that makes one live: not revoked, not idle too long, not past its end.
 *
 * @param idleTtl SESSION_IDLE_TTL, in seconds.
 */
export function isLive(idleTtl: number): RawBuilder<boolean> {
  return sql<boolean>`(s.revoked_at is null and ${isNotCutOff} and ${isInTime(idleTtl)})`;
}

function isInTime(idleTtl: number): RawBuilder<boolean> {
  return sql<boolean>`(s.expires_at > now() and s.last_used_at > now() - make_interval(secs => ${idleTtl}))`;
}

/** The columns of `sessions s` and `users u` that make a SessionRow. */
export function stateColumns(idleTtl: number): RawBuilder<unknown> {
  return sql`s.id, s.user_id, u.email, u.role, s.strategy, s.created_at, s.expires_at, s.authenticated_at, s.methods,
    s.tokens_valid_from, s.exchange_to, s.last_used_at + make_interval(secs => ${idleTtl}) as idles_at,
    case when s.revoked_at is not null or ${isCutOff} then 'revoked' when ${isInTime(idleTtl)} then 'live' else 'expired' end as state`;
}

/** What a row says. */
export function readState(row: SessionRow): SessionState {
  if (row.state !== 'live') return { state: row.state, sessionId: row.id, userId: row.user_id };
  const session: LiveSession = {
    sessionId: row.id,
    userId: row.user_id,
    email: row.email,
    role: row.role,
    strategy: row.strategy,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    idlesAt: new Date(row.idles_at),
    authenticatedAt: new Date(row.authenticated_at),
    methods: row.methods,
    tokensValidFrom: row.tokens_valid_from === null ? null : new Date(row.tokens_valid_from),
    exchangeTo: row.exchange_to,
  };
  return { state: 'live', session };
}
