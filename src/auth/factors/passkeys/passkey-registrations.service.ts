import { Inject, Injectable } from '@nestjs/common';
import {
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type VerifiedRegistrationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../../../config/app.config.js';
import type { PagesConfig } from '../../../../config/pages.config.js';
import { APP_CONFIG, PAGES_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { NOW } from '../../../platform/database/sql-time.js';
import { readableUserAgent } from '../../../platform/http/user-agent.js';
import { ensureWebauthnHandle } from '../../../users/user-writes.js';
import type { FactorsTables } from '../factors.tables.js';
import type { EndedActor } from '../../credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import { FactorChanges, type FactorRequest } from '../factor-changes.service.js';
import { type AttestationFlaw, attestationFlawOf } from './attestation.js';
import { ALGORITHMS } from './cose-key.js';
import { type ClientDataFlaw, flawOf, readClientData } from './client-data.js';
import { descriptorsOf } from './passkey-rows.js';
import { type PasskeyListing, PasskeyManagement } from './passkey-management.service.js';
import { type RelyingParty, relyingPartyOf } from './relying-party.js';
import type { RegistrationResponse } from './webauthn.dto.js';
import { CEREMONY_TTL, type Challenge, WebauthnChallenges } from './webauthn-challenges.service.js';

/** The maximum of passkeys of a user. */
export const PASSKEYS_MAX = 20;
const NAME_MAX = 100;

/** How a registration ended. */
export type RegistrationOutcome =
  | { readonly status: 'registered'; readonly passkey: PasskeyListing }
  | {
      readonly status: 'refused';
      readonly reason: 'malformed' | 'challenge' | ClientDataFlaw | AttestationFlaw | 'rules';
    }
  | { readonly status: 'exists' | 'limit_reached' }
  | EndedActor;

/** The passkey to register, and its name. */
export interface NewPasskey {
  readonly response: RegistrationResponse;
  readonly name: string | null;
}

type Facts = NonNullable<VerifiedRegistrationResponse['registrationInfo']>;

/** Registration of passkeys (WebAuthn Level 3 §7.1). */
@Injectable()
export class PasskeyRegistrations {
  private readonly party: RelyingParty;

  constructor(
    private readonly database: Database,
    private readonly challenges: WebauthnChallenges,
    private readonly passkeys: PasskeyManagement,
    private readonly changes: FactorChanges,
    @Inject(APP_CONFIG) config: AppConfig,
    @Inject(PAGES_CONFIG) private readonly brand: PagesConfig,
  ) {
    this.party = relyingPartyOf(config);
  }

  /** The relying party of every passkey (WebAuthn Level 3 §5.4.2). */
  get rpId(): string {
    return this.party.id;
  }

  /**
   * Begins a registration, to be completed in the same session.
   *
   * @param isConditional whether the browser may register without a prompt, and so without user presence: only in a
   * session that a password began, else the result is `no_password`.
   */
  async begin(
    actor: LiveAuthentication,
    isConditional: boolean,
  ): Promise<PublicKeyCredentialCreationOptionsJSON | 'limit_reached' | 'no_password' | EndedActor> {
    const { userId, sessionId, methods } = actor.live;
    if (isConditional && !methods.includes('pwd')) return 'no_password';
    const begun = await this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, { actor });
      if (owner.status === 'ended') return owner;
      const existing = await descriptorsOf(tx, userId);
      if (existing.length >= PASSKEYS_MAX) return 'limit_reached';
      const user = await ensureWebauthnHandle(tx, userId);
      const challenge = await this.challenges.begin(
        { kind: 'registration', userId, sessionId, isConditional },
        tx,
      );
      if (!user || !challenge) throw new Error('the user or the challenge is missing');
      return { user, challenge: challenge.challenge, existing };
    });
    if (typeof begun === 'string' || 'dead' in begun) return begun;
    const { user, challenge, existing } = begun;
    return generateRegistrationOptions({
      rpName: this.brand.BRAND_NAME,
      rpID: this.party.id,
      userName: user.email,
      userDisplayName: user.name ?? user.email,
      userID: new Uint8Array(user.handle),
      challenge: new Uint8Array(challenge),
      timeout: CEREMONY_TTL * 1000,
      attestationType: 'none',
      excludeCredentials: existing,
      // Discoverable without a name; each use checks again whether the user was verified.
      authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
      supportedAlgorithmIDs: [...ALGORITHMS],
    });
  }

  /** Completes a registration: the answer counts once, in the session that requested it. */
  async complete(request: FactorRequest, { response, name }: NewPasskey): Promise<RegistrationOutcome> {
    const { userId, sessionId } = request.actor.live;
    const data = readClientData(response.response.clientDataJSON);
    if (!data) return { status: 'refused', reason: 'malformed' };
    const begun = await this.challenges.consume(data.challenge, { kind: 'registration', userId, sessionId });
    if (!begun) return { status: 'refused', reason: 'challenge' };
    const flaw = flawOf(data, { type: 'webauthn.create', origins: this.party.origins });
    if (flaw) return { status: 'refused', reason: flaw };
    const keyFlaw = attestationFlawOf(response.response.attestationObject);
    if (keyFlaw) return { status: 'refused', reason: keyFlaw };
    const facts = await this.check(response, begun);
    if (!facts || facts.credential.id !== response.id) return { status: 'refused', reason: 'rules' };
    const called = name ?? defaultName(request.client.userAgent);
    return this.database.transaction((tx) => this.add(tx, request, { ...facts, ...begun }, called));
  }

  private async check(
    { id, rawId, type, response }: RegistrationResponse,
    { challenge, isConditional }: Challenge,
  ): Promise<Facts | null> {
    try {
      const { registrationInfo } = await verifyRegistrationResponse({
        response: {
          id,
          rawId,
          type,
          response: { ...response, transports: response.transports ?? [] },
          clientExtensionResults: {},
        },
        expectedChallenge: challenge.toString('base64url'),
        expectedOrigin: [...this.party.origins],
        expectedRPID: this.party.id,
        requireUserVerification: false,
        // WebAuthn Level 3 §7.1: a conditional registration can lack it.
        requireUserPresence: !isConditional,
        supportedAlgorithmIDs: [...ALGORITHMS],
      });
      return registrationInfo ?? null;
    } catch {
      // The library throws on every invalid input; it has no side effects.
      return null;
    }
  }

  private async add(
    tx: Queries,
    request: FactorRequest,
    { credential, aaguid, credentialDeviceType, credentialBackedUp, isConditional }: Facts & Challenge,
    name: string,
  ): Promise<RegistrationOutcome> {
    const { userId } = request.actor.live;
    const owner = await this.changes.lockOwner(tx, request);
    if (owner.status === 'ended') return owner;
    const { account } = owner;
    const existing = await descriptorsOf(tx, userId);
    if (existing.length >= PASSKEYS_MAX) return { status: 'limit_reached' };
    const id = uuidv7();
    const added = await tx
      .of<FactorsTables>()
      .insertInto('passkeys')
      .values({
        id,
        user_id: userId,
        name,
        credential_id: Buffer.from(credential.id, 'base64url'),
        public_key: Buffer.from(credential.publicKey),
        sign_count: credential.counter,
        transports: [...new Set(credential.transports)],
        is_backup_eligible: credentialDeviceType === 'multiDevice',
        is_backed_up: credentialBackedUp,
        aaguid,
        is_conditional: isConditional,
        key_checked_at: NOW,
      })
      .onConflict((conflict) => conflict.column('credential_id').doNothing())
      .returning('id')
      .execute();
    if (added.length === 0) return { status: 'exists' };
    await this.changes.contain(tx, account, request);
    // Without attestation nothing is proved about the key, so no method is added.
    await this.changes.noteFactor(tx, request, []);
    await this.changes.tell(tx, request, account.email, {
      audit: 'passkey_added',
      mail: 'factor_added',
      params: { factor: 'passkey', name },
      details: { passkey: id },
    });
    const passkey = await this.passkeys.find(userId, id, tx);
    if (!passkey) throw new Error('the passkey was deleted under the lock');
    return { status: 'registered', passkey };
  }
}

/** The default name: the browser and system of the registration. */
function defaultName(userAgent: string | null): string {
  const readable = readableUserAgent(userAgent)?.toWellFormed().replaceAll('\0', '').trim();
  return [...(readable || 'Passkey')].slice(0, NAME_MAX).join('');
}
