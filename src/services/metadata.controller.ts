import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AppConfig } from '../../config/app.config.js';
import { type AuthConfig, SIGNING_ALGORITHMS } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { ApiGroup, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { OAUTH_ENDPOINTS } from '../platform/http/oauth-endpoints.js';
import { Public } from '../platform/http/public.decorator.js';
import { SigningKeys } from '../auth/keys/signing-keys.service.js';
import { type MetadataReply, metadataReplySchema } from './metadata.dto.js';

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post'] as const;

/** Authorization server metadata (RFC 8414): where other services find our endpoints. */
@ApiGroup('Services')
@Controller('.well-known')
export class MetadataController {
  constructor(
    private readonly keys: SigningKeys,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  @Get('oauth-authorization-server')
  @Public()
  @Header('cross-origin-resource-policy', 'cross-origin')
  @ApiRoute({ summary: 'The metadata of this issuer', operationId: 'getMetadata' })
  @ApiReply(200, metadataReplySchema, 'Authorization server metadata (RFC 8414)')
  async metadata(@Res({ passthrough: true }) reply: FastifyReply): Promise<MetadataReply> {
    reply.header('cache-control', `public, max-age=${this.config.JWKS_MAX_AGE}`);
    const at = (path: string) => `${this.app.PUBLIC_URL}${path}`;
    const { keys } = await this.keys.jwks();
    return {
      issuer: this.app.PUBLIC_URL,
      jwks_uri: at('/.well-known/jwks.json'),
      introspection_endpoint: at(OAUTH_ENDPOINTS.introspection),
      introspection_endpoint_auth_methods_supported: [...AUTH_METHODS],
      revocation_endpoint: at(OAUTH_ENDPOINTS.revocation),
      revocation_endpoint_auth_methods_supported: [...AUTH_METHODS],
      // RFC 8414 requires the first and gives the second an untrue default: there is no authorization or token
      // endpoint.
      response_types_supported: [],
      grant_types_supported: [],
      ...(this.app.DOCS && { service_documentation: at('/docs') }),
      revocations_uri: at('/.well-known/revocations'),
      access_token_signing_alg_values_supported: SIGNING_ALGORITHMS.filter((name) =>
        keys.some(({ alg }) => alg === name),
      ),
    };
  }
}
