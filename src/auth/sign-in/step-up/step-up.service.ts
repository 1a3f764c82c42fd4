import { Injectable } from '@nestjs/common';
import { Audit } from '../../../audit/audit.service.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { SecurityLog } from '../../../platform/logging/security-log.service.js';
import { isProofGood } from '../../../users/account-lock.js';
import { type SecondFactor, SecondFactors } from '../../assurance/second-factors.service.js';
import { Containment } from '../../containment/containment.service.js';
import { ActorLock, type EndedActor } from '../../credentials/actor-lock.service.js';
import type { SignedIn } from '../../credentials/presented-sessions.service.js';
import type { LiveSession } from '../../sessions/session-state.js';
import type { Authentication } from '../../credentials/authenticator.js';
import type { Compromised, NotProven, Presented, Proven } from '../proofs/proof.js';
import { ProofTable } from '../proofs/proof.table.js';

/** The result of a re-authentication. */
export type StepUpOutcome =
  | { readonly status: 'reauthenticated'; readonly signedIn: SignedIn }
  /** The password alone is not sufficient. */
  | { readonly status: 'factor_required'; readonly factors: readonly SecondFactor[] }
  | { readonly status: 'refused'; readonly reason: Refusal }
  /** The caller may not act any more. */
  | Pick<EndedActor, 'status' | 'dead'>;

type Refusal = (NotProven | Compromised)['status'] | 'changed_meanwhile';

/** Re-authentication in a session that stays. */
@Injectable()
export class StepUp {
  constructor(
    private readonly database: Database,
    private readonly factors: SecondFactors,
    private readonly proofs: ProofTable,
    private readonly actors: ActorLock,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Makes the session of the request fresh: its `auth_time` is now. The client gets a new secret, and the presented
   * credential becomes invalid; id, user and end of the session stay. An ended session stays ended.
   *
   * @param presented in the order of verification: factors, which cost a guess, follow the password.
   * @throws Overloaded
   */
  async reauthenticate(
    authentication: Authentication,
    presented: readonly Presented[],
    client: Client,
  ): Promise<StepUpOutcome> {
    // Before any guess is counted: an ended session must not guess.
    const actor = await this.database.transaction((tx) => this.actors.lock(tx, authentication));
    if (actor.status === 'ended') return actor;
    const { account, session } = actor;
    const { userId, sessionId } = session;
    const factors = await this.factors.of(userId);
    if (lacksFactor(presented, factors)) return { status: 'factor_required', factors };
    const subject = {
      userId,
      email: account.email,
      emailCanonical: account.emailCanonical,
      ceremony: { kind: 'reauthentication', userId, sessionId },
    } as const;
    const proven = await this.proofs.verifyAll(subject, presented, client);
    if ('status' in proven) return this.refuse(proven.status, session, client);
    const outcome = await this.database.transaction((tx) => this.take(tx, authentication, proven, client));
    if (outcome.status === 'refused') return this.refuse(outcome.reason, session, client);
    // Correct guesses that completed nothing are removed from the counters.
    if (outcome.status !== 'reauthenticated') await this.proofs.release(proven);
    else this.log.write('reauthenticated', client, { user: userId, session: sessionId });
    return outcome;
  }

  private async take(
    tx: Queries,
    authentication: Authentication,
    proven: readonly Proven[],
    client: Client,
  ): Promise<StepUpOutcome> {
    const actor = await this.actors.lock(tx, authentication);
    if (actor.status === 'ended') return actor;
    const { account, session } = actor;
    const passwordHash = proven.find((proof) => proof.passwordHash !== null)?.passwordHash ?? null;
    if (!isProofGood(account, passwordHash, 'sign_in'))
      return { status: 'refused', reason: 'changed_meanwhile' };
    // Re-check under the lock: a factor may have been enrolled since.
    const factors = await this.factors.of(account.id, tx);
    if (!isEnough(proven, factors)) return { status: 'factor_required', factors };
    if (!(await this.proofs.consume(tx, proven))) return { status: 'refused', reason: 'changed_meanwhile' };
    const { sessionId } = session;
    const methods = methodsOf(proven);
    const credential = await this.actors.noteProof(tx, actor, methods);
    await this.containment.contain(tx, 'step_up', { account, sessionId });
    await this.proofs.succeed(tx, proven);
    const event = { userId: account.id, sessionId, client, details: { methods } };
    await this.audit.record({ kind: 'reauthenticated', ...event }, tx);
    return { status: 'reauthenticated', signedIn: { session, credential } };
  }

  private async refuse(reason: Refusal, session: LiveSession, client: Client): Promise<StepUpOutcome> {
    const { userId, sessionId } = session;
    const details = { reason };
    const attempt = { userId, email: null, sessionId, client, details };
    await this.audit.recordAttempt({ kind: 'reauthentication_failed', ...attempt });
    this.log.write('reauthentication_failed', client, { user: userId, session: sessionId, ...details });
    return { status: 'refused', reason };
  }
}

/** Whether the kinds of the presented values show that they cannot be sufficient. */
function lacksFactor(presented: readonly Presented[], factors: readonly SecondFactor[]): boolean {
  const has = (name: Presented['authenticator']) =>
    presented.some(({ authenticator }) => authenticator === name);
  if (has('passkey')) return false;
  return factors.length > 0 && !(has('password') && (has('totp') || has('recovery_code')));
}

/** A user with a second factor presents one with the password, as at sign-in, or a proof that is both. */
function isEnough(proven: readonly Proven[], factors: readonly SecondFactor[]): boolean {
  const hasPassword = proven.some(({ passwordHash }) => passwordHash !== null);
  const isSingle = proven.length === 1 && factors.length > 0;
  return proven.some(({ alone }) => alone === 'enough') || (hasPassword && !isSingle);
}

/** RFC 8176: all presented methods, and `mfa` for more than one. */
function methodsOf(proven: readonly Proven[]): string[] {
  const methods = new Set(proven.flatMap((proof) => proof.methods));
  if (proven.length > 1) methods.add('mfa');
  return [...methods];
}
