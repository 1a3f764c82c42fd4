import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../platform/http/client.decorator.js';
import { Public } from '../../platform/http/public.decorator.js';
import { Problem } from '../../platform/problems/problem.js';
import { RateLimited } from '../../platform/throttle/rate-limit.guard.js';
import { type LoginReply, loginReplySchema } from '../credentials/credential.dto.js';
import { Presented } from '../credentials/auth.guard.js';
import { CredentialReply } from '../credentials/credential-reply.js';
import type { Authentication } from '../credentials/authenticator.js';
import { type MfaBody, mfaSchema, presentedFactor } from './mfa.dto.js';
import { Mfa } from './mfa.service.js';

/** The second step of a sign-in. */
@ApiGroup('Sign-in')
@Controller('mfa')
export class MfaController {
  constructor(
    private readonly mfa: Mfa,
    private readonly credentials: CredentialReply,
  ) {}

  @Post()
  @HttpCode(200)
  @Public('read')
  @RateLimited('login')
  @ApiRoute({
    summary: 'Complete a sign-in with a second factor',
    operationId: 'completeLogin',
    description:
      'For sign-ins answered with `mfa_required`. Tokens travel as that sign-in requested. The session of a live ' +
      'credential in the request ends.',
    credentials: 'none',
    cookies: 'set',
  })
  @ApiReply(200, loginReplySchema, 'Signed in')
  @ApiProblems('validation_failed', 'conflicting_credentials', 'mfa_token_invalid', 'mfa_failed')
  async complete(
    @Body({ schema: mfaSchema }) body: MfaBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LoginReply> {
    if (presented.hasConflict) throw new Problem('conflicting_credentials');
    const credentials = { authentication: presented, refreshTokens: this.credentials.refreshTokens(request) };
    const outcome = await this.mfa.complete(body.mfa_token, presentedFactor(body), credentials, client);
    if (outcome.status === 'token_invalid') throw new Problem('mfa_token_invalid');
    if (outcome.status === 'wrong') throw new Problem('mfa_failed');
    this.credentials.replace(request, reply, outcome.signedIn);
    return this.credentials.body(outcome.signedIn);
  }
}
