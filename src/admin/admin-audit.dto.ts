import { z } from 'zod';
import { auditKindSchema } from '../audit/audit-kind.dto.js';
import { eventCursorSchema } from '../audit/event-cursor.js';
import { pageLimitSchema } from './paging.dto.js';

const time = z.iso
  .datetime({ offset: true, error: 'must be a time with a time zone, such as 2026-11-22T12:00:00Z' })
  .optional();

export const auditQuerySchema = z.strictObject({
  user_id: z.uuid({ error: 'must be the id of an account' }).optional(),
  kind: auditKindSchema.optional(),
  since: time,
  until: time,
  limit: pageLimitSchema,
  cursor: eventCursorSchema.optional(),
});
export type AuditQuery = z.output<typeof auditQuerySchema>;

const auditEventSchema = z
  .object({
    id: z.uuid(),
    kind: auditKindSchema,
    at: z.iso.datetime(),
    user_id: z
      .uuid()
      .nullable()
      .meta({ description: 'The id of the account that it concerns. The event outlives the account.' }),
    actor: z.string().meta({ description: '`user`, `admin:<id>`, `operator`, `service:<id>` or `system`.' }),
    session_id: z.uuid().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    seq: z
      .int()
      .nullable()
      .meta({ description: 'Its position in the chain; null until it is sealed, shortly after.' }),
  })
  .meta({ id: 'AuditEvent' });
export type AuditEventView = z.output<typeof auditEventSchema>;

export const adminAuditReplySchema = z
  .object({ events: z.array(auditEventSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'AuditEvents', examples: [{ events: [], next_cursor: null }] });
export type AdminAuditReply = z.output<typeof adminAuditReplySchema>;
