import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { Problem } from '../../problems/problem.js';
import { RateLimited } from '../../throttle/rate-limit.guard.js';
import { weakPassword } from '../../users/passwords/weak-password.problem.js';
import { PasswordRecovery } from './password-recovery.service.js';
import { type ForgotBody, forgotSchema, type ResetBody, resetSchema } from './recovery.dto.js';

/** For who does not know their password any more. */
@ApiGroup('Recovery')
@Controller('password')
export class RecoveryController {
  constructor(private readonly recovery: PasswordRecovery) {}

  @Post('forgot')
  @HttpCode(202)
  @Public()
  @RateLimited('login')
  @ApiRoute({
    summary: 'Ask for a link to choose another password',
    operationId: 'forgotPassword',
    description:
      'The answer is the same whether there is such an account or not. The link is good for an hour.',
  })
  @ApiReply(202, null, 'If there is such an account, its address gets a mail')
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
    summary: 'Choose another password by the link of a mail',
    operationId: 'resetPassword',
    description:
      'Ends every session of the account and signs nobody in. A second factor stays, and is asked for at the next sign-in.',
  })
  @ApiReply(204, null, 'The password is another one')
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
    const outcome = await this.recovery.reset(token, password, client);
    if (outcome.status === 'token_invalid') throw new Problem('token_invalid');
    if (outcome.status === 'weak_password') throw weakPassword('new_password', outcome.weak);
  }
}
