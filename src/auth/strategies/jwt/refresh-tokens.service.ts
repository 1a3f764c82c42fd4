import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Audit } from '../../../audit/audit.service.js';
import { Database, type Queries } from '../../../database/database.js';
import type { Client } from '../../../http/client.decorator.js';
import { holds, PendingExchanges } from '../../exchange/pending-exchanges.service.js';
import type { LiveSession } from '../../sessions/session-state.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import { encodeToken, hashToken, isToken } from '../opaque-token.js';
import { PREFIX, RefreshLineage, type RefreshRepeat, type RefreshReuse } from './refresh-lineage.service.js';

/** The strategy that refresh tokens belong to. */
const KIND = 'jwt';
export type RefreshRefusal = 'invalid' | 'expired' | 'revoked' | 'reused';

/** What tokens are made of. */
export interface Redeemed {
  readonly session: LiveSession;
  readonly refreshToken: string;
  readonly issuedAt: Date;
}

export type RefreshOutcome =
  | (Redeemed & {
      readonly status: 'redeemed';
      /** Null for the first time. */
      readonly repeat: RefreshRepeat | null;
    })
  | {
      readonly status: 'refused';
      readonly refusal: RefreshRefusal;
      readonly sessionId: string | null;
      /** Only for `reused`. */
      readonly reuse: RefreshReuse | null;
    };

/** Whose a refresh token is. */
export interface RefreshTokenOwner {
  readonly sessionId: string;
  readonly userId: string;
  /** Whether its session is. */
  readonly isLive: boolean;
  /** Whether it was neither redeemed nor superseded. */
  readonly isHead: boolean;
}

/**
 * Refresh tokens: opaque, single use, in a lineage that belongs to a session (RFC 9700 §4.14.2). docs/adr/0003 has
 * the state machine.
 *
 * A successor is derived from its predecessor under AUTH_SECRETS, so that whoever repeats a request gets the same
 * token again while only hashes are kept. Every decision is one transaction that locks the session's row, by the
 * database's clock.
 */
@Injectable()
export class RefreshTokens {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly lineage: RefreshLineage,
    private readonly audit: Audit,
  ) {}

  /** The first token of a session; of the same secret the same one again. */
  async issue(tx: Queries, sessionId: string, secret: Buffer): Promise<string> {
    const token = encodeToken(PREFIX, secret);
    await tx.query(
      sql`insert into refresh_tokens (token_hash, session_id) values (${hashToken(token)}, ${sessionId})
          on conflict (token_hash) do nothing`,
    );
    return token;
  }

  /** Forgets every token of sessions that go on without: to whoever presents one it was never there. */
  async withdraw(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    await tx.query(sql`delete from refresh_tokens where session_id = any(${[...sessionIds]}::uuid[])`);
  }

  /**
   * Deletes tokens of sessions that ended long ago, `limit` at most: a session that was used for weeks has thousands.
   *
   * @returns how many.
   */
  async clear(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number> {
    const cleared = await tx.query(
      sql`delete from refresh_tokens where token_hash in (
            select token_hash from refresh_tokens where session_id = any(${[...sessionIds]}::uuid[]) limit ${limit})
          returning 1`,
    );
    return cleared.length;
  }

  /**
   * Exchanges a token for its successor. Of any number of clients at once, on any node, all get the same one.
   *
   * @param client whoever presents it.
   */
  async redeem(token: string, client: Client): Promise<RefreshOutcome> {
    if (!isToken(PREFIX, token)) return refuse('invalid', null);
    const hash = hashToken(token);
    return this.database.transaction(async (tx) => {
      const sessionId = await this.lockSessionOf(tx, hash);
      if (sessionId === null) return refuse('invalid', null);
      const found = await this.sessions.findById(sessionId, tx);
      if (found === null) return refuse('invalid', null);
      if (found.state !== 'live') return refuse(found.state, sessionId);
      // An old tab after an exchange: nobody's theft.
      if (!holds(found.session, KIND)) return refuse('invalid', sessionId);
      const successor = await this.lineage.successorOf(tx, sessionId, token);
      if (successor === null) return refuse('invalid', sessionId);
      if ('reuse' in successor) {
        await this.sessions.revoke([sessionId], 'refresh_reused', tx);
        const { userId } = found.session;
        const details = { cause: successor.reuse };
        await this.audit.record({ kind: 'refresh_reused', userId, sessionId, client, details }, tx);
        return refuse('reused', sessionId, successor.reuse);
      }
      if (found.session.exchangeTo === KIND) await this.exchanges.settle(tx, [sessionId], KIND);
      const issuedAt = await this.sessions.noteAccessToken(tx, sessionId);
      const { token: refreshToken, repeat } = successor;
      return { status: 'redeemed', session: found.session, refreshToken, issuedAt, repeat };
    });
  }

  /** The session that a token belongs to, and whose it is; null for an unknown token. Changes nothing. */
  async ownerOf(token: string): Promise<RefreshTokenOwner | null> {
    if (!isToken(PREFIX, token)) return null;
    const [row] = await this.database.query(
      sql<{
        session_id: string;
        is_head: boolean;
      }>`select session_id, redeemed_at is null and superseded_at is null as is_head
        from refresh_tokens where token_hash = ${hashToken(token)}`,
    );
    const found = row ? await this.sessions.findById(row.session_id) : null;
    if (!row || !found) return null;
    const { userId } = found.state === 'live' ? found.session : found;
    return { sessionId: row.session_id, userId, isLive: found.state === 'live', isHead: row.is_head };
  }

  /** Everything of a lineage happens one after the other: whoever holds this lock decides. */
  private async lockSessionOf(tx: Queries, hash: Buffer): Promise<string | null> {
    const [row] = await tx.query(
      sql<{ id: string }>`select id from sessions
        where id = (select session_id from refresh_tokens where token_hash = ${hash}) for update`,
    );
    return row?.id ?? null;
  }
}

function refuse(
  refusal: RefreshRefusal,
  sessionId: string | null,
  reuse: RefreshReuse | null = null,
): RefreshOutcome {
  return { status: 'refused', refusal, sessionId, reuse };
}
