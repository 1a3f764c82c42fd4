import { Controller, Get, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { writeLanguage } from '../platform/http/write-language.js';
import { AuditLog } from './audit-log.service.js';
import { languageOf } from '../texts/language.js';
import { toOwnEvent } from './own-events.js';
import {
  type OwnEventsQuery,
  ownEventsQuerySchema,
  type OwnEventsReply,
  ownEventsReplySchema,
} from './own-events.dto.js';

/** The audit events of the caller's account. */
@ApiGroup('Accounts')
@Controller()
export class OwnEventsController {
  constructor(private readonly log: AuditLog) {}

  @Get('users/me/events')
  @ApiRoute({ summary: 'What happened to my account', operationId: 'listEvents' })
  @ApiReply(200, ownEventsReplySchema, 'The recorded events of the account of the caller, newest first')
  @ApiProblems('validation_failed')
  async list(
    @CurrentUser() { userId }: CurrentUserInfo,
    @Query({ schema: ownEventsQuerySchema }) { limit, cursor }: OwnEventsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OwnEventsReply> {
    const { events, nextCursor } = await this.log.list({ userId, limit, cursor });
    const language = languageOf(reply.request.headers['accept-language']);
    writeLanguage(reply, language);
    const own = events.map((event) => toOwnEvent(event, language));
    return {
      events: own.map((event) => ({
        id: event.id,
        kind: event.kind,
        at: event.at.toISOString(),
        description: event.description,
        actor: event.actor,
        session_id: event.sessionId,
        ip: event.ip,
        device: event.device,
        user_agent: event.userAgent,
        details: event.details,
      })),
      next_cursor: nextCursor,
    };
  }
}
