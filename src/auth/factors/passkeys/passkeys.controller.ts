import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../../platform/http/access.decorators.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../../platform/http/current-user.decorator.js';
import { Problem, type ProblemOptions } from '../../../platform/problems/problem.js';
import { fieldsProblem } from '../../../platform/problems/validation.js';
import { Acting, deadCredential } from '../../credentials/auth.guard.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import type { KeyFlaw } from './cose-key.js';
import {
  PASSKEYS_MAX,
  PasskeyRegistrations,
  type RegistrationOutcome,
} from './passkey-registrations.service.js';
import {
  type CreationOptions,
  creationOptionsSchema,
  type PasskeyChangeBody,
  passkeyChangeSchema,
  type PasskeyParams,
  passkeyParamsSchema,
  type PasskeyRemovalQuery,
  passkeyRemovalSchema,
  type PasskeyReply,
  passkeySchema,
  type PasskeysReply,
  passkeysReplySchema,
  type RegistrationBody,
  type RegistrationOptionsBody,
  registrationOptionsSchema,
  registrationSchema,
} from '../passkeys.dto.js';
import { knownTransports } from './webauthn.dto.js';
import { type PasskeyListing, PasskeyManagement } from './passkey-management.service.js';

type RegistrationRefusal = (RegistrationOutcome & { status: 'refused' })['reason'];

const LIMIT_REACHED: ProblemOptions = { detail: (texts) => texts.tooManyPasskeys(PASSKEYS_MAX) };

/** The messages about a refused `credential`. */
const REFUSALS: Readonly<Record<Extract<RegistrationRefusal, string>, string>> = {
  malformed: 'is not the answer of a browser',
  challenge: 'does not answer a valid challenge of this session; request new options',
  type: 'is not a new credential',
  origin: 'was created on a page that is not trusted (PUBLIC_URL, and TRUSTED_ORIGINS below its host)',
  embedded: 'was created in a frame of another page',
  attestation: 'has an attestation, which was not requested',
  attestation_algorithm: 'has an attestation with another algorithm than its key',
  rules:
    'violates WebAuthn: another site, no user presence, an algorithm that was not offered, or invalid data',
};

/** The messages about an unfit public key. */
const KEY_REFUSALS: Readonly<Record<KeyFlaw, string>> = {
  malformed: 'has a public key that is not a COSE key, or has members that its algorithm does not have',
  algorithm: 'has a public key of an algorithm that was not offered',
  type: 'has a public key whose type or curve is not that of its algorithm',
  point: 'has a public key that is not a point of its curve',
  small_order: 'has a public key of small order, which accepts signatures of anyone',
  modulus: 'has an RSA key whose modulus is even, or has fewer than 2048 or more than 8192 bits',
  exponent: 'has an RSA key whose exponent is even, or not between 65537 and 2^32',
};

/** Passkeys of the caller. */
@ApiGroup('Passkeys')
@Controller('passkeys')
export class PasskeysController {
  constructor(
    private readonly passkeys: PasskeyManagement,
    private readonly registrations: PasskeyRegistrations,
  ) {}

