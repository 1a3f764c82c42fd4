import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Audit } from '../../../audit/audit.service.js';
import { anyOf } from '../../../platform/database/any-of.js';
import type { Columns } from '../../../platform/database/columns.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { NOW } from '../../../platform/database/sql-time.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { Containment } from '../../containment/containment.service.js';
import { holds, PendingExchanges } from '../../sessions/pending-exchanges.service.js';
import type { LiveSession } from '../../sessions/session-state.js';
import type { SessionsTables } from '../../sessions/sessions.tables.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import { encodeToken, hashToken, isToken } from '../../credentials/opaque-token.js';
import type { RefreshTokenOwner } from '../../credentials/refresh-credential.js';
import type { JwtTables } from './jwt.tables.js';
import { PREFIX, RefreshLineage, type RefreshRepeat, type RefreshReuse } from './refresh-lineage.service.js';

/** The strategy that refresh tokens belong to. */
const KIND = 'jwt';
export type RefreshRefusal = 'invalid' | 'expired' | 'revoked' | 'reused';

/** A redeemed token, and the data for the new tokens. */
export interface Redeemed {
  readonly session: LiveSession;
  readonly refreshToken: string;
  readonly issuedAt: Date;
}

export type RefreshOutcome =
  | (Redeemed & {
      readonly status: 'redeemed';
      /** Null for the first use. */
      readonly repeat: RefreshRepeat | null;
    })
  | {
      readonly status: 'refused';
      readonly refusal: RefreshRefusal;
      readonly sessionId: string | null;
      /** Only for `reused`. */
      readonly reuse: RefreshReuse | null;
    };

/**
 * Refresh tokens: opaque, single use, in a lineage that belongs to a session (RFC 9700 §4.14.2). docs/adr/0003 has
 * the state machine.
 *
 * A successor is derived from its predecessor under AUTH_SECRETS: a repeated request gets the same token again
 * although only hashes are stored. Every decision is one transaction that locks the session row, by the database's
 * clock.
 */
@Injectable()
export class RefreshTokens {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly lineage: RefreshLineage,
    private readonly containment: Containment,
    private readonly audit: Audit,
  ) {}

  /** Issues the first token of a session; the same secret gives the same token. */
  async issue(tx: Queries, sessionId: string, secret: Buffer): Promise<string> {
    const token = encodeToken(PREFIX, secret);
    await tx
      .of<JwtTables>()
      .insertInto('refresh_tokens')
      .values({ token_hash: hashToken(token), session_id: sessionId })
      .onConflict((conflict) => conflict.column('token_hash').doNothing())
      .execute();
    return token;
  }

  /** Withdraws all tokens of sessions that no longer use them: presented later, they are invalid, not reused. */
  async revokeFor(tx: Queries, sessionIds: readonly string[]): Promise<void> {
    await tx
      .of<JwtTables>()
      .updateTable('refresh_tokens')
      .set({ withdrawn_at: NOW, superseded_at: sql<Date>`coalesce(superseded_at, now())` })
      .where('session_id', '=', anyOf(sessionIds))
      .where('withdrawn_at', 'is', null)
      .execute();
  }

  /**
   * Deletes tokens of sessions that ended long ago, at most `limit`: a session used for weeks has thousands.
   *
   * @returns the number of deleted tokens.
   */
  async purge(tx: Queries, sessionIds: readonly string[], limit: number): Promise<number> {
    const purged = await tx.query(
      sql`delete from refresh_tokens where token_hash in (
            select token_hash from refresh_tokens where session_id = any(${[...sessionIds]}::uuid[]) limit ${limit})
          returning 1`,
    );
    return purged.length;
  }

  /**
   * Exchanges a token for its successor. Concurrent requests on all nodes get the same one.
   *
   * @param client the client that presents it.
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
      // An old tab after an exchange: no sign of theft.
      if (!holds(found.session, KIND)) return refuse('invalid', sessionId);
      const successor = await this.lineage.successorOf(tx, sessionId, token);
      if (successor === null) return refuse('invalid', sessionId);
      if ('reuse' in successor) {
        await this.containment.contain(tx, 'refresh_reused', { sessionIds: [sessionId] });
        const { userId } = found.session;
        const details = { cause: successor.reuse };
        await this.audit.record({ kind: 'refresh_reused', userId, sessionId, client, details }, tx);
        return refuse('reused', sessionId, successor.reuse);
      }
      if (found.session.exchangeTo === KIND) await this.exchanges.complete(tx, [sessionId], KIND);
      const issuedAt = await this.sessions.noteAccessToken(tx, sessionId);
      const { token: refreshToken, repeat } = successor;
      return { status: 'redeemed', session: found.session, refreshToken, issuedAt, repeat };
    });
  }

  /** The session of a token and its user; null for an unknown token. Changes nothing. */
  async ownerOf(token: string): Promise<RefreshTokenOwner | null> {
    if (!isToken(PREFIX, token)) return null;
    const [row] = await this.database.query(
      sql<
        Columns<JwtTables, 'refresh_tokens', 'session_id'> & Record<'is_head' | 'is_withdrawn', boolean>
      >`select session_id, redeemed_at is null and superseded_at is null as is_head, withdrawn_at is not null as is_withdrawn
        from refresh_tokens where token_hash = ${hashToken(token)}`,
    );
    const found = row ? await this.sessions.findById(row.session_id) : null;
    if (!row || !found) return null;
    const { userId } = found.state === 'live' ? found.session : found;
    const isLive = found.state === 'live' && !row.is_withdrawn;
    return { sessionId: row.session_id, userId, isLive, isHead: row.is_head };
  }

  /** Serializes all changes of a lineage: the holder of this lock decides. */
  private async lockSessionOf(tx: Queries, hash: Buffer): Promise<string | null> {
    const [row] = await tx.query(
      sql<Columns<SessionsTables, 'sessions', 'id'>>`select id from sessions
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
