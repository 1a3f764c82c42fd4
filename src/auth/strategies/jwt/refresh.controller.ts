import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { Public } from '../../../platform/http/public.decorator.js';
import { Problem } from '../../../platform/problems/problem.js';
import { Presented } from '../../credentials/auth.guard.js';
import type { Authentication } from '../../credentials/authenticator.js';
import { CredentialReply } from '../../credentials/credential-reply.js';
import { type RefreshBody, type RefreshReply, refreshReplySchema, refreshSchema } from './refresh.dto.js';
import { RefreshService } from './refresh.service.js';

/** Token refresh, the only endpoint of this strategy. */
@ApiGroup('Sign-in')
@Controller()
export class RefreshController {
  constructor(
    private readonly refreshes: RefreshService,
    private readonly credentials: CredentialReply,
  ) {}

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
    const refreshed = await this.refreshes.refresh({ authentication, refreshTokens }, transport, client);
    if (refreshed === 'conflict') throw new Problem('conflicting_credentials');
    if (typeof refreshed === 'string') throw new Problem(`refresh_${refreshed}`);
    this.credentials.write(reply, refreshed);
    return refreshed.credential.body;
  }
}