  @Post('registration/options')
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Begin to add a passkey',
    operationId: 'beginPasskeyRegistration',
    description:
      'Pass the body of the answer to `PublicKeyCredential.parseCreationOptionsFromJSON()`, for ' +
      '`navigator.credentials.create()`. With `conditional`, the answer can lack user presence: for a registration ' +
      'without a prompt, after a sign-in with a password.',
  })
  @ApiReply(200, creationOptionsSchema, 'Options for a new passkey, to be completed in this session')
  @ApiProblems('validation_failed', 'limit_reached')
  async begin(
    @Body({ schema: registrationOptionsSchema }) body: RegistrationOptionsBody,
    @Acting() actor: LiveAuthentication,
  ): Promise<CreationOptions> {
    const options = await this.registrations.begin(actor, body?.conditional ?? false);
    if (options === 'limit_reached') throw new Problem('limit_reached', LIMIT_REACHED);
    if (options === 'no_password')
      throw fieldsProblem('validation_failed', [
        { path: 'conditional', message: (texts) => texts.conditional },
      ]);
    if ('dead' in options) throw deadCredential(options.dead);
    return options as CreationOptions;
  }

  @Post('registration/verify')
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Add the passkey',
    operationId: 'addPasskey',
    description:
      'From now on it signs in without a name or password, and a password sign-in requires a second factor.',
  })
  @ApiReply(201, passkeySchema, 'The passkey is added')
  @ApiProblems('validation_failed', 'passkey_not_accepted', 'passkey_exists', 'limit_reached')
  async add(
    @Body({ schema: registrationSchema }) { credential, name, end_other_sessions }: RegistrationBody,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<PasskeyReply> {
    const otherSessions = end_other_sessions ? 'end' : 'keep';
    const request = { actor, otherSessions, client } as const;
    const outcome = await this.registrations.complete(request, { response: credential, name: name ?? null });
    switch (outcome.status) {
      case 'registered':
        return toReply(outcome.passkey);
      case 'exists':
        throw new Problem('passkey_exists');
      case 'limit_reached':
        throw new Problem('limit_reached', LIMIT_REACHED);
      case 'ended':
        throw deadCredential(outcome.dead);
      case 'refused': {
        const { reason } = outcome;
        const message = typeof reason === 'string' ? REFUSALS[reason] : KEY_REFUSALS[reason.key];
        throw fieldsProblem('passkey_not_accepted', [{ path: 'credential', message }]);
      }
    }
  }

  @Get()
  @ApiRoute({ summary: 'My passkeys', operationId: 'listPasskeys' })
  @ApiReply(200, passkeysReplySchema, 'The passkeys of the caller, oldest first')
  async list(@CurrentUser() { userId }: CurrentUserInfo): Promise<PasskeysReply> {
    const passkeys = await this.passkeys.list(userId);
    const handle = await this.passkeys.handleOf(userId);
    return {
      passkeys: passkeys.map(toReply),
      rp_id: this.registrations.rpId,
      user_handle: handle?.toString('base64url') ?? null,
    };
  }

  @Patch(':id')
  @RequiresStepUp()
  @ApiRoute({ summary: 'Rename a passkey', operationId: 'renamePasskey' })
  @ApiReply(200, passkeySchema, 'The passkey, with its new name')
  @ApiProblems('validation_failed', 'not_found')
  async rename(
    @Param({ schema: passkeyParamsSchema }) { id }: PasskeyParams,
    @Body({ schema: passkeyChangeSchema }) { name }: PasskeyChangeBody,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<PasskeyReply> {
    const renamed = await this.passkeys.rename({ actor, client }, id, name);
    if (!renamed) throw new Problem('not_found');
    if ('dead' in renamed) throw deadCredential(renamed.dead);
    return toReply(renamed);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Remove a passkey',
    operationId: 'removePasskey',
    description: 'Removing the last second factor also removes the recovery codes.',
  })
  @ApiReply(204, null, 'The passkey is removed')
  @ApiProblems('validation_failed', 'not_found', 'last_login_method')
  async remove(
    @Param({ schema: passkeyParamsSchema }) { id }: PasskeyParams,
    @Query({ schema: passkeyRemovalSchema }) { end_other_sessions }: PasskeyRemovalQuery,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions === 'true' ? 'end' : 'keep';
    const outcome = await this.passkeys.remove({ actor, otherSessions, client }, id);
    if (typeof outcome === 'object') throw deadCredential(outcome.dead);
    if (outcome !== 'removed') throw new Problem(outcome);
  }
}

function toReply(passkey: PasskeyListing): PasskeyReply {
  return {
    id: passkey.id,
    credential_id: passkey.credentialId.toString('base64url'),
    name: passkey.name,
    created_at: passkey.createdAt.toISOString(),
    last_used_at: passkey.lastUsedAt?.toISOString() ?? null,
    is_backed_up: passkey.isBackedUp,
    transports: knownTransports(passkey.transports),
    aaguid: passkey.aaguid,
    is_disabled: passkey.keyFlaw !== null,
  };
}
