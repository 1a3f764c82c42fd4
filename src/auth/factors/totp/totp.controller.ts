import { Body, Controller, Delete, HttpCode, Post, Query } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../../platform/http/access.decorators.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { Problem } from '../../../platform/problems/problem.js';
import { Acting, deadCredential } from '../../credentials/auth.guard.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import { TotpEnrolment } from './totp-enrolment.service.js';
import {
  type TotpConfirmBody,
  totpConfirmSchema,
  type TotpRemovalQuery,
  totpRemovalSchema,
  type TotpReply,
  totpReplySchema,
} from './totp.dto.js';

/** The authenticator app of the caller. */
@ApiGroup('Second factors')
@Controller('totp')
export class TotpController {
  constructor(private readonly enrolment: TotpEnrolment) {}

  @Post()
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Add or replace an authenticator app',
    operationId: 'beginTotp',
    description:
      'It becomes active when `POST /totp/confirm` gets one of its codes, within an hour. Until then nothing changes; ' +
      'another request creates another secret.',
  })
  @ApiReply(200, totpReplySchema, 'The secret for the app; it is not shown again')
  async begin(@Acting() actor: LiveAuthentication): Promise<TotpReply> {
    const begun = await this.enrolment.begin(actor);
    if ('dead' in begun) throw deadCredential(begun.dead);
    return { secret: begun.secret, otpauth_uri: begun.uri, qr_svg: begun.svg };
  }

  @Post('confirm')
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Confirm the authenticator app',
    operationId: 'confirmTotp',
    description: 'From now on, a password sign-in requires a second factor.',
  })
  @ApiReply(204, null, 'The authenticator app is active')
  @ApiProblems('validation_failed', 'totp_code_wrong', 'totp_not_started')
  async confirm(
    @Body({ schema: totpConfirmSchema }) { code, end_other_sessions }: TotpConfirmBody,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions ? 'end' : 'keep';
    const outcome = await this.enrolment.confirm({ actor, otherSessions, client }, code);
    if (outcome === 'not_started') throw new Problem('totp_not_started');
    if (typeof outcome === 'object') throw deadCredential(outcome.dead);
    if (outcome === 'wrong') throw new Problem('totp_code_wrong');
  }

  @Delete()
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Remove the authenticator app',
    operationId: 'removeTotp',
    description: 'Removing the last second factor also removes the recovery codes.',
  })
  @ApiReply(204, null, 'The authenticator app is removed')
  @ApiProblems('validation_failed', 'not_found')
  async remove(
    @Query({ schema: totpRemovalSchema }) { end_other_sessions }: TotpRemovalQuery,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<void> {
    const otherSessions = end_other_sessions === 'true' ? 'end' : 'keep';
    const outcome = await this.enrolment.remove({ actor, otherSessions, client });
    if (typeof outcome === 'object') throw deadCredential(outcome.dead);
    if (outcome === 'not_found') throw new Problem('not_found');
  }
}
