import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { ApiGroup, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { jwksReplySchema } from '../auth.dto.js';
import { type JsonWebKeySet, SigningKeys } from './signing-keys.service.js';

/** The public keys that other services verify access tokens with (RFC 7517). */
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
  @ApiRoute({ summary: 'The public keys of access tokens', operationId: 'jwks' })
  @ApiReply(200, jwksReplySchema, 'The key set (RFC 7517)', { mediaType: 'application/jwk-set+json' })
  async jwks(@Res({ passthrough: true }) reply: FastifyReply): Promise<JsonWebKeySet> {
    const keySet = await this.keys.jwks();
    // What could not be read anew has used up a part of its time: when all of it is over, a key that it lacks may sign.
    const maxAge = Math.max(0, this.config.JWKS_MAX_AGE - Math.floor(this.keys.age));
    reply.header('cache-control', `public, max-age=${maxAge}`);
    return keySet;
  }
}
