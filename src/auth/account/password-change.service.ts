import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { Outbox } from '../../mail/outbox.service.js';
import { OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { PasswordChanges } from '../../users/passwords/password-changes.service.js';
import type { WeakPassword } from '../../users/passwords/password-policy.service.js';
import { UsersService } from '../../users/users.service.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import type { SignedIn } from '../presented-sessions.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { Freshness } from '../step-up/freshness.service.js';
import { HeldSessions } from '../step-up/held-sessions.service.js';
import { PasswordProof } from '../step-up/password-proof.service.js';
import type { Person } from '../step-up/step-up-proof.js';
import type { DeadCredential } from '../strategies/auth.strategy.js';
import type { Authentication } from '../strategies/authenticator.js';
import type { PasswordChangeBody } from './account.dto.js';

/** How a change of the password ended. */
export type PasswordChangeOutcome =
  | { readonly status: 'changed'; readonly signedIn: SignedIn }
  | Refused
  | { readonly status: 'weak_password'; readonly weak: WeakPassword }
  /** The session, or the credential that was sent, has died meanwhile. */
  | { readonly status: 'ended'; readonly dead: DeadCredential };

type Refused = { readonly status: 'wrong' } | { readonly status: 'step_up_required' };

/** What allows the change: the password that is replaced, or, with nulls, that the session is fresh. */
interface Permission {
  readonly passwordHash: string | null;
  readonly guess: Guess | null;
}

const BY_FRESHNESS: Permission = { passwordHash: null, guess: null };

/** Changing one's own password. */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly passwords: PasswordChanges,
    private readonly proof: PasswordProof,
    private readonly freshness: Freshness,
    private readonly sessions: SessionsService,
    private readonly held: HeldSessions,
    private readonly tokens: OneTimeTokens,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Stores another password, or the first one, and ends all other sessions with it. Whoever has a second factor has shown it
   * lately: a password that somebody knows must not be enough to change it. Of several changes at once that know
   * the same password one wins.
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async change(
    authentication: Authentication,
    session: LiveSession,
    { current_password: current, new_password: wanted }: PasswordChangeBody,
    client: Client,
  ): Promise<PasswordChangeOutcome> {
    const { userId, sessionId } = session;
    const user = await this.users.find(userId);
    if (!user) return { status: 'ended', dead: { reason: 'revoked', action: 'login', sessionId } };
    const person = { userId, sessionId, email: user.email };
    const permission = await this.permissionOf(person, session, current, client);
    if ('status' in permission) return permission;
    const prepared = await this.passwords.prepare(person.email, wanted).catch(async (error) => {
      // The password was right, and nothing could be made of it.
      if (permission.guess) await this.lockout.release(permission.guess);
      throw error;
    });
    const outcome: PasswordChangeOutcome =
      'weak' in prepared
        ? { status: 'weak_password', weak: prepared.weak }
        : await this.database.transaction((tx) =>
            this.store(tx, authentication, session, permission, prepared.hash, client),
          );
    // The password was right, and nothing came of it.
    if (outcome.status !== 'changed' && permission.guess) await this.lockout.release(permission.guess);
    if (outcome.status === 'changed') this.log('password_changed', session, client);
    return outcome;
  }

  private async permissionOf(
    person: Person,
    session: LiveSession,
    current: string | undefined,
    client: Client,
  ): Promise<Permission | Refused> {
    if (current === undefined)
      return (await this.freshness.isFresh(session)) ? BY_FRESHNESS : { status: 'step_up_required' };
    // Before the password is looked at: whoever lacks the factor must not get to try it here either.
    if (await this.freshness.lacksFactor(session)) return { status: 'step_up_required' };
    const result = await this.proof.verify(person, current, client);
    // One that others know opens nothing but this.
    if (result.status === 'proven' || result.status === 'compromised')
      return { passwordHash: result.passwordHash, guess: result.guess };
    const { userId, sessionId } = session;
    const details = { reason: result.status, purpose: 'password' };
    const attempt = { userId, email: null, sessionId, client, details };
    await this.audit.recordAttempt({ kind: 'reauthentication_failed', ...attempt });
    this.log('reauthentication_failed', session, client, details);
    return { status: 'wrong' };
  }

  private async store(
    tx: Queries,
    authentication: Authentication,
    { userId, sessionId }: LiveSession,
    { passwordHash, guess }: Permission,
    hash: string,
    client: Client,
  ): Promise<PasswordChangeOutcome> {
    // Behind this lock the password is still the one that was verified, and stays it.
    if (!(await this.users.lockForProof(tx, userId, passwordHash, 'change_password')))
      return { status: 'wrong' };
    const held = await this.held.lock(tx, authentication);
    if ('reason' in held) return { status: 'ended', dead: held };
    // A factor may have been added since: whoever does that takes the same lock.
    if (await this.freshness.lacksFactor(held.session, tx)) return { status: 'step_up_required' };
    await this.passwords.store(tx, userId, hash);
    await this.sessions.revokeOfUser(userId, sessionId, 'password_changed', tx);
    const credential = await this.held.renew(tx, held);
    await this.held.endExchange(tx, held);
    // Sign-ins that began with the old password, and links that would set another one, or let somebody else do so.
    await tx.query(sql`delete from mfa_challenges where user_id = ${userId}`);
    await this.tokens.takeBack(tx, userId, 'reset_password');
    await withdrawAddressChanges(tx, userId, sessionId);
    if (guess) await this.lockout.succeed(tx, guess);
    await this.audit.record({ kind: 'password_changed', userId, sessionId, client }, tx);
    await this.outbox.add(tx, {
      kind: 'password_changed',
      userId,
      recipient: held.session.email,
      params: { ip: client.ip, user_agent: client.userAgent ?? '' },
    });
    return { status: 'changed', signedIn: { session: held.session, credential } };
  }

  private log(event: string, { userId, sessionId }: LiveSession, client: Client, more: object = {}): void {
    const { requestId: request_id, ip } = client;
    this.logger.info({ event, request_id, ip, user: userId, session: sessionId, ...more });
  }
}
