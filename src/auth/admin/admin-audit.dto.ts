import { z } from 'zod';
import { AUDIT_KINDS, type AuditKind } from '../../audit/audit-kinds.js';
import { eventCursorSchema } from '../../audit/event-cursor.js';
import { pageLimitSchema } from './paging.dto.js';

const time = z.iso
  .datetime({ offset: true, error: 'must be a time with its zone, such as 2026-11-22T12:00:00Z' })
  .optional();

export const auditQuerySchema = z.strictObject({
  user_id: z.uuid({ error: 'must be the id of an account' }).optional(),
  kind: z
    .enum(Object.keys(AUDIT_KINDS) as [AuditKind, ...AuditKind[]], { error: 'must be a kind of event' })
    .optional(),
  since: time,
  until: time,
  limit: pageLimitSchema,
  cursor: eventCursorSchema.optional(),
});
export type AuditQuery = z.output<typeof auditQuerySchema>;

const auditEventSchema = z
  .object({
    id: z.uuid(),
    kind: z.string(),
    at: z.iso.datetime(),
    user_id: z.uuid().nullable().meta({ description: 'Whose account it concerns. It outlives the account.' }),
    actor: z.string().meta({ description: '`user`, `admin:<id>`, `operator`, `service:<id>` or `system`.' }),
    session_id: z.uuid().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    seq: z.int().nullable().meta({ description: 'Its place in the chain; null for a moment.' }),
  })
  .meta({ id: 'AuditEvent' });
export type AuditEventView = z.output<typeof auditEventSchema>;

export const adminAuditReplySchema = z
  .object({ events: z.array(auditEventSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'AuditEvents', examples: [{ events: [], next_cursor: null }] });
export type AdminAuditReply = z.output<typeof adminAuditReplySchema>;
