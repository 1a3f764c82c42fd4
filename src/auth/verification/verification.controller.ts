import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { Problem } from '../../problems/problem.js';
import { RateLimited } from '../../throttle/rate-limit.guard.js';
import { EmailChanges } from './email-changes.service.js';
import { EmailProofs } from './email-proofs.service.js';
import { EmailVerification } from './email-verification.service.js';
import {
  type EmailChangeBody,
  emailChangeSchema,
  type EmailProofBody,
  emailProofSchema,
} from './verification.dto.js';

/** The e-mail address of an account: proving it, and changing it. */
@ApiGroup('E-mail address')
@Controller('email')
export class VerificationController {
  constructor(
    private readonly proofs: EmailProofs,
    private readonly verification: EmailVerification,
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
      'A link goes to the new address and a notice to the old one. Nothing changes until the link was used; a later ' +
      'request supersedes an earlier one. The answer is the same whether the address is taken or not.',
  })
  @ApiReply(202, null, 'The new address gets a mail')
  @ApiProblems('validation_failed')
  async change(
    @Body({ schema: emailChangeSchema }) { email }: EmailChangeBody,
    @CurrentUser() user: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    await this.changes.request(user, email, client);
  }

  @Post('verify')
  @HttpCode(204)
  @Public()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Confirm an e-mail address by the link of a mail',
    operationId: 'verifyEmail',
    description:
      'For the address of an account, and for the one that it is to have. The latter ends all sessions but the one in ' +
      'which it was asked for. It signs nobody in.',
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
    description: 'At most a few times an hour. Nothing is sent where the address is confirmed already.',
  })
  @ApiReply(202, null, 'If the address is not confirmed yet, it gets a mail')
  async resend(@CurrentUser() { userId }: CurrentUserInfo): Promise<void> {
    await this.verification.sendAgain(userId);
  }
}
