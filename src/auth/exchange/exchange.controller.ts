import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { type ExchangeBody, exchangeSchema, type LoginReply, loginReplySchema } from '../auth.dto.js';
import { deadCredential, Presented, requireLive } from '../auth.guard.js';
import { CredentialReply } from '../credential-reply.js';
import type { Authentication } from '../strategies/authenticator.js';
import { ExchangeService } from './exchange.service.js';

/** For clients whose credential is of a kind that is not issued any more. */
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
    summary: 'Exchange my credential for one of the kind that is issued',
    operationId: 'exchange',
    description:
      'The session stays the same, and ends when it would have. Asked again, the answer is the same credential, until ' +
      'it is used; the one that was sent stays good until then, and is dead a moment later. Whoever holds the kind that ' +
      'is issued gets no other one.',
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
    // New cookies take the place of the old; tokens in a body may never arrive, so then the old cookie stays.
    if (outcome.credential.cookies.length > 0) this.credentials.replace(request, reply, outcome);
    return this.credentials.body(outcome);
  }
}
