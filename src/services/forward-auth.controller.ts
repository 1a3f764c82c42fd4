import { Controller, Get, HttpCode, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { FORWARD_AUTH_PATH } from '../platform/http/forward-auth-path.js';
import { Problem } from '../platform/problems/problem.js';
import { Presented, requireLive } from '../auth/credentials/auth.guard.js';
import type { Authentication } from '../auth/credentials/authenticator.js';
import { IDENTITY_HEADERS, hasRequirement, identityHeaders, wants200 } from './forward-auth.dto.js';

/** The check that a reverse proxy makes before it passes a request. */
@ApiGroup('Services')
@Controller()
export class ForwardAuthController {
  @Get(FORWARD_AUTH_PATH)
  @HttpCode(204)
  @ApiRoute({
    summary: 'Check a request for a reverse proxy',
    operationId: 'verify',
    description:
      'For reverse proxies (nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`, Envoy `ext_authz`): the ' +
      'proxy sends the header fields of a request and forwards it only after a 204. `/verify` and every path below it ' +
      'answer the same in every method; `Accept`, `Origin`, `Content-Type` and the body do not count. Allowed requests ' +
      'do not count for the rate limit; refused ones do. With `X-Auth-Status: 200`, which Envoy needs, an allowed ' +
      'request is 200 instead of 204.',
  })
  @ApiReply(204, null, 'Signed in; headers name the user', { headers: IDENTITY_HEADERS })
  @ApiProblems('unsupported_requirement')
  verify(
    @Presented() presented: Authentication,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): void {
    const live = requireLive(presented);
    if (hasRequirement(request)) throw new Problem('unsupported_requirement');
    reply.headers(identityHeaders(live));
    if (wants200(request)) reply.code(200);
  }
}
