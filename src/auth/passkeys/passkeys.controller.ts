import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
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
  registrationSchema,
} from './passkeys.dto.js';
import { type PasskeyListing, Passkeys } from './passkeys.service.js';

type RegistrationRefusal = (RegistrationOutcome & { status: 'refused' })['reason'];

const LIMIT_REACHED = { detail: `You have ${PASSKEYS_MAX} passkeys. Remove one first.` };

/** What is wrong with `credential`, for whoever sent it. */
const REFUSALS: Readonly<Record<RegistrationRefusal, string>> = {
  malformed: 'is no answer of a browser',
  challenge:
    'answers no challenge of this session, or one that was answered before or is too old: ask for options again',
  type: 'is no new credential',
  origin: 'was made on a page that is not trusted (PUBLIC_URL, and TRUSTED_ORIGINS below its host)',
  embedded: 'was made in a frame of another page',
  attestation: 'has an attestation, which was not asked for',
  rules:
    'does not follow the rules of WebAuthn: another site, nobody present, an algorithm that was not offered, or damaged',
};

/** One's own passkeys. */
@ApiGroup('Passkeys')
@Controller('passkeys')
export class PasskeysController {
  constructor(
    private readonly passkeys: Passkeys,
    private readonly registrations: PasskeyRegistrations,
  ) {}

  @Post('registration/options')
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Begin to add a passkey',
    operationId: 'beginPasskey',
    description:
      'The body of the answer is what `PublicKeyCredential.parseCreationOptionsFromJSON()` takes for ' +
      '`navigator.credentials.create()`. Where it runs in a browser: `/docs/passkeys`.',
  })
  @ApiReply(200, creationOptionsSchema, 'Options for a new passkey, to be completed in this session')
  @ApiProblems('limit_reached')
  async begin(@CurrentUser() caller: CurrentUserInfo): Promise<CreationOptions> {
    const options = await this.registrations.begin(caller);
    if (options === 'session_ended') throw new Problem('credential_revoked');
    if (options === 'limit_reached') throw new Problem('limit_reached', LIMIT_REACHED);
    return options as CreationOptions;
  }

  @Post('registration/verify')
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Add the passkey',
    operationId: 'addPasskey',
    description:
      'From now on it signs in without a name or password, and a sign-in with the password needs a second factor.',
  })
  @ApiReply(201, passkeySchema, 'The passkey is yours')
  @ApiProblems('validation_failed', 'passkey_not_accepted', 'passkey_exists', 'limit_reached')
  async add(
    @Body({ schema: registrationSchema }) { credential, name, end_other_sessions }: RegistrationBody,
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<PasskeyReply> {
    const otherSessions = end_other_sessions ? 'end' : 'keep';
    const request = { ...caller, otherSessions, client } as const;
    const outcome = await this.registrations.complete(request, { response: credential, name: name ?? null });
    switch (outcome.status) {
      case 'registered':
        return toReply(outcome.passkey);
      case 'exists':
        throw new Problem('passkey_exists');
      case 'limit_reached':
        throw new Problem('limit_reached', LIMIT_REACHED);
      case 'session_ended':
        throw new Problem('credential_revoked');
      case 'refused': {
        const message = REFUSALS[outcome.reason];
        const errors = [{ path: 'credential', message }];
        throw new Problem('passkey_not_accepted', { detail: `credential: ${message}`, members: { errors } });
      }
    }
  }

  @Get()
  @ApiRoute({ summary: 'My passkeys', operationId: 'passkeys' })
  @ApiReply(200, passkeysReplySchema, 'The passkeys of the caller, the oldest first')
  async list(@CurrentUser() { userId }: CurrentUserInfo): Promise<PasskeysReply> {
    const passkeys = await this.passkeys.list(userId);
    return { passkeys: passkeys.map(toReply) };
  }

  @Patch(':id')
  @RequiresStepUp()
  @ApiRoute({ summary: 'Rename a passkey', operationId: 'renamePasskey' })
  @ApiReply(200, passkeySchema, 'The passkey, with its new name')
  @ApiProblems('validation_failed', 'not_found')
  async rename(
    @Param({ schema: passkeyParamsSchema }) { id }: PasskeyParams,
    @Body({ schema: passkeyChangeSchema }) { name }: PasskeyChangeBody,
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<PasskeyReply> {
    const renamed = await this.passkeys.rename({ ...caller, client }, id, name);
    if (!renamed) throw new Problem('not_found');
    return toReply(renamed);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Remove a passkey',
    operationId: 'removePasskey',
    description: 'Recovery codes go with the last second factor.',
  })
  @ApiReply(204, null, 'It opens nothing any more')
  @ApiProblems('validation_failed', 'not_found', 'last_login_method')
  async remove(
    @Param({ schema: passkeyParamsSchema }) { id }: PasskeyParams,
    @Query({ schema: passkeyRemovalSchema }) { end_other_sessions }: PasskeyRemovalQuery,
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions === 'true' ? 'end' : 'keep';
    const outcome = await this.passkeys.remove({ ...caller, otherSessions, client }, id);
    if (outcome === 'session_ended') throw new Problem('credential_revoked');
    if (outcome !== 'removed') throw new Problem(outcome);
  }
}

function toReply(passkey: PasskeyListing): PasskeyReply {
  return {
    id: passkey.id,
    name: passkey.name,
    created_at: passkey.createdAt.toISOString(),
    last_used_at: passkey.lastUsedAt?.toISOString() ?? null,
    is_backed_up: passkey.isBackedUp,
    transports: [...passkey.transports],
    aaguid: passkey.aaguid,
  };
}
