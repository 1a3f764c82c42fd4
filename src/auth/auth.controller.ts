import { Body, Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../http/client.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Problem } from '../problems/problem.js';
import { RateLimited } from '../throttle/rate-limit.guard.js';
import {
  type LoginBody,
  type LoginReply,
  type LogoutBody,
  type LogoutQuery,
  type LogoutReply,
  type MeReply,
  type RefreshBody,
  type RefreshReply,
  ME_EXAMPLES,
  loginReplySchema,
  loginSchema,
  logoutQuerySchema,
  logoutReplySchema,
  logoutSchema,
  meReplySchema,
  refreshReplySchema,
  refreshSchema,
} from './auth.dto.js';
import { Presented, requireLive } from './auth.guard.js';
import { AuthService } from './auth.service.js';
import { CredentialReply } from './credential-reply.js';
import type { Authentication } from './strategies/authenticator.js';

/** Sign in, who am I, sign out: the same for every strategy. */
@ApiGroup('Sign-in')
@Controller()
export class AuthController {
  constructor(
    private readonly auth: AuthService,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('login')
  @HttpCode(200)
  @Public('read')
  @RateLimited('login')
  @ApiRoute({
    summary: 'Sign in',
    operationId: 'login',
    description: 'A live credential sent along is replaced: its session ends.',
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
    const brought = { authentication: presented, refreshTokens: this.credentials.refreshTokens(request) };
    const { email, password, transport = 'bearer' } = body;
    const outcome = await this.auth.signIn({ email, password, transport }, brought, client);
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
    operationId: 'me',
    description: 'No credential, or a dead one, is no error here: the answer is `"logged_in": false`.',
  })
  @ApiReply(200, meReplySchema, 'Who the credential stands for, or nobody', { examples: ME_EXAMPLES })
  @ApiProblems('conflicting_credentials')
  me(@Presented() { live, dead, hasConflict }: Authentication): MeReply {
    if (hasConflict) throw new Problem('conflicting_credentials');
    if (live) return { logged_in: true, email: live.email };
    return { logged_in: false, ...(dead && { action: dead.action }) };
  }

  @Post('refresh')
  @HttpCode(200)
  @Public('read')
  @ApiRoute({
    summary: 'Exchange a refresh token for new tokens',
    operationId: 'refresh',
    description:
      'The token is in the body or in its cookie; the new ones travel the same way. Each can be used once.',
    acceptedWith: 'jwt',
    credentials: 'none',
    cookies: 'set',
  })
  @ApiReply(200, refreshReplySchema, 'New tokens')
  @ApiProblems(
    'validation_failed',
    'conflicting_credentials',
    'refresh_invalid',
    'refresh_expired',
    'refresh_revoked',
    'refresh_reused',
    'service_unavailable',
  )
  async refresh(
    @Body({ schema: refreshSchema }) body: RefreshBody,
    @Presented() authentication: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RefreshReply> {
    const fromBody = body?.refresh_token;
    const refreshTokens = fromBody === undefined ? this.credentials.refreshTokens(request) : [fromBody];
    const transport = fromBody === undefined ? 'cookie' : 'bearer';
    const refreshed = await this.auth.refresh({ authentication, refreshTokens }, transport, client);
    if (refreshed === 'conflict') throw new Problem('conflicting_credentials');
    if (typeof refreshed === 'string') throw new Problem(`refresh_${refreshed}`);
    this.credentials.write(reply, refreshed);
    return refreshed.credential.body;
  }

  @Post('logout')
  @HttpCode(200)
  @Public('read')
  @ApiRoute({
    summary: 'Sign out',
    operationId: 'logout',
    description:
      'Ends every session that the request holds a credential of, and can be repeated. `scope=others` ends the ' +
      'other sessions of the caller instead, `scope=global` all; both need a live credential.',
    cookies: 'clear',
  })
  @ApiReply(200, logoutReplySchema, 'Signed out; whatever was sent opens nothing any more')
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
    const refreshTokens = this.credentials.refreshTokens(request);
    if (body?.refresh_token !== undefined) refreshTokens.push(body.refresh_token);
    await this.auth.signOut({ authentication: presented, refreshTokens }, scope, client);
    // With `others` the session of this request goes on, and so do its cookies.
    if (scope !== 'others') this.credentials.clearAll(reply);
    return { logged_in: false };
  }
}
