import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { OAUTH_ENDPOINTS } from '../../http/oauth-endpoints.js';
import { ForServiceClients, FromServiceClient } from '../clients/service-client.guard.js';
import type { ServiceClientInfo } from '../clients/service-clients.service.js';
import {
  INTROSPECTION_EXAMPLES,
  type IntrospectionForm,
  type IntrospectionReply,
  introspectionReplySchema,
  introspectionSchema,
  type RevocationForm,
  revocationSchema,
} from './tokens.dto.js';
import { TokensService } from './tokens.service.js';

/** What services may do with a token that they were shown: ask about it, and end what it stands for. */
@ApiGroup('Services')
@Controller()
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Post(OAUTH_ENDPOINTS.introspection)
  @HttpCode(200)
  @Header('pragma', 'no-cache')
  @ForServiceClients('introspect')
  @ApiRoute({
    summary: 'Is this token good?',
    operationId: 'introspect',
    description:
      'Token introspection (RFC 7662) for service clients, which `traffy clients add` makes. It answers for access ' +
      'tokens and for the values of session cookies, where they are accepted. A refresh token is never active.',
  })
  @ApiReply(200, introspectionReplySchema, 'What the token says if it is good, or only that it is not', {
    examples: INTROSPECTION_EXAMPLES,
  })
  @ApiProblems('validation_failed', 'invalid_client', 'unauthorized_client', 'service_unavailable')
  async introspect(
    @Body({ schema: introspectionSchema }) form: IntrospectionForm,
  ): Promise<IntrospectionReply> {
    const facts = await this.tokens.introspect(form.token);
    return facts ? { active: true, ...facts } : { active: false };
  }

  @Post(OAUTH_ENDPOINTS.revocation)
  @HttpCode(200)
  @Header('pragma', 'no-cache')
  @ForServiceClients('revoke')
  @ApiRoute({
    summary: 'End the session of a token',
    operationId: 'revoke',
    description:
      'Token revocation (RFC 7009) for service clients. The session that the token belongs to ends, and with it every ' +
      'credential of it. An unknown token is no error.',
  })
  @ApiReply(200, null, 'The token opens nothing any more, if it ever did')
  @ApiProblems('validation_failed', 'invalid_client', 'unauthorized_client', 'service_unavailable')
  async revoke(
    @Body({ schema: revocationSchema }) form: RevocationForm,
    @FromServiceClient() service: ServiceClientInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    await this.tokens.revoke(form.token, service, client);
  }
}
