import { Controller, Get, Query } from '@nestjs/common';
import { AuditLog, type AuditRecord } from '../audit/audit-log.service.js';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { RequiresRole, RequiresStepUp } from '../platform/http/access.decorators.js';
import {
  type AdminAuditReply,
  adminAuditReplySchema,
  type AuditEventView,
  type AuditQuery,
  auditQuerySchema,
} from './admin-audit.dto.js';

const PAGE = 20;

/** The audit trail of all users, for administrators. */
@ApiGroup('Administration')
@Controller('admin/audit')
@RequiresRole('admin')
@RequiresStepUp()
export class AdminAuditController {
  constructor(private readonly log: AuditLog) {}

  @Get()
  @ApiRoute({ summary: 'What happened', operationId: 'listAuditEvents' })
  @ApiReply(200, adminAuditReplySchema, 'A page of events, newest first')
  @ApiProblems('validation_failed')
  async list(@Query({ schema: auditQuerySchema }) query: AuditQuery): Promise<AdminAuditReply> {
    const { user_id: userId, kind, since, until, limit = PAGE, cursor } = query;
    const { events, nextCursor } = await this.log.list({
      userId,
      kind,
      since: since === undefined ? undefined : new Date(since),
      until: until === undefined ? undefined : new Date(until),
      cursor,
      limit,
    });
    return { events: events.map(view), next_cursor: nextCursor };
  }
}

function view(event: AuditRecord): AuditEventView {
  return {
    id: event.id,
    kind: event.kind,
    at: event.at.toISOString(),
    user_id: event.userId,
    actor: event.actor,
    session_id: event.sessionId,
    ip: event.ip,
    user_agent: event.userAgent,
    request_id: event.requestId,
    details: { ...event.details },
    seq: event.seq === null ? null : Number(event.seq),
  };
}
