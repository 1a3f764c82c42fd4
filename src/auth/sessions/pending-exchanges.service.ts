import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../platform/database/database.js';
import { NOW, secondsAgo } from '../../platform/database/sql-time.js';
import type { LiveSession } from './session-state.js';
import type { SessionsTables } from './sessions.tables.js';

/** The data that a new credential is derived from. */
export interface Exchange {
  readonly kind: StrategyName;
  readonly nonce: Buffer;
}

/** A pending exchange. */
export interface PendingExchange extends Exchange {
  /** Whether it began so long ago that a repeated request gets another credential. */
  readonly isOld: boolean;
}

/** Seconds in which a repeated request, from another tab or after a lost answer, gets the same credential. */
const SAME_FOR = 300;

/**
 * Cleans up after sessions that no longer have a kind of credential: deletes its rows outside `sessions`, and makes
 * other services refuse its credentials. Runs in the transaction that dropped the kind.
 */
export type ExchangeCleanup = (
  tx: Queries,
  kind: StrategyName,
  sessionIds: readonly string[],
) => Promise<void>;

/** A session with a completed exchange. */
export interface CompletedExchange {
  readonly sessionId: string;
  /** The kind of its earlier credentials, now invalid. */
  readonly dropped: StrategyName;
}

/**
 * Exchanges of credentials, as stored in the session row. The row names the new kind from the first request until the
 * first use of the new credential; until then both kinds are live. docs/adr/0014 has the reasons.
 */
@Injectable()
export class PendingExchanges {
  private cleanup: ExchangeCleanup | null = null;

  /** Sets the cleanup for kinds that `end` or `complete` drops. */
  cleanUpWith(cleanup: ExchangeCleanup): void {
    this.cleanup = cleanup;
  }

  /**
   * Locks a session row, so that changes of its credentials are serialized.
   *
   * @returns the pending exchange, or null.
   */
  async lock(tx: Queries, sessionId: string): Promise<PendingExchange | null> {
    const isOld = sql<boolean>`coalesce(exchange_began_at < ${secondsAgo(SAME_FOR)}, true)`;
    const row = await tx
      .of<SessionsTables>()
      .selectFrom('sessions')
      .select(['exchange_to', 'exchange_nonce', isOld.as('is_old')])
      .where('id', '=', sessionId)
      .forUpdate()
      .executeTakeFirst();
    if (!row?.exchange_to || !row.exchange_nonce) return null;
    return { kind: row.exchange_to, nonce: row.exchange_nonce, isOld: row.is_old };
  }

  /** Begins an exchange and replaces a pending one to another kind. */
  async begin(tx: Queries, sessionId: string, { kind, nonce }: Exchange): Promise<void> {
    await tx
      .of<SessionsTables>()
      .updateTable('sessions')
      .set({ exchange_to: kind, exchange_nonce: nonce, exchange_hash: null, exchange_began_at: NOW })
      .where('id', '=', sessionId)
      .execute();
  }

  /** Ends the pending exchange of a locked session, if it has one: only the old credential stays live. */
  async end(tx: Queries, sessionId: string): Promise<void> {
    const [ended] = await tx.query(
      sql<{ kind: StrategyName }>`
        with pending as (select id, exchange_to as kind from sessions where id = ${sessionId} and exchange_to is not null)
        update sessions s set exchange_to = null, exchange_nonce = null, exchange_hash = null
        from pending where s.id = pending.id returning pending.kind`,
    );
    if (ended) await this.cleanUp(tx, ended.kind, [sessionId]);
  }

  /**
   * Completes the exchanges of sessions whose new credential was used: it is the only one from now on. Sessions
   * without a pending exchange for this kind do not change.
   */
  async complete(
    tx: Queries,
    sessionIds: readonly string[],
    kind: StrategyName,
  ): Promise<CompletedExchange[]> {
    const rows = await tx.query(
      // Lock rows in id order to avoid deadlocks between nodes that complete the same sessions.
      sql<{ id: string; dropped: StrategyName }>`
        with completed as (select id, strategy as dropped from sessions
          where id = any(${[...sessionIds]}::uuid[]) and exchange_to = ${kind} and revoked_at is null order by id for update)
        update sessions s set strategy = s.exchange_to, secret_hash = s.exchange_hash,
          exchange_to = null, exchange_nonce = null, exchange_hash = null
        from completed where s.id = completed.id returning s.id, completed.dropped`,
    );
    for (const [dropped, completed] of Map.groupBy(rows, (row) => row.dropped)) {
      const ids = completed.map(({ id }) => id);
      await this.cleanUp(tx, dropped, ids);
    }
    return rows.map(({ id, dropped }) => ({ sessionId: id, dropped }));
  }

  private async cleanUp(tx: Queries, kind: StrategyName, sessionIds: readonly string[]): Promise<void> {
    if (!this.cleanup) throw new Error('no cleanup is set for dropped kinds of credentials');
    await this.cleanup(tx, kind, sessionIds);
  }
}

/** Whether a session has credentials of a kind: its own, or the one it is being exchanged for. */
export function holds(session: Pick<LiveSession, 'strategy' | 'exchangeTo'>, kind: StrategyName): boolean {
  return session.strategy === kind || session.exchangeTo === kind;
}
