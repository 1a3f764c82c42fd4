import { Body, Controller, Get, Patch, Post } from '@nestjs/common';
import type { z } from 'zod';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../http/current-user.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Problem } from '../problems/problem.js';
import { RateLimited } from '../throttle/rate-limit.guard.js';
import { weakPassword } from './passwords/weak-password.problem.js';
import { SignUps } from './sign-ups.service.js';
import {
  type AccountReply,
  accountSchema,
  type ProfileBody,
  profileSchema,
  type SignupBody,
  signupReplySchema,
  signupSchema,
} from './users.dto.js';
import { type Account, UsersService } from './users.service.js';

/** Accounts: making one, and one's own. */
@ApiGroup('Accounts')
@Controller()
export class UsersController {
  constructor(
    private readonly users: UsersService,
    private readonly signUps: SignUps,
  ) {}

  @Post('signup')
  @Public()
  @RateLimited('signup')
  @ApiRoute({
    summary: 'Make an account',
    operationId: 'signup',
    description:
      'A link that proves the address goes out by mail. With AUTH_REQUIRE_VERIFIED_EMAIL the answer for a taken address is ' +
      'the same, and only its owner hears of it.',
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
    const outcome = await this.signUps.signUp(email, password, client);
    if (outcome.status === 'email_taken') throw new Problem('email_taken');
    if (outcome.status === 'weak_password') throw weakPassword('password', outcome.weak);
    return { id: outcome.id, message: 'Signup successful' };
  }

  @Get('users/me')
  @ApiRoute({ summary: 'My account', operationId: 'account' })
  @ApiReply(200, accountSchema, 'The account of the caller')
  async account(@CurrentUser() { userId }: CurrentUserInfo): Promise<AccountReply> {
    const user = await this.users.find(userId);
    if (!user) throw new Problem('credential_revoked');
    return toReply(user);
  }

  @Patch('users/me')
  @ApiRoute({
    summary: 'Change my profile',
    operationId: 'changeProfile',
    description:
      'The name, and nothing that opens the account: password and e-mail address have their own calls, which ask for more.',
  })
  @ApiReply(200, accountSchema, 'The account as it is now')
  @ApiProblems('validation_failed')
  async changeProfile(
    @Body({ schema: profileSchema }) profile: ProfileBody,
    @CurrentUser() { userId }: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<AccountReply> {
    const user = await this.users.changeProfile(userId, profile, client);
    if (!user) throw new Problem('credential_revoked');
    return toReply(user);
  }
}

function toReply(user: Account): AccountReply {
  return {
    id: user.id,
    email: user.email,
    email_verified: Boolean(user.emailVerifiedAt),
    name: user.name ?? null,
    role: user.role === 'admin' ? 'admin' : 'user',
    created_at: user.createdAt.toISOString(),
  };
}
