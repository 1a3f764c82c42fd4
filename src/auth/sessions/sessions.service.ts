import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';

/** A session that is good, and whose it is. */
export interface LiveSession {
  readonly sessionId: string;
  readonly userId: string;
  /** As its owner wrote it. */
  readonly email: string;
  /** Which strategy issued at sign-in. */
  readonly strategy: StrategyName;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When the person last proved who they are: `auth_time`. */
  readonly authenticatedAt: Date;
  /** How: RFC 8176 `amr` values. */
  readonly methods: readonly string[];
}

/** What the database says of a session, by its own clock. */
export type SessionState =
  | { readonly state: 'live'; readonly session: LiveSession }
  | { readonly state: 'expired' | 'revoked'; readonly sessionId: string; readonly userId: string };

/** A live session as its owner sees it in a list. */
export interface SessionListing {
  readonly sessionId: string;
  readonly strategy: StrategyName;
  readonly createdAt: Date;
  /** Recorded in batches: to within a minute. */
  readonly lastUsedAt: Date;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

export type RevocationReason =
  'logout' | 'logout_global' | 'logout_others' | 'replaced' | 'limit' | 'refresh_reused' | 'device_removed';

interface SessionRow {
  id: string;
  user_id: string;
  email: string;
  strategy: StrategyName;
  created_at: Date | string;
  expires_at: Date | string;
  authenticated_at: Date | string;
  methods: string[];
  state: SessionState['state'];
}

interface ListingRow {
  id: string;
  strategy: StrategyName;
  created_at: Date | string;
  last_used_at: Date | string;
  ip: string | null;
  user_agent: string | null;
}

/**
 * Sessions, whatever credential stands for them. What is live is decided here, in one expression, by the
 * database's clock.
 */
@Injectable()
export class SessionsService {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Makes a session for somebody whose account row the transaction has locked, and ends the oldest of theirs
   * beyond SESSIONS_PER_USER.
   */
  async create(
    tx: Queries,
    userId: string,
    methods: readonly string[],
    client: Client,
  ): Promise<LiveSession> {
    const id = uuidv7();
    const [strategy] = this.config.AUTH_STRATEGY;
    await tx.query(
      sql`insert into sessions (id, user_id, strategy, methods, expires_at, ip, user_agent)
          values (${id}, ${userId}, ${strategy}, ${[...methods]},
                  now() + make_interval(secs => ${this.config.SESSION_ABSOLUTE_TTL}), ${client.ip}, ${client.userAgent})`,
    );
    await tx.query(
      sql`update sessions set revoked_at = now(), revoked_reason = ${'limit' satisfies RevocationReason}
          where id in (select s.id from sessions s where s.user_id = ${userId} and s.id <> ${id} and ${this.isLive}
                       order by s.created_at desc, s.id desc offset ${this.config.SESSIONS_PER_USER - 1})`,
    );
    const created = await this.findById(id, tx);
    if (created?.state !== 'live') throw new Error('a new session is not live');
    return created.session;
  }

  /** The session with this id; null if there never was one, or it was swept. */
  findById(id: string, queries: Queries = this.database): Promise<SessionState | null> {
    return this.findOne(queries, sql`s.id = ${id}`);
  }

  /** The session whose cookie has this SHA-256. */
  findBySecretHash(hash: Buffer): Promise<SessionState | null> {
    return this.findOne(this.database, sql`s.secret_hash = ${hash}`);
  }

  /** The live sessions of a person, the newest first. */
  async listOfUser(userId: string): Promise<SessionListing[]> {
    const rows = await this.database.query(
      sql<ListingRow>`select s.id, s.strategy, s.created_at, s.last_used_at, s.ip, s.user_agent
        from sessions s where s.user_id = ${userId} and ${this.isLive} order by s.created_at desc, s.id desc`,
    );
    return rows.map((row) => ({
      sessionId: row.id,
      strategy: row.strategy,
      createdAt: new Date(row.created_at),
      lastUsedAt: new Date(row.last_used_at),
      ip: row.ip,
      userAgent: row.user_agent,
    }));
  }

