import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { Containment } from '../auth/containment/containment.service.js';
import { ActorLock, type EndedActor } from '../auth/credentials/actor-lock.service.js';
import type { SignedIn } from '../auth/credentials/presented-sessions.service.js';
import type { Authentication } from '../auth/credentials/authenticator.js';
import { Outbox } from '../mail/outbox.service.js';
import { Database, type Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { SecurityLog } from '../platform/logging/security-log.service.js';
import { isProofGood } from '../users/account-lock.js';
import { PasswordChanges } from '../users/passwords/password-changes.service.js';
import type { WeakPassword } from '../users/passwords/password-policy.service.js';
import type { PasswordChangeBody } from './account.dto.js';
import { PasswordChangeProof, type Qualified } from './password-change-proof.service.js';

/** The result of a change of the password. */
export type PasswordChangeOutcome =
  | { readonly status: 'changed'; readonly signedIn: SignedIn }
  | { readonly status: 'wrong' }
  | { readonly status: 'step_up_required' }
  | { readonly status: 'weak_password'; readonly weak: WeakPassword }
  /** The caller may not act any more. */
  | Pick<EndedActor, 'status' | 'dead'>;

/** Changes the password of the caller. */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly database: Database,
    private readonly passwords: PasswordChanges,
    private readonly proof: PasswordChangeProof,
    private readonly actors: ActorLock,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Stores a new password, or the first one, and ends all other sessions with it. A user with a second factor must
   * have proved it recently: a stolen password must not be sufficient to change it. Of concurrent changes with the
   * same current password, one succeeds.
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async change(
    authentication: Authentication,
    { current_password: current, new_password: wanted }: PasswordChangeBody,
    client: Client,
  ): Promise<PasswordChangeOutcome> {
    // Before any guess is counted: an ended session must not guess.
    const actor = await this.database.transaction((tx) => this.actors.lock(tx, authentication));
    if (actor.status === 'ended') return actor;
    const { userId, sessionId } = actor.session;
    const qualified = await this.proof.verify(actor, current, client);
    if (qualified.status !== 'qualified') return { status: qualified.status };
    const prepared = await this.passwords.prepare(qualified.email, wanted).catch(async (error) => {
      await this.proof.release(qualified);
      throw error;
    });
    const outcome: PasswordChangeOutcome =
      'weak' in prepared
        ? { status: 'weak_password', weak: prepared.weak }
        : await this.database.transaction((tx) =>
            this.store(tx, authentication, qualified, prepared.hash, client),
          );
    if (outcome.status === 'changed')
      this.log.write('password_changed', client, { user: userId, session: sessionId });
    else await this.proof.release(qualified);
    return outcome;
  }

  private async store(
    tx: Queries,
    authentication: Authentication,
    qualified: Qualified,
    hash: string,
    client: Client,
  ): Promise<PasswordChangeOutcome> {
    const actor = await this.actors.lock(tx, authentication);
    const { account } = actor;
    if (!account || !isProofGood(account, qualified.passwordHash, 'change_password'))
      return { status: 'wrong' };
    if (actor.status === 'ended') return actor;
    if (await this.proof.lacksFactor(tx, actor)) return { status: 'step_up_required' };
    const { session } = actor;
    const { sessionId } = session;
    const { id: userId } = account;
    await this.passwords.store(tx, userId, hash);
    const credential = await this.actors.renew(tx, actor);
    await this.containment.contain(tx, 'password_changed', { account, sessionId });
    await this.proof.succeed(tx, qualified);
    await this.audit.record({ kind: 'password_changed', userId, sessionId, client }, tx);
    await this.outbox.add(tx, {
      kind: 'password_changed',
      userId,
      recipient: account.email,
      params: { ip: client.ip, user_agent: client.userAgent ?? '' },
    });
    return { status: 'changed', signedIn: { session, credential } };
  }
}
