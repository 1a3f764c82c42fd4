import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { type LoginReply, loginReplySchema } from '../credential.dto.js';
import { type ExchangeBody, exchangeSchema } from './exchange.dto.js';
import { deadCredential, Presented, requireLive } from '../auth.guard.js';
import { CredentialReply } from '../credential-reply.js';
import type { Authentication } from '../authenticator.js';
import { ExchangeService } from './exchange.service.js';

/** For clients whose kind of credential is no longer issued. */
@ApiGroup('Sign-in')
@Controller('session')
export class ExchangeController {
  constructor(
    private readonly exchanges: ExchangeService,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('exchange')
  @HttpCode(200)
  @ApiRoute({
    summary: 'Exchange my credential for one of the issuing strategy',
    operationId: 'exchangeCredential',
    description:
      'The session and its expiry stay the same. Repeated calls return the same credential until ' +
      'it is used. The presented credential stays valid until then and becomes invalid a moment later. A caller that ' +
      'already has a credential of the issuing strategy gets no new one.',
    cookies: 'set',
  })
  @ApiReply(200, loginReplySchema, 'The new credential, as at sign-in')
  @ApiProblems('validation_failed')
  async exchange(
    @Body({ schema: exchangeSchema }) body: ExchangeBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LoginReply> {
    const { transport = 'bearer' } = body ?? {};
    const outcome = await this.exchanges.exchange(presented, requireLive(presented), transport, client);
    if ('reason' in outcome) throw deadCredential(outcome);
    // New cookies replace the old ones. Tokens in a body may be lost on the way, so then the old cookie stays.
    if (outcome.credential.cookies.length > 0) this.credentials.replace(request, reply, outcome);
    return this.credentials.body(outcome);
  }
}
