import { Inject, Injectable } from '@nestjs/common';
import {
  generateAuthenticationOptions,
  type PublicKeyCredentialRequestOptionsJSON,
  type VerifiedAuthenticationResponse,
  verifyAuthenticationResponse,
} from '@simplewebauthn/server';
import type { Logger } from 'pino';
import type { AppConfig } from '../../../../config/app.config.js';
import { APP_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import type { Guess } from '../../lockout/guess.js';
import { Lockout } from '../../lockout/lockout.service.js';
import { type ClientDataFlaw, flawOf, readClientData } from './client-data.js';
import { descriptorsOf, findPasskey, type StoredPasskey } from './passkey-rows.js';
import { contradictionOf, PasskeyUses, type UseContradiction } from './passkey-uses.service.js';
import { type RelyingParty, relyingPartyOf } from './relying-party.js';
import type { AssertionResponse } from './webauthn.dto.js';
import { type AssertionCeremony, CEREMONY_TTL, WebauthnChallenges } from './webauthn-challenges.service.js';

/** A valid assertion of a passkey. It counts only if `consume` returns true. */
export interface Assertion {
  readonly status: 'verified';
  readonly userId: string;
  readonly passkeyId: string;
  /** Whether the owner's address is verified. */
  readonly isEmailVerified: boolean;
  /** Whether the authenticator verified its user (PIN, biometrics): then it counts as two factors, else as one. */
  readonly isUserVerified: boolean;
  /** RFC 8176 `amr` values. Without `hwk` and `swk`: without attestation, the place of the key is unknown. */
  readonly methods: readonly string[];
  /** The counted guess: pass it in `Proof.guesses`, or release it. */
  readonly guess: Guess;
  /**
   * Records the use, in the transaction that accepts the proof, under the lock of the account row. False if the
   * passkey was removed or its counter advanced since the check; then the proof does not count. Commit that
   * transaction anyway: it contains the record of a suspicion.
   */
  readonly consume: (tx: Queries) => Promise<boolean>;
}

/** Why an assertion is refused: for the log and the audit trail, never for the caller. */
export interface RefusedAssertion {
  readonly status: 'refused';
  readonly reason:
    | 'malformed'
    | 'challenge'
    | 'unknown_credential'
    | 'foreign'
    | 'disabled'
    /** Its public key is not secure. */
    | 'key'
    | 'locked'
    | 'user_handle'
    | ClientDataFlaw
    | 'signature'
    | UseContradiction;
  /** The owner of the passkey; null if unknown. */
  readonly userId: string | null;
}

type Reason = RefusedAssertion['reason'];
type Facts = NonNullable<VerifiedAuthenticationResponse['authenticationInfo']>;

/** Authentication with a passkey (WebAuthn Level 3 §7.2). */
@Injectable()
export class PasskeyAssertions {
  private readonly party: RelyingParty;

  constructor(
    private readonly database: Database,
    private readonly challenges: WebauthnChallenges,
    private readonly lockout: Lockout,
    private readonly uses: PasskeyUses,
    @Inject(APP_CONFIG) config: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.party = relyingPartyOf(config);
  }

  /**
   * Begins a ceremony. At a sign-in the options name no passkeys; otherwise they list those of the user.
   *
   * @param queries for a re-authentication, the transaction that has locked its session.
   * @returns null if the half sign-in does not exist.
   */
  async begin(
    ceremony: AssertionCeremony,
    queries: Queries = this.database,
  ): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    const begun = await this.challenges.begin(ceremony, queries);
    if (!begun) return null;
    const { challenge, userId } = begun;
    return generateAuthenticationOptions({
      rpID: this.party.id,
      challenge: new Uint8Array(challenge),
      timeout: CEREMONY_TTL * 1000,
      allowCredentials: userId === null ? [] : await descriptorsOf(queries, userId),
      userVerification: ceremony.kind === 'sign_in' ? 'required' : 'preferred',
    });
  }

  /**
   * Verifies the answer to a ceremony that `begin` started with the same parameters. It can be answered only once,
   * with any result. A `sign_in` requires user verification and a user handle. A `second_factor` and a
   * `reauthentication` require only user presence, and a passkey of that same user.
   *
   * Failures at a passkey that exists are counted (authenticator `passkey`). A success is an `Assertion`: complete it
   * with its `consume`.
   */
  async verify(
    response: AssertionResponse,
    ceremony: AssertionCeremony,
    client: Client,
  ): Promise<Assertion | RefusedAssertion> {
    const refuse = (reason: Reason, passkey: StoredPasskey | null = null, cause?: string) =>
      this.refuse(reason, ceremony, passkey, client, cause);
    const data = readClientData(response.response.clientDataJSON);
    if (!data) return refuse('malformed');
    const begun = await this.challenges.consume(data.challenge, ceremony);
    if (!begun) return refuse('challenge');
    const passkey = await findPasskey(this.database, Buffer.from(response.rawId, 'base64url'));
    if (!passkey) return refuse('unknown_credential');
    if (begun.userId !== null && begun.userId !== passkey.userId) return refuse('foreign', passkey);
    if (passkey.isDisabled) return refuse('disabled', passkey);
    if (passkey.keyFlaw !== null) return refuse('key', passkey, passkey.keyFlaw);
    const guess: Guess = { authenticator: 'passkey', email: passkey.emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return refuse('locked', passkey);

    const flaw = flawOf(data, { type: 'webauthn.get', origins: this.party.origins });
    if (flaw) return refuse(flaw, passkey);
    if (!isNamed(passkey, response.response.userHandle, ceremony)) return refuse('user_handle', passkey);
    const facts = await this.check(response, ceremony, passkey, data.challenge);
    if ('cause' in facts) return refuse('signature', passkey, facts.cause);
    const use = {
      passkey,
      signCount: facts.newCounter,
      isBackupEligible: facts.credentialDeviceType === 'multiDevice',
      isBackedUp: facts.credentialBackedUp,
      client,
    };
    const contradiction = contradictionOf(use);
    if (contradiction) {
      await this.uses.recordContradiction(this.database, use, contradiction);
      return refuse(contradiction, passkey);
    }
    return {
      status: 'verified',
      userId: passkey.userId,
      passkeyId: passkey.id,
      isEmailVerified: passkey.isEmailVerified,
      isUserVerified: facts.userVerified,
      methods: ['pop', 'user', ...(facts.userVerified ? ['mfa'] : [])],
      guess,
      consume: (tx) => this.uses.note(tx, use),
    };
  }

  /** Checks signature, relying party, user presence and verification, and whether "backed up" implies "eligible". */
  private async check(
    { id, rawId, type, response }: AssertionResponse,
    { kind }: AssertionCeremony,
    { publicKey }: StoredPasskey,
    challenge: Buffer,
  ): Promise<Facts | { readonly cause: string }> {
    const { userHandle, ...parts } = response;
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response: {
          id,
          rawId,
          type,
          response: { ...parts, ...(userHandle && { userHandle }) },
          clientExtensionResults: {},
        },
        expectedChallenge: challenge.toString('base64url'),
        expectedOrigin: [...this.party.origins],
        expectedRPID: this.party.id,
        requireUserVerification: kind === 'sign_in',
        // The counter is checked here, after the signature: a caller who cannot sign must not cause a suspicion.
        credential: { id, publicKey, counter: 0 },
      });
      return verified ? authenticationInfo : { cause: 'the signature is wrong' };
    } catch (error) {
      // The library throws on every invalid input; it has no side effects.
      return { cause: error instanceof Error ? error.message.slice(0, 200) : 'unknown' };
    }
  }

  private refuse(
    reason: Reason,
    { kind }: AssertionCeremony,
    passkey: StoredPasskey | null,
    { requestId: request_id, ip }: Client,
    cause?: string,
  ): RefusedAssertion {
    const userId = passkey?.userId ?? null;
    const whose = { user: userId, passkey: passkey?.id, cause };
    this.logger.info({ event: 'passkey_refused', request_id, ip, ceremony: kind, reason, ...whose });
    return { status: 'refused', reason, userId };
  }
}

/**
 * §7.2 step 6: a sign-in without a name requires the user handle; elsewhere it can be missing, but never be another
 * user's.
 */
function isNamed(
  { handle }: StoredPasskey,
  userHandle: string | null | undefined,
  { kind }: AssertionCeremony,
): boolean {
  if (!userHandle) return kind !== 'sign_in';
  return handle.equals(Buffer.from(userHandle, 'base64url'));
}
