import { defineEntity, p } from '@mikro-orm/core';
import type { AuditKind } from './audit-kinds.js';
import { AUDIT_TRIGGERS } from './audit.triggers.js';

/**
 * An audit event, recorded in the transaction of its act. Rows are only added; a moment later the sealer sets their
 * place in the chain, `seq` and `hash`.
 */
export const AuditEventSchema = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_events',
  properties: {
    id: p.uuid().primary(),
    kind: p.text().$type<AuditKind>(),
    at: p.datetime().defaultRaw('now()'),
    /** The account that the event concerns. The event outlives the account. */
    userId: p.uuid().nullable(),
    /** The actor: `user`, `admin:<id>`, `operator` (the command line), `service:<client id>` or `system`. */
    actor: p.text(),
    sessionId: p.uuid().nullable(),
    ip: p.text().nullable(),
    userAgent: p.text().nullable(),
    requestId: p.text().nullable(),
    details: p.json<Record<string, unknown>>().defaultRaw("'{}'"),
    /** The transaction that recorded the event. The event is sealed when no earlier transaction can still commit. */
    xact: p.bigint('number').defaultRaw('((pg_current_xact_id())::text)::bigint'),
    seq: p.bigint('number').nullable().unique('audit_events_seq_key'),
    hash: p.blob().$type<Buffer>().nullable(),
  },
  indexes: [
    {
      name: 'audit_events_unsealed_index',
      expression:
        'create index "audit_events_unsealed_index" on "audit_events" ("xact", "id") where seq is null',
    },
    { name: 'audit_events_user_id_at_index', properties: ['userId', 'at', 'id'] },
    { name: 'audit_events_at_index', properties: ['at', 'id'] },
  ],
  triggers: [
    {
      name: 'audit_events_are_kept',
      timing: 'before',
      events: ['update', 'delete'],
      expression: AUDIT_TRIGGERS.audit_events_are_kept,
    },
  ],
  checks: [
    { name: 'audit_events_sealed_with_hash', expression: '(seq is null) = (hash is null)' },
    { name: 'audit_events_hash_is_sha256', expression: 'length(hash) = 32' },
  ],
});

export class AuditEvent extends AuditEventSchema.class {}
AuditEventSchema.setClass(AuditEvent);
