import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type VerifiedRegistrationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { COSEALG } from '@simplewebauthn/server/helpers';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../../config/app.config.js';
import { APP_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import { readableUserAgent } from '../../http/user-agent.js';
import { FactorChanges, type FactorRequest } from '../mfa/factor-changes.service.js';
import { isUnasked } from './attestation.js';
import { type ClientDataFlaw, flawOf, readClientData } from './client-data.js';
import { descriptorsOf } from './passkey-rows.js';
import { type PasskeyListing, Passkeys } from './passkeys.service.js';
import { type RelyingParty, relyingPartyOf } from './relying-party.js';
import type { RegistrationResponse } from './webauthn.dto.js';
import { CEREMONY_TTL, WebauthnChallenges } from './webauthn-challenges.service.js';

/** Passkeys that a person may have. */
export const PASSKEYS_MAX = 20;
const HANDLE_BYTES = 64;
const NAME_MAX = 100;

/** ES256, EdDSA and RS256 (Windows): together, every authenticator there is. */
const ALGORITHMS = [COSEALG.ES256, COSEALG.EdDSA, COSEALG.RS256];

/** How a registration ended. */
export type RegistrationOutcome =
  | { readonly status: 'registered'; readonly passkey: PasskeyListing }
  | {
      readonly status: 'refused';
      readonly reason: 'malformed' | 'challenge' | ClientDataFlaw | 'attestation' | 'rules';
    }
  | { readonly status: 'exists' | 'limit_reached' | 'session_ended' };

/** What is asked to be registered, and what its owner calls it. */
export interface NewPasskey {
  readonly response: RegistrationResponse;
  readonly name: string | null;
}

type Facts = NonNullable<VerifiedRegistrationResponse['registrationInfo']>;

/** Making passkeys (WebAuthn Level 3 §7.1). */
@Injectable()
export class PasskeyRegistrations {
  private readonly party: RelyingParty;

  constructor(
    private readonly database: Database,
    private readonly challenges: WebauthnChallenges,
    private readonly passkeys: Passkeys,
    private readonly changes: FactorChanges,
    @Inject(APP_CONFIG) config: AppConfig,
  ) {
    this.party = relyingPartyOf(config);
  }

  /** Begins a registration, to be completed in the same session. */
  async begin({
    userId,
    sessionId,
  }: Pick<FactorRequest, 'userId' | 'sessionId'>): Promise<
    PublicKeyCredentialCreationOptionsJSON | 'limit_reached' | 'session_ended'
  > {
    const person = await this.personOf(userId);
    if (!person) return 'session_ended';
    const existing = await descriptorsOf(this.database, userId);
    if (existing.length >= PASSKEYS_MAX) return 'limit_reached';
    const begun = await this.challenges.begin({ kind: 'registration', userId, sessionId });
    if (!begun) throw new Error('a registration needs nothing but itself');
    return generateRegistrationOptions({
      rpName: this.party.name,
      rpID: this.party.id,
      userName: person.email,
      userDisplayName: person.name ?? person.email,
      userID: new Uint8Array(person.handle),
      challenge: new Uint8Array(begun.challenge),
      timeout: CEREMONY_TTL * 1000,
      attestationType: 'none',
      excludeCredentials: existing,
      // Found without a name; whether the user was verified is asked again at each use.
      authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
      supportedAlgorithmIDs: [...ALGORITHMS],
    });
  }

  /** Completes a registration: the answer counts once, in the session that asked for it. */
  async complete(request: FactorRequest, { response, name }: NewPasskey): Promise<RegistrationOutcome> {
    const { userId, sessionId } = request;
    const data = readClientData(response.response.clientDataJSON);
    if (!data) return { status: 'refused', reason: 'malformed' };
    const begun = await this.challenges.consume(data.challenge, { kind: 'registration', userId, sessionId });
    if (!begun) return { status: 'refused', reason: 'challenge' };
    const flaw = flawOf(data, { type: 'webauthn.create', origins: this.party.origins });
    if (flaw) return { status: 'refused', reason: flaw };
    if (!isUnasked(response.response.attestationObject)) return { status: 'refused', reason: 'attestation' };
    const facts = await this.check(response, data.challenge);
    if (!facts || facts.credential.id !== response.id) return { status: 'refused', reason: 'rules' };
    const called = name ?? defaultName(request.client.userAgent);
    return this.database.transaction((tx) => this.add(tx, request, facts, called));
  }

  private async check(
    { id, rawId, type, response }: RegistrationResponse,
    challenge: Buffer,
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
        supportedAlgorithmIDs: [...ALGORITHMS],
      });
      return registrationInfo ?? null;
    } catch {
      // The library throws whatever is wrong with what it was given; it asks nobody and reads nothing.
      return null;
    }
  }

  private async add(
    tx: Queries,
    request: FactorRequest,
    { credential, aaguid, credentialDeviceType, credentialBackedUp }: Facts,
    name: string,
  ): Promise<RegistrationOutcome> {
    const { userId } = request;
    const owner = await this.changes.lockOwner(tx, request);
    if (!owner) return { status: 'session_ended' };
    const [count] = await tx.query(
      sql<{ passkeys: number }>`select count(*)::int as passkeys from passkeys where user_id = ${userId}`,
    );
    if ((count?.passkeys ?? 0) >= PASSKEYS_MAX) return { status: 'limit_reached' };
    const id = uuidv7();
    const added = await tx.query(
      sql`insert into passkeys
            (id, user_id, name, credential_id, public_key, sign_count, transports, is_backup_eligible, is_backed_up, aaguid)
          values (${id}, ${userId}, ${name}, ${Buffer.from(credential.id, 'base64url')}, ${Buffer.from(credential.publicKey)},
            ${credential.counter}, ${[...new Set(credential.transports)]}, ${credentialDeviceType === 'multiDevice'},
            ${credentialBackedUp}, ${aaguid})
          on conflict (credential_id) do nothing returning 1`,
    );
    if (added.length === 0) return { status: 'exists' };
    await this.changes.endOtherSessions(tx, request);
    // Without attestation nothing is proved of the key, so nothing else is said.
    await this.changes.noteFactor(tx, request, []);
    await this.changes.tell(tx, request, owner.email, {
      audit: 'passkey_added',
      mail: 'factor_added',
      params: { factor: 'passkey', name },
      details: { passkey: id },
    });
    const passkey = await this.passkeys.find(userId, id, tx);
    if (!passkey) throw new Error('the passkey was deleted behind the lock');
    return { status: 'registered', passkey };
  }

  /** The person, with the handle that authenticators know them by: random, made once, and nothing about them. */
  private async personOf(
    userId: string,
  ): Promise<{ email: string; name: string | null; handle: Uint8Array } | null> {
    const [person] = await this.database.query(
      sql<{ email: string; name: string | null; handle: Uint8Array }>`update users
          set webauthn_handle = coalesce(webauthn_handle, ${randomBytes(HANDLE_BYTES)})
        where id = ${userId} returning email, name, webauthn_handle as handle`,
    );
    return person ?? null;
  }
}

/** What its owner did not name is called after where it was made. */
function defaultName(userAgent: string | null): string {
  const readable = readableUserAgent(userAgent)?.toWellFormed().replaceAll('\0', '').trim();
  return [...(readable || 'Passkey')].slice(0, NAME_MAX).join('');
}
