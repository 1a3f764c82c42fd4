import { Inject, Injectable } from '@nestjs/common';
import type { PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { Lockout } from '../lockout/lockout.service.js';
import { MfaChallenges, mfaTokenHash } from '../assurance/mfa-challenges.service.js';
import type { SignedIn } from '../credentials/presented-sessions.service.js';
import { ActorLock, type EndedActor } from '../credentials/actor-lock.service.js';
import type { Authentication } from '../credentials/authenticator.js';
import { SignInEvents } from './sign-in-events.service.js';
import { type SignInRequest, SessionStart } from './session-start.service.js';
import { PasskeyAssertions, type RefusedAssertion } from '../factors/passkeys/passkey-assertions.service.js';
import type { AssertionResponse } from '../factors/passkeys/webauthn.dto.js';

/** Why a sign-in is refused, for the log and the audit trail only. */
type Refusal = RefusedAssertion['reason'] | 'unverified' | 'changed_meanwhile';

/** Sign-in with only a passkey: no name, no password, no further factor. */
@Injectable()
export class PasskeySignIn {
  constructor(
    private readonly database: Database,
    private readonly actors: ActorLock,
    private readonly assertions: PasskeyAssertions,
    private readonly challenges: MfaChallenges,
    private readonly sessionStart: SessionStart,
    private readonly lockout: Lockout,
    private readonly events: SignInEvents,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Begins a sign-in, whose options name no user, or the second factor of a half sign-in.
   *
   * @returns null if the half sign-in does not exist or cannot be completed.
   */
  async begin(mfaToken: string | null): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    if (mfaToken === null) return this.assertions.begin({ kind: 'sign_in' });
    if (!(await this.challenges.find(mfaToken))) return null;
    return this.assertions.begin({ kind: 'second_factor', mfaTokenHash: mfaTokenHash(mfaToken) });
  }

  /** Begins a re-authentication, in a session that stays. */
  beginReauthentication(
    authentication: Authentication,
  ): Promise<PublicKeyCredentialRequestOptionsJSON | EndedActor | null> {
    return this.database.transaction(async (tx) => {
      const actor = await this.actors.lock(tx, authentication);
      if (actor.status === 'ended') return actor;
      const { userId, sessionId } = actor.session;
      return this.assertions.begin({ kind: 'reauthentication', userId, sessionId }, tx);
    });
  }

  /**
   * Creates a session for the owner of a passkey that verified its user, and ends the presented sessions.
   *
   * @returns null on any failure.
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
    const signedIn = await this.sessionStart.complete(proof, request);
    if (!signedIn) return this.refuse('changed_meanwhile', userId, client);
    this.events.succeeded(signedIn, client, {});
    return signedIn;
  }

  private async refuse(reason: Refusal, userId: string | null, client: Client): Promise<null> {
    await this.events.failed({ userId, email: null, client, details: { reason, method: 'passkey' } });
    return null;
  }
}
