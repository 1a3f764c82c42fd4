import { Body, Controller, Get, Post } from '@nestjs/common';
import type { z } from 'zod';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { Public } from '../platform/http/public.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { RateLimited } from '../platform/throttle/rate-limit.guard.js';
import { accountView } from './account-view.js';
import { weakPassword } from './passwords/weak-password.problem.js';
import { SignUp } from './sign-up.service.js';
import {
  type AccountReply,
  accountSchema,
  type SignupBody,
  signupReplySchema,
  signupSchema,
} from './users.dto.js';
import { UsersService } from './users.service.js';

/** Sign-up and the account of the caller. */
@ApiGroup('Accounts')
@Controller()
export class UsersController {
  constructor(
    private readonly users: UsersService,
    private readonly signUp: SignUp,
  ) {}

  @Post('signup')
  @Public()
  @RateLimited('signup')
  @ApiRoute({
    summary: 'Create an account',
    operationId: 'signup',
    description:
      'Sends a link that verifies the address. With AUTH_REQUIRE_VERIFIED_EMAIL the answer for a taken address is ' +
      'the same, and only its owner is notified.',
  })
  @ApiReply(201, signupReplySchema, 'The account exists')
  @ApiProblems(
    'validation_failed',
    'weak_password',
    'email_taken',
    'service_unavailable',
    'breach_check_unavailable',
    'overloaded',
  )
  async signup(
    @Body({ schema: signupSchema }) { email, password }: SignupBody,
    @FromClient() client: Client,
  ): Promise<z.output<typeof signupReplySchema>> {
    const outcome = await this.signUp.signUp(email, password, client);
    if (outcome.status === 'email_taken') throw new Problem('email_taken');
    if (outcome.status === 'weak_password') throw weakPassword('password', outcome.weak);
    return { id: outcome.id, message: 'Signup successful' };
  }

  @Get('users/me')
  @ApiRoute({ summary: 'My account', operationId: 'getAccount' })
  @ApiReply(200, accountSchema, 'The account of the caller')
  async account(@CurrentUser() { userId }: CurrentUserInfo): Promise<AccountReply> {
    const user = await this.users.find(userId);
    if (!user) throw new Problem('credential_revoked');
    return accountView(user);
  }
}
