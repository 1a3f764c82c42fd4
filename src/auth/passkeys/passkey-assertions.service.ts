import { Inject, Injectable } from '@nestjs/common';
import {
  generateAuthenticationOptions,
  type PublicKeyCredentialRequestOptionsJSON,
  type VerifiedAuthenticationResponse,
  verifyAuthenticationResponse,
} from '@simplewebauthn/server';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { AppConfig } from '../../../config/app.config.js';
import { APP_CONFIG } from '../../../config/tokens.config.js';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { type ClientDataFlaw, flawOf, readClientData } from './client-data.js';
import { descriptorsOf, findPasskey, type StoredPasskey } from './passkey-rows.js';
import { type RelyingParty, relyingPartyOf } from './relying-party.js';
import type { AssertionResponse } from './webauthn.dto.js';
import { type AssertionCeremony, CEREMONY_TTL, WebauthnChallenges } from './webauthn-challenges.service.js';

/** A passkey was shown, and all of it is right. It counts once `consume` says so. */
export interface Assertion {
  readonly status: 'verified';
  readonly userId: string;
  readonly passkeyId: string;
  /** Whether the owner's address is verified. */
  readonly isEmailVerified: boolean;
  /** Whether the authenticator verified its user (PIN, biometrics): that makes two factors, otherwise it is one. */
  readonly isUserVerified: boolean;
  /** RFC 8176 `amr` values. `hwk` and `swk` are not said: without attestation, nobody knows where the key is. */
  readonly methods: readonly string[];
  /** What was counted of it: belongs in `Proof.guesses`, or is released. */
  readonly guess: Guess;
  /**
   * Notes the use, in the transaction that takes the proof, behind the lock on the account's row; false if the passkey is
   * gone or its counter was passed meanwhile, and then the proof counts for nothing. That transaction is to be committed
   * even so: it has the record of a suspicion.
   */
  readonly consume: (tx: Queries) => Promise<boolean>;
}

/** Why a passkey proves nothing: for the log and the audit trail, never for the caller. */
export interface RefusedAssertion {
  readonly status: 'refused';
  readonly reason:
    | 'malformed'
    | 'challenge'
    | 'unknown_credential'
    | 'foreign'
    | 'disabled'
    | 'locked'
    | 'user_handle'
    | ClientDataFlaw
    | 'signature'
    | 'backup_state'
    | 'counter';
  /** Whose passkey it was; null where that is not known. */
  readonly userId: string | null;
}

type Reason = RefusedAssertion['reason'];
type Facts = NonNullable<VerifiedAuthenticationResponse['authenticationInfo']>;

/** Proving with a passkey who one is (WebAuthn Level 3 §7.2). */
@Injectable()
export class PasskeyAssertions {
  private readonly party: RelyingParty;

  constructor(
    private readonly database: Database,
    private readonly challenges: WebauthnChallenges,
    private readonly lockout: Lockout,
    private readonly audit: Audit,
    @Inject(APP_CONFIG) config: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.party = relyingPartyOf(config);
  }

  /**
   * Begins a ceremony. At a sign-in nothing is said of anybody; otherwise the person's passkeys are named.
   *
   * @returns null if there is no such half sign-in.
   */
  async begin(ceremony: AssertionCeremony): Promise<PublicKeyCredentialRequestOptionsJSON | null> {
    const begun = await this.challenges.begin(ceremony);
    if (!begun) return null;
    const { challenge, userId } = begun;
    return generateAuthenticationOptions({
      rpID: this.party.id,
      challenge: new Uint8Array(challenge),
      timeout: CEREMONY_TTL * 1000,
      allowCredentials: userId === null ? [] : await descriptorsOf(this.database, userId),
      userVerification: ceremony.kind === 'sign_in' ? 'required' : 'preferred',
    });
  }

