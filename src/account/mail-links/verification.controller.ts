import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../platform/docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../platform/http/access.decorators.js';
import { type Client, FromClient } from '../../platform/http/client.decorator.js';
import { Public } from '../../platform/http/public.decorator.js';
import { Problem } from '../../platform/problems/problem.js';
import { RateLimited } from '../../platform/throttle/rate-limit.guard.js';
import { Acting, deadCredential } from '../../auth/credentials/auth.guard.js';
import type { LiveAuthentication } from '../../auth/credentials/authenticator.js';
import { EmailChanges } from './email-changes.service.js';
import { EmailProofs } from './email-proofs.service.js';
import {
  type EmailChangeBody,
  emailChangeSchema,
  type EmailProofBody,
  emailProofSchema,
} from './verification.dto.js';
import { VerificationResend } from './verification-resend.service.js';

/** The e-mail address of an account: verification and change. */
@ApiGroup('E-mail address')
@Controller('email')
export class VerificationController {
  constructor(
    private readonly proofs: EmailProofs,
    private readonly resends: VerificationResend,
    private readonly changes: EmailChanges,
  ) {}

  @Post()
  @HttpCode(202)
  @RequiresStepUp()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Change my e-mail address',
    operationId: 'changeEmail',
    description:
      'Sends a link to the new address and a notification to the old one. Nothing changes until the link is used; a later ' +
      'request supersedes an earlier one. The answer is the same whether the address is taken or not.',
  })
  @ApiReply(202, null, 'A mail is sent to the new address')
  @ApiProblems('validation_failed')
  async change(
    @Body({ schema: emailChangeSchema }) { email }: EmailChangeBody,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<void> {
    const outcome = await this.changes.request(caller, email, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
  }

  @Post('verify')
  @HttpCode(204)
  @Public()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Confirm an e-mail address with a mailed link',
    operationId: 'verifyEmail',
    description:
      'For the current or the new address of an account. A new address ends all sessions except the one that ' +
      'requested it. Does not sign in.',
  })
  @ApiReply(204, null, 'The address is confirmed')
  @ApiProblems('validation_failed', 'token_invalid', 'email_taken', 'service_unavailable')
  async verify(
    @Body({ schema: emailProofSchema }) { token }: EmailProofBody,
    @FromClient() client: Client,
  ): Promise<void> {
    const outcome = await this.proofs.redeem(token, client);
    if (outcome !== 'proved') throw new Problem(outcome);
  }

  @Post('verify/resend')
  @HttpCode(202)
  @RateLimited('login')
  @ApiRoute({
    summary: 'Send the link that confirms my e-mail address again',
    operationId: 'resendVerification',
    description: 'At most a few times an hour. Nothing is sent if the address is already confirmed.',
  })
  @ApiReply(202, null, 'If the address is not confirmed yet, a mail is sent')
  async resend(@Acting() caller: LiveAuthentication): Promise<void> {
    const ended = await this.resends.resend(caller);
    if (ended) throw deadCredential(ended.dead);
  }
}
