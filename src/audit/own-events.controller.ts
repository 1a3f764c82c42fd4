import { Controller, Get, Query } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../docs/api-reply.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../http/current-user.decorator.js';
import { AuditLog } from './audit-log.service.js';
import { toOwnEvent } from './own-events.js';
import {
  type OwnEventsQuery,
  ownEventsQuerySchema,
  type OwnEventsReply,
  ownEventsReplySchema,
} from './own-events.dto.js';

/** What happened to one's own account. */
@ApiGroup('Accounts')
@Controller()
export class OwnEventsController {
  constructor(private readonly log: AuditLog) {}

  @Get('users/me/events')
  @ApiRoute({ summary: 'What happened to my account', operationId: 'events' })
  @ApiReply(200, ownEventsReplySchema, 'What was recorded of the account of the caller, the newest first')
  @ApiProblems('validation_failed')
  async list(
    @CurrentUser() { userId }: CurrentUserInfo,
    @Query({ schema: ownEventsQuerySchema }) { limit, cursor }: OwnEventsQuery,
  ): Promise<OwnEventsReply> {
    const { events, nextCursor } = await this.log.list({ userId, limit, cursor });
    return {
      events: events.map(toOwnEvent).map((event) => ({
        id: event.id,
        kind: event.kind,
        at: event.at.toISOString(),
        description: event.description,
        actor: event.actor,
        session_id: event.sessionId,
        ip: event.ip,
        user_agent: event.userAgent,
        details: event.details,
      })),
      next_cursor: nextCursor,
    };
  }
}