  /** Ends a session if it is this person's and live; false if not. */
  async revokeOwn(userId: string, sessionId: string, reason: RevocationReason): Promise<boolean> {
    const condition = sql`id = (select s.id from sessions s where s.id = ${sessionId} and s.user_id = ${userId} and ${this.isLive})`;
    return (await this.revokeWhere(this.database, condition, reason)) === 1;
  }

  /** Keeps the SHA-256 of the cookie's value. */
  async setSecretHash(tx: Queries, sessionId: string, hash: Buffer): Promise<void> {
    await tx.query(sql`update sessions set secret_hash = ${hash} where id = ${sessionId}`);
  }

  /**
   * Ends sessions. Those that ended before keep their reason.
   *
   * @returns how many were ended by this call.
   */
  async revoke(
    sessionIds: readonly string[],
    reason: RevocationReason,
    queries: Queries = this.database,
  ): Promise<number> {
    if (sessionIds.length === 0) return 0;
    return this.revokeWhere(queries, sql`id = any(${[...sessionIds]}::uuid[])`, reason);
  }

  /** Ends every session of a person but one, or, with null, every one. */
  revokeOfUser(userId: string, exceptId: string | null, reason: RevocationReason): Promise<number> {
    return this.revokeWhere(
      this.database,
      exceptId === null ? sql`user_id = ${userId}` : sql`user_id = ${userId} and id <> ${exceptId}`,
      reason,
    );
  }

  /**
   * Records when sessions were used. One that was not live at that time stays dead.
   *
   * @param uses the ids, each with how many seconds ago it was used.
   * @param leastNews seconds that a use must be newer than the recorded one to be written.
   */
  async markUsed(
    uses: readonly { readonly sessionId: string; readonly secondsAgo: number }[],
    leastNews: number,
  ): Promise<void> {
    const ids = uses.map(({ sessionId }) => sessionId);
    const ages = uses.map(({ secondsAgo }) => secondsAgo);
    await this.database.query(
      sql`update sessions s set last_used_at = use.at
          from (select id, now() - make_interval(secs => age) as at
                from unnest(${ids}::uuid[], ${ages}::float8[]) as noted(id, age)) as use
          where s.id = use.id and s.revoked_at is null and s.expires_at > use.at
            and s.last_used_at > use.at - make_interval(secs => ${this.config.SESSION_IDLE_TTL})
            and s.last_used_at < use.at - make_interval(secs => ${leastNews})`,
    );
  }

  /** The condition on `sessions s` that makes one live: not revoked, not idle too long, not past its end. */
  private get isLive(): RawBuilder<boolean> {
    return sql<boolean>`(s.revoked_at is null and s.expires_at > now()
      and s.last_used_at > now() - make_interval(secs => ${this.config.SESSION_IDLE_TTL}))`;
  }

  private async findOne(queries: Queries, condition: RawBuilder<unknown>): Promise<SessionState | null> {
    const [row] = await queries.query(
      sql<SessionRow>`select s.id, s.user_id, u.email, s.strategy, s.created_at, s.expires_at, s.authenticated_at, s.methods,
          case when s.revoked_at is not null then 'revoked' when ${this.isLive} then 'live' else 'expired' end as state
        from sessions s join users u on u.id = s.user_id where ${condition}`,
    );
    return row ? toState(row) : null;
  }

  private async revokeWhere(
    queries: Queries,
    condition: RawBuilder<unknown>,
    reason: RevocationReason,
  ): Promise<number> {
    const revoked = await queries.query(
      sql`update sessions set revoked_at = now(), revoked_reason = ${reason}
          where ${condition} and revoked_at is null returning id`,
    );
    return revoked.length;
  }
}

function toState(row: SessionRow): SessionState {
  if (row.state !== 'live') return { state: row.state, sessionId: row.id, userId: row.user_id };
  const session: LiveSession = {
    sessionId: row.id,
    userId: row.user_id,
    email: row.email,
    strategy: row.strategy,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    authenticatedAt: new Date(row.authenticated_at),
    methods: row.methods,
  };
  return { state: 'live', session };
}
