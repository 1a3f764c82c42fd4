import { Controller, Get, HttpCode, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { FORWARD_AUTH_PATH } from '../../http/forward-auth-path.js';
import { Presented, requireLive } from '../auth.guard.js';
import type { Authentication } from '../strategies/authenticator.js';
import { IDENTITY_HEADERS, identityHeaders } from './forward-auth.dto.js';

/** What a reverse proxy asks before it lets a request through. */
@ApiGroup('Services')
@Controller()
export class ForwardAuthController {
  @Get(FORWARD_AUTH_PATH)
  @HttpCode(204)
  @ApiRoute({
    summary: 'May this request pass?',
    operationId: 'verify',
    description:
      'For reverse proxies (nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`): the proxy sends the ' +
      'header fields of a request, and lets it through after a 204 alone. Any `Accept` will do. Requests that pass are ' +
      'not counted by the rate limit; those that are refused are.',
  })
  @ApiReply(204, null, 'Signed in, and who it is', { headers: IDENTITY_HEADERS })
  verify(@Presented() presented: Authentication, @Res({ passthrough: true }) reply: FastifyReply): void {
    reply.headers(identityHeaders(requireLive(presented)));
  }
}
