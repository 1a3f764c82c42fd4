import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { Unavailable } from '../../problems/overload.js';
import { cutOff } from './cut-off.js';
import { type EndedSession, recordEnded } from './ended-sessions.js';
import { RevocationFeed } from './revocation-feed.service.js';
import {
  isLive,
  type LiveSession,
  readState,
  type SessionRow,
  type SessionState,
  stateColumns,
} from './session-state.js';

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
  | 'logout'
  | 'logout_global'
  | 'logout_others'
  | 'replaced'
  | 'limit'
  | 'refresh_reused'
  | 'device_removed'
  | 'revoked_by_service'
  | 'password_changed'
  | 'password_reset'
  | 'email_changed'
  | 'email_proved'
  | 'factors_changed'
  | 'user_disabled'
  | 'user_deleted'
  | 'ended_by_admin'
  | 'ended_by_operator';

/** Seconds that may lie between the note of an access token and its signature. */
const MINTING_TIME = 60;

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
    private readonly feed: RevocationFeed,
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
    const [row] = await tx.query(
      sql<SessionRow & { others: number }>`with made as (
            insert into sessions (id, user_id, strategy, methods, expires_at, ip, user_agent)
            values (${id}, ${userId}, ${strategy}, ${[...methods]},
                    now() + make_interval(secs => ${this.config.SESSION_ABSOLUTE_TTL}), ${client.ip}, ${client.userAgent})
            returning *
          )
          select ${stateColumns(this.config.SESSION_IDLE_TTL)},
            (select count(*)::int from sessions s where s.user_id = ${userId} and ${this.isLive}) as others
          from made s join users u on u.id = s.user_id`,
    );
    if (row && row.others >= this.config.SESSIONS_PER_USER) await this.endBeyondLimit(tx, userId, id, client);
    const created = row ? readState(row) : null;
    // Whatever was made before a moment may just have been declared dead.
    if (created?.state !== 'live') throw new Unavailable('the session ended while it was made');
    return created.session;
  }

  /** The session with this id; null if there never was one, or it was swept. */
  findById(id: string, queries: Queries = this.database): Promise<SessionState | null> {
    return this.findOne(queries, sql`s.id = ${id}`);
  }

  /** The session whose cookie has this SHA-256. */
  findBySecretHash(hash: Buffer, queries: Queries = this.database): Promise<SessionState | null> {
    return this.findOne(queries, sql`(s.secret_hash = ${hash} or s.exchange_hash = ${hash})`);
  }

  /** The live sessions of a person, the newest first. */
  async listOfUser(userId: string, queries: Queries = this.database): Promise<SessionListing[]> {
    const rows = await queries.query(
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
  async revokeOwn(
    userId: string,
    sessionId: string,
    reason: RevocationReason,
    queries: Queries = this.database,
  ): Promise<boolean> {
    const condition = sql`id = (select s.id from sessions s where s.id = ${sessionId} and s.user_id = ${userId} and ${this.isLive})`;
    return (await this.revokeWhere(queries, condition, reason)).length === 1;
  }

  /**
   * Ends every session that was made before a moment: of one person, or, with null, of everybody.
   *
   * @param before now by default, and at the latest.
   */
  async revokeMadeBefore(userId: string | null, before: Date | null = null): Promise<void> {
    await cutOff(this.database, userId, before);
    await this.feed.catchUp();
  }

  /**
   * Notes, in the transaction that issues it, that a session is used and gets an access token.
   *
   * @returns the time to stamp it with: what is declared dead while it is signed is then older than that.
   */
  async noteAccessToken(tx: Queries, sessionId: string): Promise<Date> {
    const [row] = await tx.query(
      sql<{ now: Date | string }>`update sessions set last_used_at = greatest(last_used_at, now()),
            access_expires_at = greatest(access_expires_at, now() + make_interval(secs => ${this.config.ACCESS_TOKEN_TTL + MINTING_TIME}))
          where id = ${sessionId} returning now()`,
    );
    if (!row) throw new Unavailable('the session was deleted meanwhile');
    return new Date(row.now);
  }

  /** Declares dead the access tokens of sessions that go on without, also to services that verify by themselves. */
  async endAccessTokens(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    // Tokens are stamped in whole seconds, and one of this second may be out already.
    await tx.query(
      sql`update sessions set tokens_valid_from = date_trunc('second', clock_timestamp()) + interval '1 second'
          where id = any(${[...sessionIds]}::uuid[])`,
    );
  }

  /** Keeps the SHA-256 of the cookie's value; while the session is exchanged, beside that of the old one. */
  async setSecretHash(tx: Queries, sessionId: string, hash: Buffer): Promise<void> {
    await tx.query(
      sql`update sessions set secret_hash = case when exchange_to is null then ${hash} else secret_hash end,
            exchange_hash = case when exchange_to is null then null else ${hash}::bytea end where id = ${sessionId}`,
    );
  }

  /** Keeps the SHA-256 of another cookie value in place of that of an old one, which opens nothing any more. */
  async replaceSecretHash(tx: Queries, sessionId: string, old: Buffer, hash: Buffer): Promise<void> {
    await tx.query(
      sql`update sessions set secret_hash = case when secret_hash = ${old} then ${hash}::bytea else secret_hash end,
            exchange_hash = case when exchange_hash = ${old} then ${hash}::bytea else exchange_hash end
          where id = ${sessionId}`,
    );
    await tx.afterCommit(() => this.feed.catchUp());
  }

  /** Notes that the person of a session proved again who they are, and how: its `auth_time` is now. */
  async noteProof(tx: Queries, sessionId: string, methods: readonly string[]): Promise<void> {
    await tx.query(
      sql`update sessions set authenticated_at = now(), methods = ${[...methods]} where id = ${sessionId}`,
    );
    await tx.afterCommit(() => this.feed.catchUp());
  }

  /** Adds RFC 8176 `amr` values to those of a session; its `auth_time` stays. */
  async addMethods(tx: Queries, sessionId: string, methods: readonly string[]): Promise<void> {
    const added = [...methods];
    await tx.query(
      sql`update sessions set methods = methods || array(select m from unnest(${added}::text[]) m where m <> all(methods))
          where id = ${sessionId} and not methods @> ${added}::text[]`,
    );
    await tx.afterCommit(() => this.feed.catchUp());
  }

  /**
   * Ends sessions. Those that ended before keep their reason.
   *
   * @returns those that were ended by this call.
   */
  async revoke(
    sessionIds: readonly string[],
    reason: RevocationReason,
    queries: Queries = this.database,
  ): Promise<EndedSession[]> {
    if (sessionIds.length === 0) return [];
    return this.revokeWhere(queries, sql`id = any(${[...sessionIds]}::uuid[])`, reason);
  }

  /**
   * Ends every session of a person but one, or, with null, every one.
   *
   * @returns how many were ended by this call.
   */
  async revokeOfUser(
    userId: string,
    exceptId: string | null,
    reason: RevocationReason,
    queries: Queries = this.database,
  ): Promise<number> {
    const ended = await this.revokeWhere(
      queries,
      exceptId === null ? sql`user_id = ${userId}` : sql`user_id = ${userId} and id <> ${exceptId}`,
      reason,
    );
    return ended.length;
  }

  /** Ends the oldest sessions of a person beyond SESSIONS_PER_USER; the one that was just made stays. */
  private async endBeyondLimit(tx: Queries, userId: string, madeId: string, client: Client): Promise<void> {
    const beyondLimit = sql`id in (select s.id from sessions s where s.user_id = ${userId} and s.id <> ${madeId} and ${this.isLive}
      order by s.created_at desc, s.id desc offset ${this.config.SESSIONS_PER_USER - 1})`;
    await recordEnded(tx, await this.revokeWhere(tx, beyondLimit, 'limit'), { reason: 'limit', client });
  }

  private get isLive(): RawBuilder<boolean> {
    return isLive(this.config.SESSION_IDLE_TTL);
  }

  private async findOne(queries: Queries, condition: RawBuilder<unknown>): Promise<SessionState | null> {
    const [row] = await queries.query(
      sql<SessionRow>`select ${stateColumns(this.config.SESSION_IDLE_TTL)} from sessions s join users u on u.id = s.user_id where ${condition}`,
    );
    return row ? readState(row) : null;
  }

  private async revokeWhere(
    queries: Queries,
    condition: RawBuilder<unknown>,
    reason: RevocationReason,
  ): Promise<EndedSession[]> {
    const revoked = await queries.query(
      // Locked in one order, whoever comes: two that end several sessions each must not wait for one another.
      sql<{ id: string; user_id: string }>`update sessions set revoked_at = now(), revoked_reason = ${reason}
          where id in (select id from sessions where ${condition} and revoked_at is null order by id for update)
          returning id, user_id`,
    );
    // The reply must not leave before this node knows; the others hear it by themselves.
    if (revoked.length > 0) await queries.afterCommit(() => this.feed.catchUp());
    return revoked.map((row) => ({ sessionId: row.id, userId: row.user_id }));
  }
}
