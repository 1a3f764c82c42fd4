import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { ApiGroup, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { Public } from '../platform/http/public.decorator.js';
import { jwksReplySchema } from './jwks.dto.js';
import { type JsonWebKeySet, SigningKeys } from '../auth/keys/signing-keys.service.js';

/** The public keys for verifying access tokens (RFC 7517). */
@ApiGroup('Services')
@Controller('.well-known')
export class JwksController {
  constructor(
    private readonly keys: SigningKeys,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  @Get('jwks.json')
  @Public()
  @Header('content-type', 'application/jwk-set+json')
  @Header('cross-origin-resource-policy', 'cross-origin')
  @ApiRoute({ summary: 'The public keys of access tokens', operationId: 'getJwks' })
  @ApiReply(200, jwksReplySchema, 'The key set (RFC 7517)', { mediaType: 'application/jwk-set+json' })
  async jwks(@Res({ passthrough: true }) reply: FastifyReply): Promise<JsonWebKeySet> {
    const keySet = await this.keys.jwks();
    // Subtract the age of keys that could not be refreshed: after JWKS_MAX_AGE, a key that is missing here may sign.
    const maxAge = Math.max(0, this.config.JWKS_MAX_AGE - Math.floor(this.keys.age));
    reply.header('cache-control', `public, max-age=${maxAge}`);
    return keySet;
  }
}