  /**
   * Judges the answer to a ceremony that began with `begin` for the same one. It can be given once, whatever comes of it.
   * At a `sign_in` the user must have been verified and named by the passkey; as a `second_factor` and at a
   * `reauthentication` it is enough that somebody was there, and the passkey must be of that very person.
   *
   * Wrong ones at a passkey that exists are counted (authenticator `passkey`). A right one is `Assertion`: complete it with
   * its `consume`.
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
    const guess: Guess = { authenticator: 'passkey', email: passkey.emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return refuse('locked', passkey);

    const flaw = flawOf(data, { type: 'webauthn.get', origins: this.party.origins });
    if (flaw) return refuse(flaw, passkey);
    if (!isNamed(passkey, response.response.userHandle, ceremony)) return refuse('user_handle', passkey);
    const facts = await this.check(response, ceremony, passkey, data.challenge);
    if ('cause' in facts) return refuse('signature', passkey, facts.cause);
    const isEligible = facts.credentialDeviceType === 'multiDevice';
    if (isEligible !== passkey.isBackupEligible) return refuse('backup_state', passkey);
    if (!isNewer(facts.newCounter, passkey.signCount)) {
      await this.suspect(this.database, passkey, facts, client);
      return refuse('counter', passkey);
    }
    return {
      status: 'verified',
      userId: passkey.userId,
      passkeyId: passkey.id,
      isEmailVerified: passkey.isEmailVerified,
      isUserVerified: facts.userVerified,
      methods: ['pop', 'user', ...(facts.userVerified ? ['mfa'] : [])],
      guess,
      consume: (tx) => this.noteUse(tx, passkey, facts, client),
    };
  }

  /** Signature, relying party, presence and verification of the user, and whether backed-up fits eligible. */
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
        // The counter is judged here, behind the signature: whoever cannot sign shall not raise a suspicion.
        credential: { id, publicKey, counter: 0 },
      });
      return verified ? authenticationInfo : { cause: 'the signature is wrong' };
    } catch (error) {
      // The library throws whatever is wrong with what it was given; it asks nobody and reads nothing.
      return { cause: error instanceof Error ? error.message.slice(0, 200) : 'unknown' };
    }
  }

  private async noteUse(
    tx: Queries,
    passkey: StoredPasskey,
    { newCounter, credentialBackedUp }: Facts,
    client: Client,
  ): Promise<boolean> {
    const used = await tx.query(
      sql`update passkeys set sign_count = ${newCounter}::bigint, is_backed_up = ${credentialBackedUp}, last_used_at = now()
          where id = ${passkey.id} and user_id = ${passkey.userId}
            and (sign_count < ${newCounter}::bigint or (sign_count = 0 and ${newCounter}::bigint = 0)) returning 1`,
    );
    if (used.length === 1) return true;
    const [still] = await tx.query(
      sql<{
        sign_count: number;
      }>`select sign_count::float8 as sign_count from passkeys where id = ${passkey.id}`,
    );
    if (still) await this.suspect(tx, { ...passkey, signCount: still.sign_count }, { newCounter }, client);
    return false;
  }

  /** A counter that did not go on: the key may have been copied (§6.1.1). */
  private async suspect(
    queries: Queries,
    { id, userId, signCount }: StoredPasskey,
    { newCounter }: Pick<Facts, 'newCounter'>,
    client: Client,
  ): Promise<void> {
    const details = { passkey: id, stored: signCount, shown: newCounter };
    await this.audit.record({ kind: 'passkey_suspicious', userId, client, details }, queries);
    const { requestId: request_id, ip } = client;
    this.logger.warn({ event: 'passkey_suspicious', request_id, ip, user: userId, ...details });
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

/** §7.2 step 6: a sign-in without a name needs the user handle; elsewhere it may be missing, but never another's. */
function isNamed(
  { handle }: StoredPasskey,
  userHandle: string | null | undefined,
  { kind }: AssertionCeremony,
): boolean {
  if (!userHandle) return kind !== 'sign_in';
  return handle.equals(Buffer.from(userHandle, 'base64url'));
}

/** §7.2 step 22: counters only go on; authenticators without one say 0 for ever. */
function isNewer(shown: number, stored: number): boolean {
  return shown > stored || (shown === 0 && stored === 0);
}
