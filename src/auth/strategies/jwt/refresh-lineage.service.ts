import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../../config/tokens.config.js';
import type { Queries } from '../../../platform/database/database.js';
import { NOW } from '../../../platform/database/sql-time.js';
import { Unavailable } from '../../../platform/problems/overload.js';
import { purposeKey } from '../../../platform/secrets/secrets.js';
import { encodeToken, hashToken } from '../../credentials/opaque-token.js';
import type { JwtTables } from './jwt.tables.js';
import { decideLineage, followLineage, type TokenState } from './lineage-decision.js';

export const PREFIX = 'trf_rt_';
/** More rotations than fit into the grace period. */
const LINEAGE_STEPS_MAX = 1_000;

/** Why a redeemed token still gets a successor: concurrent use within the grace period, or a lost answer. */
export type RefreshRepeat = 'concurrent' | 'not_saved';
/** Why it is reuse: its successor was used since, or it was superseded before its first use. */
export type RefreshReuse = 'successor_used' | 'superseded';

/** The result for a presented token. */
export type Successor =
  { readonly token: string; readonly repeat: RefreshRepeat | null } | { readonly reuse: RefreshReuse };

/**
 * The lineage of a session's refresh tokens, and the meaning of presenting one of them. docs/adr/0003 has the state
 * machine.
 */
@Injectable()
export class RefreshLineage {
  constructor(@Inject(AUTH_CONFIG) private readonly config: AuthConfig) {}

  /**
   * The token that this one can be exchanged for, or why presenting it is reuse; null if it is unknown. The caller
   * has locked the session.
   *
   * @throws Unavailable if a successor was derived under a secret that this node does not have (yet).
   */
  async successorOf(tx: Queries, sessionId: string, token: string): Promise<Successor | null> {
    const hash = hashToken(token);
    // Read after the lock, in its own statement: it sees the commit of the previous lock holder.
    const [row] = await tx.query(
      sql<
        TokenState & { is_withdrawn: boolean }
      >`select withdrawn_at is not null as is_withdrawn, redeemed_at is not null as is_redeemed,
          superseded_at is not null as is_superseded,
          coalesce(redeemed_at + make_interval(secs => ${this.config.REFRESH_REUSE_GRACE}) > now(), false) as is_in_grace
        from refresh_tokens where token_hash = ${hash}`,
    );
    // An exchange withdrew it: no sign of theft.
    if (!row || row.is_withdrawn) return null;
    const decision = decideLineage(row);
    if (decision === 'superseded') return { reuse: decision };
    if (decision === 'rotate')
      return { token: await this.rotate(tx, sessionId, token, hash, 0), repeat: null };
    const head =
      decision === 'repeat'
        ? await this.headFrom(tx, token)
        : await this.replaceLostHead(tx, sessionId, token, hash);
    if (head === null) return { reuse: 'successor_used' };
    return { token: head, repeat: decision === 'repeat' ? 'concurrent' : 'not_saved' };
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
    // Every refresh runs these two: as raw SQL, they need no query builder.
    await tx.query(sql`update refresh_tokens set redeemed_at = now() where token_hash = ${hash}`);
    await tx.query(
      sql`insert into refresh_tokens (token_hash, session_id, parent_hash, attempt)
          values (${hashToken(successor)}, ${sessionId}, ${hash}, ${attempt})`,
    );
    return successor;
  }

  /**
   * Follows the lineage from an ancestor to the current head.
   *
   * @throws Unavailable if it was derived under a secret that this node does not have (yet).
   */
  private async headFrom(tx: Queries, ancestor: string): Promise<string | null> {
    // One query for any length: the lock of the session is held during it.
    const links = await tx
      .of<JwtTables>()
      .selectFrom('refresh_tokens as t')
      .innerJoin('refresh_tokens as a', (join) =>
        join.onRef('a.session_id', '=', 't.session_id').onRef('t.issued_at', '>=', 'a.redeemed_at'),
      )
      .select((link) => [
        't.token_hash',
        link.ref('t.parent_hash').$notNull().as('parent_hash'),
        't.attempt',
        link('t.redeemed_at', 'is', null).$castTo<boolean>().as('is_head'),
      ])
      .where('a.token_hash', '=', hashToken(ancestor))
      .where('t.superseded_at', 'is', null)
      .where('t.parent_hash', 'is not', null)
      .orderBy('t.issued_at')
      .limit(LINEAGE_STEPS_MAX)
      .execute();
    return followLineage(ancestor, links, (token, attempt, expected) =>
      this.rederive(token, attempt, expected),
    );
  }

  /**
   * After the grace period, only the immediate predecessor of an unredeemed head gets another token: the answer with
   * the head was lost. The lost head is superseded, and presenting it is reuse.
   */
  private async replaceLostHead(
    tx: Queries,
    sessionId: string,
    token: string,
    hash: Buffer,
  ): Promise<string | null> {
    const lost = await tx
      .of<JwtTables>()
      .updateTable('refresh_tokens')
      .set({ superseded_at: NOW })
      .where('parent_hash', '=', hash)
      .where('redeemed_at', 'is', null)
      .where('superseded_at', 'is', null)
      .returning('attempt')
      .executeTakeFirst();
    return lost ? this.rotate(tx, sessionId, token, hash, lost.attempt + 1) : null;
  }

  private rederive(token: string, attempt: number, expectedHash: Buffer): string {
    const candidates = this.config.AUTH_SECRETS.map((secret) => derive(secret, token, attempt));
    const found = candidates.find((candidate) => hashToken(candidate).equals(expectedHash));
    // No sign of theft: another node rotates under a newer secret. A retry may reach that node.
    if (found === undefined)
      throw new Unavailable('a refresh token was derived under a secret that this node does not have');
    return found;
  }
}

function derive(secret: string, token: string, attempt: number): string {
  const mac = createHmac('sha256', purposeKey(secret, 'refresh-successor')).update(`${attempt}.${token}`);
  return encodeToken(PREFIX, mac.digest());
}
