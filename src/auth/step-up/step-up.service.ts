import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { UsersService } from '../../users/users.service.js';
import { Lockout } from '../lockout/lockout.service.js';
import { type SecondFactor, SecondFactors } from '../mfa/second-factors.service.js';
import type { SignedIn } from '../presented-sessions.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { DeadCredential } from '../strategies/auth.strategy.js';
import type { Authentication } from '../strategies/authenticator.js';
import { HeldSessions } from './held-sessions.service.js';
import { PasskeyProof, RecoveryCodeProof, TotpProof } from './factor-proofs.service.js';
import { PasswordProof } from './password-proof.service.js';
import type { Compromised, NotProven, Person, Proven, StepUpProof } from './step-up-proof.js';
import type { ReauthenticateBody } from './step-up.dto.js';

/** How a re-authentication ended. */
export type StepUpOutcome =
  | { readonly status: 'reauthenticated'; readonly signedIn: SignedIn }
  /** The password alone is not enough. */
  | { readonly status: 'factor_required'; readonly factors: readonly SecondFactor[] }
  | { readonly status: 'refused'; readonly reason: Refusal }
  /** The session, or the credential that was sent, has died meanwhile. */
  | { readonly status: 'ended'; readonly dead: DeadCredential };

type Refusal = (NotProven | Compromised)['status'] | 'changed_meanwhile';

/** Proving again who one is, in a session that goes on. */
@Injectable()
export class StepUp {
  /** In the order in which they are looked at: what costs a guess at a factor comes behind the password. */
  private readonly proofs: readonly StepUpProof[];

  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly held: HeldSessions,
    private readonly factors: SecondFactors,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    password: PasswordProof,
    totp: TotpProof,
    recoveryCode: RecoveryCodeProof,
    passkey: PasskeyProof,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.proofs = [password, totp, recoveryCode, passkey] as readonly StepUpProof[];
  }

  /**
   * Makes the session that counts fresh: its `auth_time` is now. The client gets another secret for it, and what it came
   * with is dead; the id, the person and the end of the session stay. A session that died meanwhile stays dead.
   *
   * @throws Overloaded
   */
  async reauthenticate(
    authentication: Authentication,
    session: LiveSession,
    body: ReauthenticateBody,
    client: Client,
  ): Promise<StepUpOutcome> {
    const { userId, sessionId } = session;
    const user = await this.users.find(userId);
    if (!user) return { status: 'ended', dead: { reason: 'revoked', action: 'login', sessionId } };
    const factors = await this.factors.of(userId);
    if (lacksFactor(body, factors)) return { status: 'factor_required', factors };
    const proven = await this.prove({ userId, sessionId, email: user.email }, body, client);
    if ('status' in proven) return this.refuse(proven.status, session, client);
    const outcome = await this.database.transaction((tx) =>
      this.take(tx, authentication, session, proven, client),
    );
    if (outcome.status === 'refused') return this.refuse(outcome.reason, session, client);
    if (outcome.status !== 'reauthenticated') await this.release(proven);
    else this.log('reauthenticated', session, client);
    return outcome;
  }

  /** All that was sent has to be right; the first that is not ends it. */
  private async prove(
    person: Person,
    body: ReauthenticateBody,
    client: Client,
  ): Promise<Proven[] | NotProven | Compromised> {
    const proven: Proven[] = [];
    for (const proof of this.proofs) {
      const value = body[proof.field];
      if (value === undefined) continue;
      const result = await proof.verify(person, value, client);
      if (result.status !== 'proven') {
        await this.release(result.status === 'compromised' ? [...proven, result] : proven);
        return result;
      }
      proven.push(result);
    }
    return proven;
  }

  private async take(
    tx: Queries,
    authentication: Authentication,
    { userId, sessionId }: LiveSession,
    proven: readonly Proven[],
    client: Client,
  ): Promise<StepUpOutcome> {
    const passwordHash = proven.find((proof) => proof.passwordHash !== null)?.passwordHash ?? null;
    if (!(await this.users.lockForProof(tx, userId, passwordHash, 'sign_in')))
      return { status: 'refused', reason: 'changed_meanwhile' };
    // One may have been enrolled since: whoever does that takes the same lock.
    const factors = await this.factors.of(userId, tx);
    if (!isEnough(proven, factors)) return { status: 'factor_required', factors };
    const held = await this.held.lock(tx, authentication);
    if ('reason' in held) return { status: 'ended', dead: held };
    for (const { consume } of proven)
      if (consume && !(await consume(tx))) return { status: 'refused', reason: 'changed_meanwhile' };
    const methods = methodsOf(proven);
    await this.sessions.noteProof(tx, sessionId, methods);
    const credential = await this.held.renew(tx, held);
    for (const { guess } of proven) await this.lockout.succeed(tx, guess);
    await this.audit.record({ kind: 'reauthenticated', userId, sessionId, client, details: { methods } }, tx);
    return { status: 'reauthenticated', signedIn: { session: held.session, credential } };
  }

  /** What was right completed nothing: it counts neither way. */
  private async release(proven: readonly Pick<Proven, 'guess'>[]): Promise<void> {
    for (const { guess } of proven) await this.lockout.release(guess);
  }

  private async refuse(reason: Refusal, session: LiveSession, client: Client): Promise<StepUpOutcome> {
    const { userId, sessionId } = session;
    const details = { reason };
    const attempt = { userId, email: null, sessionId, client, details };
    await this.audit.recordAttempt({ kind: 'reauthentication_failed', ...attempt });
    this.log('reauthentication_failed', session, client, details);
    return { status: 'refused', reason };
  }

  private log(event: string, { userId, sessionId }: LiveSession, client: Client, more: object = {}): void {
    const { requestId: request_id, ip } = client;
    this.logger.info({ event, request_id, ip, user: userId, session: sessionId, ...more });
  }
}

/** Whether it can be told from the fields alone that not enough was sent. */
function lacksFactor(body: ReauthenticateBody, factors: readonly SecondFactor[]): boolean {
  if (body.credential !== undefined) return false;
  const hasFactor = body.code !== undefined || body.recovery_code !== undefined;
  return factors.length > 0 && (body.password === undefined || !hasFactor);
}

/** Whoever has a second factor shows one along with the password, as at sign-in, or what is both at once. */
function isEnough(proven: readonly Proven[], factors: readonly SecondFactor[]): boolean {
  const hasPassword = proven.some(({ passwordHash }) => passwordHash !== null);
  const isSingle = proven.length === 1 && factors.length > 0;
  return proven.some(({ alone }) => alone === 'enough') || (hasPassword && !isSingle);
}

/** RFC 8176: all that was shown, and `mfa` where it was more than one thing. */
function methodsOf(proven: readonly Proven[]): string[] {
  const methods = new Set(proven.flatMap((proof) => proof.methods));
  if (proven.length > 1) methods.add('mfa');
  return [...methods];
}
