import { Injectable } from '@nestjs/common';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../database/database.js';
import { holds, PendingExchanges } from '../exchange/pending-exchanges.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { DeadCredential, IssuedCredential } from '../strategies/auth.strategy.js';
import type { Authentication, Verdict } from '../strategies/authenticator.js';
import { createSecret } from '../strategies/opaque-token.js';
import { StrategyTable } from '../strategies/strategy.table.js';

type LiveVerdict = Verdict & { readonly status: 'live' };

/** A session behind the lock of its row, with the credentials of the request that are good for it. */
export interface HeldSession {
  readonly session: LiveSession;
  readonly verdicts: readonly LiveVerdict[];
}

/**
 * The session that a request acts for, while something sensitive happens to it or its account: read behind its lock, and
 * never from what was remembered.
 */
@Injectable()
export class HeldSessions {
  constructor(
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyTable,
  ) {}

  /**
   * Locks the row of the session that counts, in a transaction that has locked its account's.
   *
   * @returns why the request's credential opens nothing any more, if it died since it was read.
   */
  async lock(tx: Queries, { live, verdicts }: Authentication): Promise<HeldSession | DeadCredential> {
    const sessionId = live?.sessionId ?? null;
    if (sessionId === null) return { reason: 'invalid', action: 'login', sessionId };
    await this.exchanges.lock(tx, sessionId);
    const found = await this.sessions.findById(sessionId, tx);
    if (found?.state !== 'live') return { reason: found?.state ?? 'revoked', action: 'login', sessionId };
    const held: LiveVerdict[] = [];
    for (const verdict of verdicts) {
      if (verdict.status !== 'live' || verdict.session.sessionId !== sessionId) continue;
      if (!holds(found.session, verdict.kind)) continue;
      const isGood = await this.strategies.get(verdict.kind).confirm(tx, found.session, verdict.credential);
      if (isGood) held.push(verdict);
    }
    if (held.length === 0) return { reason: 'invalid', action: 'login', sessionId };
    return { session: found.session, verdicts: held };
  }

  /**
   * Gives the client another secret for its session, of each kind that can be handed out anew: what it came with is dead
   * with this transaction, and the session's id stays (ASVS 5.0.0 7.2.4).
   */
  async renew(tx: Queries, { session, verdicts }: HeldSession): Promise<IssuedCredential> {
    const renewed: IssuedCredential[] = [];
    const gone = new Set<StrategyName>();
    for (const { kind, credential } of verdicts) {
      // A credential that is used ends an exchange under way: asking for it again must not bring back the old value.
      const settled = await this.exchanges.settle(tx, [session.sessionId], kind);
      for (const { dropped, sessionId } of settled) {
        await this.strategies.get(dropped).withdraw?.(tx, [sessionId]);
        gone.add(dropped);
      }
      if (gone.has(kind)) continue;
      const issued = await this.strategies.get(kind).renew?.(tx, session, credential, createSecret());
      if (issued) renewed.push(issued);
    }
    return {
      cookies: renewed.flatMap(({ cookies }) => cookies),
      body: Object.assign({}, ...renewed.map(({ body }) => body)) as IssuedCredential['body'],
    };
  }

  /**
   * Ends an exchange whose credential nobody has used, after `renew`, which settles one that the request came with: whoever
   * else asked for that credential keeps nothing.
   */
  async endExchange(tx: Queries, { session: { sessionId } }: HeldSession): Promise<void> {
    const kind = await this.exchanges.end(tx, sessionId);
    if (kind) await this.strategies.get(kind).withdraw?.(tx, [sessionId]);
  }
}
