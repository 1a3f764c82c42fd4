import { Inject, Injectable } from '@nestjs/common';
import type { PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Audit } from '../../audit/audit.service.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { Lockout } from '../lockout/lockout.service.js';
import { MfaChallenges, mfaTokenHash } from '../mfa/mfa-challenges.service.js';
import type { SignedIn } from '../presented-sessions.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { type SignInRequest, SignIns } from '../sign-in.service.js';
import { PasskeyAssertions, type RefusedAssertion } from './passkey-assertions.service.js';
import type { AssertionResponse } from './webauthn.dto.js';

/** Why a sign-in is refused, for the log and the audit trail alone. */
type Refusal = RefusedAssertion['reason'] | 'unverified' | 'changed_meanwhile';

/** Signing in with a passkey and nothing else: no name, no password, no further factor. */
@Injectable()
export class PasskeySignIn {
  constructor(
    private readonly assertions: PasskeyAssertions,
    private readonly challenges: MfaChallenges,
    private readonly signIns: SignIns,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Begins a sign-in, which says nothing of anybody, or the second factor of one that began with a password.
   *
   * @returns null if that one does not exist, or cannot go on.
   */
  async begin(mfaToken: string | null): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    if (mfaToken === null) return this.assertions.begin({ kind: 'sign_in' });
    if (!(await this.challenges.find(mfaToken))) return null;
    return this.assertions.begin({ kind: 'second_factor', mfaTokenHash: mfaTokenHash(mfaToken) });
  }

  /** Begins a proof of who one is, in a session that goes on. */
  beginReauthentication({
    userId,
    sessionId,
  }: LiveSession): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    return this.assertions.begin({ kind: 'reauthentication', userId, sessionId });
  }

  /**
   * Makes a session for whoever has the passkey and was verified by it, and ends those that the request brought along.
   *
   * @returns null whatever was wrong.
   */
  async signIn(response: AssertionResponse, request: SignInRequest): Promise<SignedIn | null> {
    const { client } = request;
    const assertion = await this.assertions.verify(response, { kind: 'sign_in' }, client);
    if (assertion.status === 'refused') return this.refuse(assertion.reason, assertion.userId, client);
    const { userId, methods, guess, consume } = assertion;
    if (this.config.AUTH_REQUIRE_VERIFIED_EMAIL && !assertion.isEmailVerified) {
      await this.lockout.release(guess);
      return this.refuse('unverified', userId, client);
    }
    const proof = { userId, passwordHash: null, methods, guesses: [guess], consume };
    const signedIn = await this.signIns.complete(proof, request);
    if (!signedIn) return this.refuse('changed_meanwhile', userId, client);
    this.log('login', client, { user: userId, session: signedIn.session.sessionId });
    return signedIn;
  }

  private async refuse(reason: Refusal, userId: string | null, client: Client): Promise<null> {
    const details = { reason, method: 'passkey' };
    await this.audit.recordAttempt({ kind: 'login_failed', userId, email: null, client, details });
    this.log('login_failed', client, { ...details, user: userId });
    return null;
  }

  private log(event: string, { requestId, ip }: Client, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ event, request_id: requestId, ip, ...fields });
  }
}
