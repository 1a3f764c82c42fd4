import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../../config/tokens.config.js';
import type { Queries } from '../../../database/database.js';
import { Unavailable } from '../../../problems/overload.js';
import { purposeKey } from '../../../secrets/secrets.js';
import { encodeToken, hashToken } from '../opaque-token.js';

export const PREFIX = 'trf_rt_';
/** More rotations than fit into the grace time. */
const LINEAGE_STEPS_MAX = 1_000;

/** Why a token that was redeemed before still gets one: two at once within the grace time, or an answer was lost. */
export type RefreshRepeat = 'concurrent' | 'not_saved';
/** What makes it reuse: its successor was used since, or it was itself replaced before it was used. */
export type RefreshReuse = 'successor_used' | 'superseded';

/** What becomes of a presented token. */
export type Successor =
  { readonly token: string; readonly repeat: RefreshRepeat | null } | { readonly reuse: RefreshReuse };

interface TokenRow {
  parent_hash: Uint8Array | null;
  attempt: number;
  is_redeemed: boolean;
  is_superseded: boolean;
  is_in_grace: boolean;
}

interface LinkRow {
  token_hash: Uint8Array;
  parent_hash: Uint8Array;
  attempt: number;
  is_head: boolean;
}

/**
 * The lineage of a session's refresh tokens, and what presenting one of them means. docs/adr/0003 has the state
 * machine.
 */
@Injectable()
export class RefreshLineage {
  constructor(@Inject(AUTH_CONFIG) private readonly config: AuthConfig) {}

  /**
   * The token that this one may be exchanged for, or why presenting it is reuse; null if it is unknown. The caller
   * holds the session's lock.
   *
   * @throws Unavailable when a successor was derived under a secret that this node does not have, or not yet.
   */
  async successorOf(tx: Queries, sessionId: string, token: string): Promise<Successor | null> {
    const hash = hashToken(token);
    // Read after the lock: a statement of its own sees what the previous holder committed.
    const [row] = await tx.query(
      sql<TokenRow>`select parent_hash, attempt, redeemed_at is not null as is_redeemed,
          superseded_at is not null as is_superseded,
          coalesce(redeemed_at + make_interval(secs => ${this.config.REFRESH_REUSE_GRACE}) > now(), false) as is_in_grace
        from refresh_tokens where token_hash = ${hash}`,
    );
    // It was there when the lock was asked for: whoever had it then withdrew it, in an exchange. Nobody's theft.
    if (!row) return null;
    if (row.is_superseded) return { reuse: 'superseded' };
    if (!row.is_redeemed) return { token: await this.rotate(tx, sessionId, token, hash, 0), repeat: null };
    const repeat = row.is_in_grace ? 'concurrent' : 'not_saved';
    const head = row.is_in_grace
      ? await this.headFrom(tx, token)
      : await this.replaceLostHead(tx, sessionId, token, hash);
    return head === null ? { reuse: 'successor_used' } : { token: head, repeat };
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
    await tx.query(
      sql`insert into refresh_tokens (token_hash, session_id, parent_hash, attempt)
          values (${hashToken(successor)}, ${sessionId}, ${hash}, ${attempt})`,
    );
    return successor;
  }

  /**
   * Follows the lineage from an ancestor to the token that is good now.
   *
   * @throws Unavailable when it was derived under a secret that this node does not have, or not yet.
   */
  private async headFrom(tx: Queries, ancestor: string): Promise<string | null> {
    // One look, however long the way is: whoever repeats holds the session's lock meanwhile.
    const links = await tx.query(
      sql<LinkRow>`select t.token_hash, t.parent_hash, t.attempt, t.redeemed_at is null as is_head
        from refresh_tokens t join refresh_tokens a on a.session_id = t.session_id and t.issued_at >= a.redeemed_at
        where a.token_hash = ${hashToken(ancestor)} and t.superseded_at is null and t.parent_hash is not null
        order by t.issued_at limit ${LINEAGE_STEPS_MAX}`,
    );
    const childOf = new Map(links.map((link) => [Buffer.from(link.parent_hash).toString('base64'), link]));
    let token = ancestor;
    for (;;) {
      const child = childOf.get(hashToken(token).toString('base64'));
      if (!child) return null;
      token = this.rederive(token, child.attempt, Buffer.from(child.token_hash));
      if (child.is_head) return token;
    }
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
}

function derive(secret: string, token: string, attempt: number): string {
  const mac = createHmac('sha256', purposeKey(secret, 'refresh-successor')).update(`${attempt}.${token}`);
  return encodeToken(PREFIX, mac.digest());
}
