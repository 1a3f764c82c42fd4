import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../database/database.js';
import type { LiveSession } from '../sessions/session-state.js';

/** What a new credential is derived from. */
export interface Exchange {
  readonly kind: StrategyName;
  readonly nonce: Buffer;
}

/** An exchange under way. */
export interface PendingExchange extends Exchange {
  /** Whether it was begun so long ago that whoever asks again gets another credential. */
  readonly isOld: boolean;
}

/** Seconds in which whoever asks again, in another tab or after a lost answer, gets the same credential. */
const SAME_FOR = 300;

/** A session whose exchange was settled. */
export interface Settled {
  readonly sessionId: string;
  /** The kind of the credentials that it had before: dead now. */
  readonly dropped: StrategyName;
}

/**
 * Exchanges of credentials, as the session's row has them: it names the kind to come from the first request to the
 * first use of the new credential, and until then either kind is good. docs/adr/0014 has the reasons.
 */
@Injectable()
export class PendingExchanges {
  /**
   * Locks a session's row, so that whatever happens to its credentials happens one after the other.
   *
   * @returns the exchange under way, or null.
   */
  async lock(tx: Queries, sessionId: string): Promise<PendingExchange | null> {
    const [row] = await tx.query(
      sql<{ exchange_to: StrategyName | null; exchange_nonce: Uint8Array | null; is_old: boolean }>`
        select exchange_to, exchange_nonce, coalesce(exchange_began_at < now() - make_interval(secs => ${SAME_FOR}), true) as is_old from sessions where id = ${sessionId} for update`,
    );
    if (!row?.exchange_to || !row.exchange_nonce) return null;
    return { kind: row.exchange_to, nonce: Buffer.from(row.exchange_nonce), isOld: row.is_old };
  }

  /** Begins one, in place of one that was under way to another kind. */
  async begin(tx: Queries, sessionId: string, { kind, nonce }: Exchange): Promise<void> {
    await tx.query(
      sql`update sessions set exchange_to = ${kind}, exchange_nonce = ${nonce}, exchange_hash = null,
            exchange_began_at = now() where id = ${sessionId}`,
    );
  }

  /**
   * Ends the exchange of a session whose row is locked: only what it had before is good.
   *
   * @returns the kind that it was to; null if there was none under way.
   */
  async end(tx: Queries, sessionId: string): Promise<StrategyName | null> {
    const [ended] = await tx.query(
      sql<{ kind: StrategyName }>`
        with pending as (select id, exchange_to as kind from sessions where id = ${sessionId} and exchange_to is not null)
        update sessions s set exchange_to = null, exchange_nonce = null, exchange_hash = null
        from pending where s.id = pending.id returning pending.kind`,
    );
    return ended?.kind ?? null;
  }

  /**
   * Ends the exchanges of sessions whose new credential was used: from now on it is the only one. Sessions that are
   * not being exchanged for this kind, or no more, are left alone.
   */
  async settle(tx: Queries, sessionIds: readonly string[], kind: StrategyName): Promise<Settled[]> {
    const rows = await tx.query(
      // Locked in one order, so that two nodes that settle the same sessions do not wait for each other.
      sql<{ id: string; dropped: StrategyName }>`
        with settled as (select id, strategy as dropped from sessions
          where id = any(${[...sessionIds]}::uuid[]) and exchange_to = ${kind} and revoked_at is null order by id for update)
        update sessions s set strategy = s.exchange_to, secret_hash = s.exchange_hash,
          exchange_to = null, exchange_nonce = null, exchange_hash = null
        from settled where s.id = settled.id returning s.id, settled.dropped`,
    );
    return rows.map(({ id, dropped }) => ({ sessionId: id, dropped }));
  }
}

/** Whether a session has credentials of a kind: the one it was last given for good, or the one it is exchanged for. */
export function holds(session: Pick<LiveSession, 'strategy' | 'exchangeTo'>, kind: StrategyName): boolean {
  return session.strategy === kind || session.exchangeTo === kind;
}
