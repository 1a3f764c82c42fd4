import { Body, Controller, Get, Post } from '@nestjs/common';
import type { z } from 'zod';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../docs/api-reply.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../http/current-user.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Problem } from '../problems/problem.js';
import { RateLimited } from '../throttle/rate-limit.guard.js';
import { accountSchema, type SignupBody, signupReplySchema, signupSchema } from './users.dto.js';
import { UsersService } from './users.service.js';

/** Accounts: making one, and one's own. */
@ApiGroup('Accounts')
@Controller()
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Post('signup')
  @Public()
  @RateLimited('signup')
  @ApiRoute({ summary: 'Make an account', operationId: 'signup' })
  @ApiReply(201, signupReplySchema, 'The account exists')
  @ApiProblems('validation_failed', 'weak_password', 'email_taken', 'service_unavailable', 'overloaded')
  async signup(
    @Body({ schema: signupSchema }) { email, password }: SignupBody,
  ): Promise<z.output<typeof signupReplySchema>> {
    const outcome = await this.users.signUp(email, password);
    if (outcome.status === 'email_taken') throw new Problem('email_taken');
    if (outcome.status === 'weak_password') {
      const detail = this.users.explainWeakness(outcome.reason);
      const errors = [{ path: 'password', message: detail }];
      throw new Problem('weak_password', { detail, members: { reason: outcome.reason, errors } });
    }
    return { id: outcome.id, message: 'Signup successful' };
  }

  @Get('users/me')
  @ApiRoute({ summary: 'My account', operationId: 'account' })
  @ApiReply(200, accountSchema, 'The account of the caller')
  async account(@CurrentUser() { userId }: CurrentUserInfo): Promise<z.output<typeof accountSchema>> {
    const user = await this.users.find(userId);
    if (!user) throw new Problem('credential_revoked');
    return { id: user.id, email: user.email, created_at: user.createdAt.toISOString() };
  }
}
