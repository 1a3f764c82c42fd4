import { Controller, Get, Header, Headers, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { trimBlanks } from '../platform/http/ascii.js';
import { Public } from '../platform/http/public.decorator.js';
import { REVOCATIONS_MEDIA_TYPE } from '../verify/revocations.gate.js';
import { RevocationDocuments } from './revocation-documents.service.js';
import { type RevocationsQuery, revocationsQuerySchema, revocationsReplySchema } from './revocations.dto.js';

/**
 * Seconds for which caches and polling services may keep an answer: plus the time of one request, this is how long a
 * revoked token can still work at other services. A lower value costs more requests.
 */
const MAX_AGE = 10;

/** The opaque part of an entity tag (RFC 9110 §8.8.3). */
const ENTITY_TAG = /"[\x21\x23-\x7e\x80-\xff]*"/g;

/** The access tokens that are revoked but not expired, for services that verify locally. */
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
    summary: 'The revoked access tokens',
    operationId: 'getRevocations',
    description:
      'A signed list (payload: `iss`, `iat`, `exp`, `since`, `cursor`, `entries`). `since` is the cursor that it answers, or ' +
      'null if it is complete; do not use a list with another cursor than requested. Of the unexpired tokens, these are revoked: ' +
      'with an entry `{sid, exp}` all of that session; with `{sid, before, exp}`, `{sub, before, exp}` and `{before, exp}` ' +
      'those of the session, of the user, or of all users with an `iat` less than `before`; with `{keys, exp}`, those of a ' +
      'key that is no longer in the key set. Delete an entry after its `exp`. Supports `If-None-Match`.',
  })
  @ApiReply(200, revocationsReplySchema, 'The list, or the new entries since the cursor', {
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
  // An entity tag can contain commas and non-ASCII bytes, so the field is no plain list.
  return (
    trimBlanks(known) === '*' || [...known.matchAll(ENTITY_TAG)].some(([opaque]) => etag.endsWith(opaque))
  );
}
