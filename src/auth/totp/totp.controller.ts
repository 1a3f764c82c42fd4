import { Body, Controller, Delete, HttpCode, Post, Query } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
import { TotpEnrolment } from './totp-enrolment.service.js';
import {
  type TotpConfirmBody,
  totpConfirmSchema,
  type TotpRemovalQuery,
  totpRemovalSchema,
  type TotpReply,
  totpReplySchema,
} from './totp.dto.js';

/** One's own authenticator app. */
@ApiGroup('Second factors')
@Controller('totp')
export class TotpController {
  constructor(private readonly enrolment: TotpEnrolment) {}

  @Post()
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Add an authenticator app, or another in its place',
    operationId: 'beginTotp',
    description:
      'It counts once `POST /totp/confirm` had one of its codes, within the hour. Until then nothing changes; asking ' +
      'again makes another secret.',
  })
  @ApiReply(200, totpReplySchema, 'What the app needs; it is never shown again')
  async begin(@CurrentUser() { userId }: CurrentUserInfo): Promise<TotpReply> {
    const begun = await this.enrolment.begin(userId);
    if (!begun) throw new Problem('credential_revoked');
    return { secret: begun.secret, otpauth_uri: begun.uri, qr_svg: begun.svg };
  }

  @Post('confirm')
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Confirm the authenticator app',
    operationId: 'confirmTotp',
    description: 'From now on, signing in with the password needs a second factor.',
  })
  @ApiReply(204, null, 'The app is the authenticator')
  @ApiProblems('validation_failed', 'totp_code_wrong', 'totp_not_started')
  async confirm(
    @Body({ schema: totpConfirmSchema }) { code, end_other_sessions }: TotpConfirmBody,
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions ? 'end' : 'keep';
    const outcome = await this.enrolment.confirm({ ...caller, otherSessions, client }, code);
    if (outcome === 'not_started') throw new Problem('totp_not_started');
    if (outcome === 'session_ended') throw new Problem('credential_revoked');
    if (outcome === 'wrong') throw new Problem('totp_code_wrong');
  }

  @Delete()
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Remove the authenticator app',
    operationId: 'removeTotp',
    description: 'Recovery codes go with the last second factor.',
  })
  @ApiReply(204, null, 'Its codes open nothing any more')
  @ApiProblems('validation_failed', 'not_found')
  async remove(
    @Query({ schema: totpRemovalSchema }) { end_other_sessions }: TotpRemovalQuery,
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions === 'true' ? 'end' : 'keep';
    const outcome = await this.enrolment.remove({ ...caller, otherSessions, client });
    if (outcome === 'session_ended') throw new Problem('credential_revoked');
    if (outcome === 'not_found') throw new Problem('not_found');
  }
}
