import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../platform/http/client.decorator.js';
import { Public } from '../../platform/http/public.decorator.js';
import { Problem } from '../../platform/problems/problem.js';
import { RateLimited } from '../../platform/throttle/rate-limit.guard.js';
import { weakPassword } from '../../users/passwords/weak-password.problem.js';
import { PasswordRecovery } from './password-recovery.service.js';
import { PasswordReset } from './password-reset.service.js';
import { type ForgotBody, forgotSchema, type ResetBody, resetSchema } from './recovery.dto.js';

/** For users who forgot their password. */
@ApiGroup('Recovery')
@Controller('password')
export class RecoveryController {
  constructor(
    private readonly recovery: PasswordRecovery,
    private readonly resets: PasswordReset,
  ) {}

  @Post('forgot')
  @HttpCode(202)
  @Public()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Request a link to choose a new password',
    operationId: 'forgotPassword',
    description: 'The answer is the same whether the account exists or not. The link expires in 1 hour.',
  })
  @ApiReply(202, null, 'If the account exists, a mail is sent to its address')
  @ApiProblems('validation_failed', 'service_unavailable')
  async forgot(
    @Body({ schema: forgotSchema }) { email }: ForgotBody,
    @FromClient() client: Client,
  ): Promise<void> {
    await this.recovery.request(email, client);
  }

  @Post('reset')
  @HttpCode(204)
  @Public()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Choose a new password with a mailed link',
    operationId: 'resetPassword',
    description:
      'Ends all sessions of the account and does not sign in. A second factor stays required at the next sign-in.',
  })
  @ApiReply(204, null, 'The password is changed')
  @ApiProblems(
    'validation_failed',
    'weak_password',
    'token_invalid',
    'service_unavailable',
    'breach_check_unavailable',
    'overloaded',
  )
  async reset(
    @Body({ schema: resetSchema }) { token, new_password: password }: ResetBody,
    @FromClient() client: Client,
  ): Promise<void> {
    const outcome = await this.resets.reset(token, password, client);
    if (outcome.status === 'token_invalid') throw new Problem('token_invalid');
    if (outcome.status === 'weak_password') throw weakPassword('new_password', outcome.weak);
  }
}
