import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../database/database.js';
import { Unavailable } from '../../../problems/overload.js';
import { purposeKey } from '../../keys/secrets.js';
import { type LiveSession, SessionsService } from '../../sessions/sessions.service.js';
import { createToken, encodeToken, hashToken, isToken } from '../opaque-token.js';

const PREFIX = 'trf_rt_';
/** More rotations than fit into the grace time. */
const LINEAGE_STEPS_MAX = 1_000;

export type RefreshRefusal = 'invalid' | 'expired' | 'revoked' | 'reused';

export type RefreshOutcome =
  | { readonly status: 'redeemed'; readonly session: LiveSession; readonly refreshToken: string }
  | { readonly status: 'refused'; readonly refusal: RefreshRefusal; readonly sessionId: string | null };

/** Whose a refresh token is. */
export interface RefreshTokenOwner {
  readonly sessionId: string;
  readonly userId: string;
  /** Whether its session is. */
  readonly isLive: boolean;
  /** Whether it was neither redeemed nor superseded. */
  readonly isHead: boolean;
}

interface TokenRow {
  parent_hash: Uint8Array | null;
  attempt: number;
  is_redeemed: boolean;
  is_superseded: boolean;
  is_in_grace: boolean;
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
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** The first token of a session. */
  async issue(tx: Queries, sessionId: string): Promise<string> {
    const token = createToken(PREFIX);
    await this.insert(tx, sessionId, token, null, 0);
    return token;
  }

  /** Exchanges a token for its successor. Of any number of clients at once, on any node, all get the same one. */
  async redeem(token: string): Promise<RefreshOutcome> {
    if (!isToken(PREFIX, token)) return refuse('invalid', null);
    const hash = hashToken(token);
    return this.database.transaction(async (tx) => {
      const sessionId = await this.lockSessionOf(tx, hash);
      if (sessionId === null) return refuse('invalid', null);
      const found = await this.sessions.findById(sessionId, tx);
      if (found === null) return refuse('invalid', null);
      if (found.state !== 'live') return refuse(found.state, sessionId);
      const successor = await this.successorOf(tx, sessionId, token, hash);
      if (successor === null) {
        await this.sessions.revoke([sessionId], 'refresh_reused', tx);
        return refuse('reused', sessionId);
      }
      await tx.query(sql`update sessions set last_used_at = now() where id = ${sessionId}`);
      return { status: 'redeemed', session: found.session, refreshToken: successor };
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

  /** The token that this one may be exchanged for; null if presenting it is reuse. */
  private async successorOf(
    tx: Queries,
    sessionId: string,
    token: string,
    hash: Buffer,
  ): Promise<string | null> {
    // Read after the lock: a statement of its own sees what the previous holder committed.
    const [row] = await tx.query(
      sql<TokenRow>`select parent_hash, attempt, redeemed_at is not null as is_redeemed,
          superseded_at is not null as is_superseded,
          coalesce(redeemed_at + make_interval(secs => ${this.config.REFRESH_REUSE_GRACE}) > now(), false) as is_in_grace
        from refresh_tokens where token_hash = ${hash}`,
    );
    if (!row || row.is_superseded) return null;
    if (!row.is_redeemed) return this.rotate(tx, sessionId, token, hash, 0);
    if (row.is_in_grace) return this.headFrom(tx, token);
    return this.replaceLostHead(tx, sessionId, token, hash);
  }

  private async rotate(
    tx: Queries,
    sessionId: string,
    token: string,
    hash: Buffer,
    attempt: number,
  ): Promise<string> {
    const [secret = ''] = this.config.AUTH_SECRETS;
    const successor = derive(secret, token, attempt);
    await tx.query(sql`update refresh_tokens set redeemed_at = now() where token_hash = ${hash}`);
    await this.insert(tx, sessionId, successor, hash, attempt);
    return successor;
  }

  /**
   * Follows the lineage from an ancestor to the token that is good now.
   *
   * @throws Unavailable when it was derived under a secret that this node does not have, or not yet.
   */
  private async headFrom(tx: Queries, ancestor: string): Promise<string | null> {
    let token = ancestor;
    for (let step = 0; step < LINEAGE_STEPS_MAX; step += 1) {
      const [child] = await tx.query(
        sql<{
          token_hash: Uint8Array;
          attempt: number;
          is_head: boolean;
        }>`select token_hash, attempt, redeemed_at is null as is_head
          from refresh_tokens where parent_hash = ${hashToken(token)} and superseded_at is null`,
      );
      if (!child) return null;
      token = this.rederive(token, child.attempt, Buffer.from(child.token_hash));
      if (child.is_head) return token;
    }
    return null;
  }

  /**
   * After the grace time only the immediate predecessor of a head that nobody ever redeemed gets another one: the
   * answer that carried the head was lost. The lost head is superseded, and presenting it is reuse.
   */
  private async replaceLostHead(
    tx: Queries,
    sessionId: string,
    token: string,
    hash: Buffer,
  ): Promise<string | null> {
    const [lost] = await tx.query(
      sql<{ attempt: number }>`update refresh_tokens set superseded_at = now()
        where parent_hash = ${hash} and redeemed_at is null and superseded_at is null returning attempt`,
    );
    return lost ? this.rotate(tx, sessionId, token, hash, lost.attempt + 1) : null;
  }

  private rederive(token: string, attempt: number, expectedHash: Buffer): string {
    const candidates = this.config.AUTH_SECRETS.map((secret) => derive(secret, token, attempt));
    const found = candidates.find((candidate) => hashToken(candidate).equals(expectedHash));
    // No sign of theft: another node rotates under a newer secret. Whoever asks again may reach that node.
    if (found === undefined) throw new Unavailable('a refresh token was derived under a secret unknown here');
    return found;
  }

  private async insert(
    tx: Queries,
    sessionId: string,
    token: string,
    parentHash: Buffer | null,
    attempt: number,
  ): Promise<void> {
    await tx.query(
      sql`insert into refresh_tokens (token_hash, session_id, parent_hash, attempt)
          values (${hashToken(token)}, ${sessionId}, ${parentHash}, ${attempt})`,
    );
  }
}

function refuse(refusal: RefreshRefusal, sessionId: string | null): RefreshOutcome {
  return { status: 'refused', refusal, sessionId };
}

function derive(secret: string, token: string, attempt: number): string {
  const mac = createHmac('sha256', purposeKey(secret, 'refresh-successor')).update(`${attempt}.${token}`);
  return encodeToken(PREFIX, mac.digest());
}
