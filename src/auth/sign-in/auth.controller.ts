import { Body, Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../platform/http/client.decorator.js';
import { Public } from '../../platform/http/public.decorator.js';
import { Problem } from '../../platform/problems/problem.js';
import { RateLimited } from '../../platform/throttle/rate-limit.guard.js';
import { type LoginReply, loginReplySchema } from '../credentials/credential.dto.js';
import {
  type LoginBody,
  type LogoutBody,
  type LogoutQuery,
  type LogoutReply,
  type MeReply,
  ME_EXAMPLES,
  loginSchema,
  logoutQuerySchema,
  logoutReplySchema,
  logoutSchema,
  meReplySchema,
} from './auth.dto.js';
import { deadCredential, Presented, requireLive } from '../credentials/auth.guard.js';
import { PasswordSignIn } from './password-sign-in.service.js';
import { SignOut } from './sign-out.service.js';
import { CredentialReply } from '../credentials/credential-reply.js';
import type { Authentication } from '../credentials/authenticator.js';

/** Sign-in, status and sign-out: the same for all strategies. */
@ApiGroup('Sign-in')
@Controller()
export class AuthController {
  constructor(
    private readonly passwords: PasswordSignIn,
    private readonly signOut: SignOut,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('login')
  @HttpCode(200)
  @Public('read')
  @RateLimited('login')
  @ApiRoute({
    summary: 'Sign in',
    operationId: 'login',
    description: 'The session of a live credential in the request ends.',
    credentials: 'none',
    cookies: 'set',
  })
  @ApiReply(200, loginReplySchema, 'Signed in')
  @ApiProblems(
    'validation_failed',
    'conflicting_credentials',
    'invalid_credentials',
    'mfa_required',
    'password_change_required',
    'overloaded',
  )
  async login(
    @Body({ schema: loginSchema }) body: LoginBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LoginReply> {
    if (presented.hasConflict) throw new Problem('conflicting_credentials');
    const credentials = { authentication: presented, refreshTokens: this.credentials.refreshTokens(request) };
    const { email, password, transport = 'bearer' } = body;
    const outcome = await this.passwords.signIn({ email, password, transport }, credentials, client);
    if (outcome.status === 'refused') throw new Problem('invalid_credentials');
    if (outcome.status === 'password_change_required') throw new Problem('password_change_required');
    if (outcome.status === 'mfa_required') {
      const { token, factors } = outcome;
      throw new Problem('mfa_required', { members: { mfa_token: token, factors } });
    }
    this.credentials.replace(request, reply, outcome.signedIn);
    return this.credentials.body(outcome.signedIn);
  }

  @Get('me')
  @Public('read')
  @ApiRoute({
    summary: 'Who am I?',
    operationId: 'getMe',
    description: 'Without a live credential the answer is `"logged_in": false`, not an error.',
  })
  @ApiReply(200, meReplySchema, 'The user of the credential, or none', { examples: ME_EXAMPLES })
  @ApiProblems('conflicting_credentials')
  me(@Presented() { live, dead, hasConflict }: Authentication): MeReply {
    if (hasConflict) throw new Problem('conflicting_credentials');
    if (live) return { logged_in: true, email: live.email };
    return { logged_in: false, ...(dead && { action: dead.action }) };
  }

  @Post('logout')
  @HttpCode(200)
  @Public('read')
  @ApiRoute({
    summary: 'Sign out',
    operationId: 'logout',
    description:
      'Ends all sessions of the presented credentials, also of those that expired or were replaced; idempotent. ' +
      '`scope=others` ends the other sessions of the caller instead, `scope=global` all; both require a live ' +
      'credential. With `"action": "login"` a presented credential was not recognized, so no session ended for it.',
    cookies: 'clear',
  })
  @ApiReply(200, logoutReplySchema, 'Signed out; the presented credentials are invalid')
  @ApiProblems(
    'validation_failed',
    'authentication_required',
    'credential_invalid',
    'credential_expired',
    'credential_revoked',
  )
  async logout(
    @Query({ schema: logoutQuerySchema }) { scope = 'local' }: LogoutQuery,
    @Body({ schema: logoutSchema }) body: LogoutBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LogoutReply> {
    if (scope !== 'local' && !presented.live) requireLive(presented);
    const values = this.credentials.presented(request);
    if (body?.refresh_token !== undefined) values.push(body.refresh_token);
    const outcome = await this.signOut.end(presented, values, scope, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    // With `others` the session of this request and its cookies stay.
    if (scope !== 'others') this.credentials.clearAll(reply);
    return { logged_in: false, ...(outcome.hasUnknown && { action: 'login' as const }) };
  }
}
