import { Controller, Get, Header, Headers, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { REVOCATIONS_MEDIA_TYPE } from '../../verify/revocations.gate.js';
import { RevocationDocuments } from './revocation-documents.service.js';
import { type RevocationsQuery, revocationsQuerySchema, revocationsReplySchema } from './revocations.dto.js';

/**
 * Seconds that caches, and services that poll, may keep an answer: with one request's time this is how long a
 * revoked token can go on working elsewhere. Lower costs every service more requests; higher, people more patience.
 */
const MAX_AGE = 10;

/** Which access tokens are dead although they have not expired, for services that verify by themselves. */
@ApiGroup('Services')
@Controller('.well-known')
export class RevocationsController {
  constructor(private readonly documents: RevocationDocuments) {}

  @Get('revocations')
  @Public()
  @Header('content-type', REVOCATIONS_MEDIA_TYPE)
  @Header('cache-control', `public, max-age=${MAX_AGE}`)
  @Header('cross-origin-resource-policy', 'cross-origin')
  @ApiRoute({
    summary: 'The access tokens that were revoked',
    operationId: 'revocations',
    description:
      'A signed list (payload: `iss`, `iat`, `exp`, `since`, `cursor`, `entries`). `since` is the cursor that it answers, or ' +
      'null where it tells all; a list with another one than was asked for must not be used. Of the tokens that have not expired, dead are: ' +
      'with an entry `{sid, exp}` all of that session; with `{sid, before, exp}`, `{sub, before, exp}` and `{before, exp}` ' +
      'those of the session, of the user, of everybody whose `iat` is less than `before`; with `{keys, exp}`, those of a ' +
      'key that is not in the key set any more. An entry can be forgotten after its `exp`. Answers to `If-None-Match`.',
  })
  @ApiReply(200, revocationsReplySchema, 'The list, or what is new since the cursor', {
    mediaType: REVOCATIONS_MEDIA_TYPE,
  })
  @ApiProblems('validation_failed', 'service_unavailable')
  async revocations(
    @Query({ schema: revocationsQuerySchema }) { cursor }: RevocationsQuery,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const { jws, etag } = await this.documents.since(cursor ?? null);
    reply.header('etag', etag);
    if (!isAmong(known, etag)) return jws;
    reply.code(304);
    return undefined;
  }
}

/** Weak comparison (RFC 9110 §13.1.2). */
function isAmong(known: string | undefined, etag: string): boolean {
  if (known === undefined) return false;
  return known.trim() === '*' || known.split(',').some((one) => opaque(one) === opaque(etag));
}

function opaque(etag: string): string {
  return etag.trim().replace(/^W\//, '');
}
