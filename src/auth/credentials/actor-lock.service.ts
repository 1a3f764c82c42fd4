import { Injectable } from '@nestjs/common';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Queries } from '../../platform/database/database.js';
import { type AccountUse, lockAccount, type LockedAccount } from '../../users/account-lock.js';
import { StepUpCheck } from '../assurance/step-up-check.service.js';
import { holds, PendingExchanges } from '../sessions/pending-exchanges.service.js';
import { lockSessionsOf } from '../sessions/session-revocation.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { DeadCredential, IssuedCredential } from './auth.strategy.js';
import type { Authentication, Verdict } from './authenticator.js';
import { createSecret } from './opaque-token.js';
import { StrategyRegistry } from './strategy-registry.service.js';

type LiveVerdict = Verdict & { readonly status: 'live' };

/** A signed-in user with account and session locked and read again. */
export interface LockedActor {
  readonly status: 'live';
  readonly account: LockedAccount;
  readonly session: LiveSession;
  /** The presented credentials that are still live. */
  readonly verdicts: readonly LiveVerdict[];
}

/** The actor may not act any more: what the guards found is no longer true of the rows. */
export interface EndedActor {
  readonly status: 'ended';
  /** The locked account; null if it was deleted. */
  readonly account: LockedAccount | null;
  /** Why: the credential or its session ended, the account lost the role, or the session needs step-up. */
  readonly dead: DeadCredential | MissingRight;
}

interface MissingRight {
  readonly reason: 'forbidden' | 'step_up_required';
}

/**
 * Locks the acting user. Every permanent change by a signed-in user uses it, because the guards may have decided on a
 * cached verdict. It repeats all their checks on the locked rows.
 */
@Injectable()
export class ActorLock {
  constructor(
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyRegistry,
    private readonly stepUpCheck: StepUpCheck,
  ) {}

  /**
   * Locks the account of the actor, then its sessions in id order, reads both again, and checks the presented
   * credentials and what the route requires.
   *
   * @param use how the transaction uses the account.
   */
  async lock(
    tx: Queries,
    actor: Authentication,
    use: AccountUse = 'update',
  ): Promise<LockedActor | EndedActor> {
    if (!actor.live) return ended(null, 'invalid', null);
    const { userId, sessionId } = actor.live;
    const account = await lockAccount(tx, userId, use);
    if (!account) return ended(null, 'revoked', sessionId);
    await lockSessionsOf(tx, userId);
    const found = await this.sessions.findById(sessionId, tx);
    if (found?.state !== 'live') return ended(account, found?.state ?? 'revoked', sessionId);
    const { session } = found;
    if (session.userId !== userId) return ended(account, 'invalid', sessionId);
    const verdicts = await this.stillGood(tx, actor, session);
    if (verdicts.length === 0) return ended(account, 'invalid', sessionId);
    const { role, needsStepUp } = actor.requires;
    if (role !== null && account.role !== role)
      return { status: 'ended', account, dead: { reason: 'forbidden' } };
    if (needsStepUp && !(await this.stepUpCheck.isFreshIn(tx, session)))
      return { status: 'ended', account, dead: { reason: 'step_up_required' } };
    return { status: 'live', account, session, verdicts };
  }

  /**
   * Records a fresh proof of the actor and renews the session's credential.
   *
   * @param methods RFC 8176 `amr` values of the proof.
   */
  async noteProof(tx: Queries, actor: LockedActor, methods: readonly string[]): Promise<IssuedCredential> {
    await this.sessions.noteProof(tx, actor.session.sessionId, methods);
    return this.renew(tx, actor);
  }

  /**
   * Issues a new secret for the session, for each kind of credential that can be replaced. The presented credentials
   * become invalid with this transaction; the session id stays (ASVS 5.0.0 7.2.4).
   */
  async renew(tx: Queries, { session, verdicts }: LockedActor): Promise<IssuedCredential> {
    const renewed: IssuedCredential[] = [];
    const dropped = new Set<StrategyName>();
    for (const { kind, credential } of verdicts) {
      // The use of a credential completes a pending exchange: a repeated request must not return the old value.
      const completed = await this.exchanges.complete(tx, [session.sessionId], kind);
      for (const exchange of completed) dropped.add(exchange.dropped);
      if (dropped.has(kind)) continue;
      const issued = await this.strategies.get(kind).renew?.(tx, session, credential, createSecret());
      if (issued) renewed.push(issued);
    }
    return {
      cookies: renewed.flatMap(({ cookies }) => cookies),
      body: Object.assign({}, ...renewed.map(({ body }) => body)) as IssuedCredential['body'],
    };
  }

  private async stillGood(
    tx: Queries,
    { verdicts }: Authentication,
    session: LiveSession,
  ): Promise<LiveVerdict[]> {
    const good: LiveVerdict[] = [];
    for (const verdict of verdicts) {
      if (verdict.status !== 'live' || verdict.session.sessionId !== session.sessionId) continue;
      if (!holds(session, verdict.kind)) continue;
      if (await this.strategies.get(verdict.kind).confirm(tx, session, verdict.credential))
        good.push(verdict);
    }
    return good;
  }
}

function ended(
  account: LockedAccount | null,
  reason: DeadCredential['reason'],
  sessionId: string | null,
): EndedActor {
  return { status: 'ended', account, dead: { reason, action: 'login', sessionId } };
}
