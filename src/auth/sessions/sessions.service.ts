import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { Columns } from '../../platform/database/columns.js';
import { Database, type Queries } from '../../platform/database/database.js';
import { NOW } from '../../platform/database/sql-time.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { Unavailable } from '../../platform/problems/overload.js';
import { recordEnded } from './ended-sessions.js';
import { RevocationFeed } from '../revocation/revocation-feed.service.js';
import { RunningStrategy } from './running-strategy.js';
import { revokeSessions } from './session-revocation.js';
import {
  isLive,
  type LiveSession,
  readState,
  type SessionRow,
  type SessionState,
  stateColumns,
} from './session-state.js';
import type { SessionsTables } from './sessions.tables.js';

/** A live session as its owner sees it. */
export interface SessionListing {
  readonly sessionId: string;
  readonly strategy: StrategyName;
  readonly createdAt: Date;
  /** Recorded in batches: accurate to a minute. */
  readonly lastUsedAt: Date;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** The maximum of seconds between the record of an access token and its signature. */
const MINTING_TIME = 60;

type ListingRow = Columns<
  SessionsTables,
  'sessions',
  'id' | 'strategy' | 'created_at' | 'last_used_at' | 'ip' | 'user_agent'
>;

/** Sessions, independent of their credentials. One expression here decides what is live, by the database's clock. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly database: Database,
    private readonly feed: RevocationFeed,
    private readonly running: RunningStrategy,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Creates a session for a user whose account row the transaction has locked, and ends the user's oldest sessions
   * beyond SESSIONS_PER_USER.
   */
  async create(
    tx: Queries,
    userId: string,
    methods: readonly string[],
    client: Client,
  ): Promise<LiveSession> {
    const id = uuidv7();
    const { issues: strategy } = this.running;
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
    // A concurrent revocation may cover all sessions created before its time.
    if (created?.state !== 'live') throw new Unavailable('the session was revoked while it was created');
    return created.session;
  }

  /** The session with this id; null if it never existed or was purged. */
  findById(id: string, queries: Queries = this.database): Promise<SessionState | null> {
    return this.findOne(queries, sql`s.id = ${id}`);
  }

  /** The session whose cookie has this SHA-256. */
  findBySecretHash(hash: Buffer, queries: Queries = this.database): Promise<SessionState | null> {
    return this.findOne(queries, sql`(s.secret_hash = ${hash} or s.exchange_hash = ${hash})`);
  }

  /** The id of the session that replaced a cookie with this SHA-256, one of its last eight; null if there is none. */
  async findIdByFormerHash(hash: Buffer): Promise<string | null> {
    const [row] = await this.database.query(
      sql<Columns<SessionsTables, 'sessions', 'id'>>`select id from sessions
        where former_hashes @> array[${hash}::bytea] and former_hashes <> '{}' limit 1`,
    );
    return row?.id ?? null;
  }

  /** Whether a user has a live session with this id. */
  async isLiveOf(userId: string, sessionId: string, queries: Queries): Promise<boolean> {
    const found = await this.findById(sessionId, queries);
    return found?.state === 'live' && found.session.userId === userId;
  }

  /** Whether a session ended with all others of its user, because the user asked for it. */
  async wasSignedOutEverywhere(tx: Queries, sessionId: string): Promise<boolean> {
    const rows = await tx
      .of<SessionsTables>()
      .selectFrom('sessions')
      .select('id')
      .where('id', '=', sessionId)
      .where('revoked_reason', '=', 'logout_global')
      .execute();
    return rows.length > 0;
  }

  /** The live sessions of a user, newest first. */
  async listOfUser(userId: string, queries: Queries = this.database): Promise<SessionListing[]> {
    const rows = await queries.query(
      sql<ListingRow>`select s.id, s.strategy, s.created_at, s.last_used_at, s.ip, s.user_agent
        from sessions s where s.user_id = ${userId} and ${this.isLive} order by s.created_at desc, s.id desc`,
    );
    return rows.map((row) => ({
      sessionId: row.id,
      strategy: row.strategy,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      ip: row.ip,
      userAgent: row.user_agent,
    }));
  }

  /**
   * Records, in the transaction that issues it, that a session is used and gets an access token.
   *
   * @returns the `iat` for it: a revocation while it is signed then covers it.
   */
  async noteAccessToken(tx: Queries, sessionId: string): Promise<Date> {
    const [row] = await tx.query(
      sql<{ now: Date }>`update sessions set last_used_at = greatest(last_used_at, now()),
            access_expires_at = greatest(access_expires_at, now() + make_interval(secs => ${this.config.ACCESS_TOKEN_TTL + MINTING_TIME}))
          where id = ${sessionId} returning now()`,
    );
    if (!row) throw new Unavailable('the session was deleted concurrently');
    return row.now;
  }

  /** Revokes the access tokens of sessions that no longer use them, also for services that verify locally. */
  async endAccessTokens(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    // `iat` has whole seconds, and a token of this second may already be issued.
    await tx.query(
      sql`update sessions set tokens_valid_from = date_trunc('second', clock_timestamp()) + interval '1 second'
          where id = any(${[...sessionIds]}::uuid[])`,
    );
  }

  /** Stores the SHA-256 of the cookie value; during an exchange, beside that of the old one. */
  async setSecretHash(tx: Queries, sessionId: string, hash: Buffer): Promise<void> {
    await tx.query(
      sql`update sessions set secret_hash = case when exchange_to is null then ${hash} else secret_hash end,
            exchange_hash = case when exchange_to is null then null else ${hash}::bytea end where id = ${sessionId}`,
    );
  }

  /** Replaces the SHA-256 of an old cookie value, which is invalid from now on. */
  async replaceSecretHash(tx: Queries, sessionId: string, old: Buffer, hash: Buffer): Promise<void> {
    await tx.query(
      sql`update sessions set secret_hash = case when secret_hash = ${old} then ${hash}::bytea else secret_hash end,
            exchange_hash = case when exchange_hash = ${old} then ${hash}::bytea else exchange_hash end
          where id = ${sessionId}`,
    );
    await tx.afterCommit(() => this.feed.catchUp());
  }

  /** Records that the user of a session authenticated again, with the methods: its `auth_time` is now. */
  async noteProof(tx: Queries, sessionId: string, methods: readonly string[]): Promise<void> {
    await tx
      .of<SessionsTables>()
      .updateTable('sessions')
      .set({ authenticated_at: NOW, methods: [...methods] })
      .where('id', '=', sessionId)
      .execute();
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

  /** Ends the oldest sessions of a user beyond SESSIONS_PER_USER, except the one just created. */
  private async endBeyondLimit(tx: Queries, userId: string, madeId: string, client: Client): Promise<void> {
    const beyondLimit = await tx.query(
      sql<{
        id: string;
      }>`select s.id from sessions s where s.user_id = ${userId} and s.id <> ${madeId} and ${this.isLive}
        order by s.created_at desc, s.id desc offset ${this.config.SESSIONS_PER_USER - 1}`,
    );
    const ended = await revokeSessions(tx, { ids: beyondLimit.map(({ id }) => id) }, 'limit');
    await recordEnded(tx, ended, { reason: 'limit', client });
    // This node must know before the reply is sent; the feed brings it to the others.
    if (ended.length > 0) await tx.afterCommit(() => this.feed.catchUp());
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
}
