import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { OAUTH_ENDPOINTS } from '../platform/http/oauth-endpoints.js';
import { ForServiceClients, FromServiceClient } from './service-client.guard.js';
import type { ServiceClientInfo } from './service-clients.service.js';
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

/** Introspection and revocation of tokens that services received. */
@ApiGroup('Services')
@Controller()
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Post(OAUTH_ENDPOINTS.introspection)
  @HttpCode(200)
  @Header('pragma', 'no-cache')
  @ForServiceClients('introspect')
  @ApiRoute({
    summary: 'Introspect a token',
    operationId: 'introspect',
    description:
      'Token introspection (RFC 7662) for service clients, which `traffy clients add` creates. It accepts access ' +
      'tokens and values of session cookies, if this server does. A refresh token is never active.',
  })
  @ApiReply(200, introspectionReplySchema, 'The claims of an active token, or only `"active": false`', {
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
      'Token revocation (RFC 7009) for service clients. Ends the session of the token with all its ' +
      'credentials. An unknown token is not an error.',
  })
  @ApiReply(200, null, 'The token is invalid')
  @ApiProblems('validation_failed', 'invalid_client', 'unauthorized_client', 'service_unavailable')
  async revoke(
    @Body({ schema: revocationSchema }) form: RevocationForm,
    @FromServiceClient() service: ServiceClientInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    await this.tokens.revoke(form.token, service, client);
  }
}
