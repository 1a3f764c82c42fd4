import { defineEntity, p } from '@mikro-orm/core';
import { ACCOUNT_TRIGGERS } from '../database/migrations/20261122200000-accounts.migration.js';

/**
 * Something that happened, as it was recorded in the transaction that did it. Rows are only added; a moment later each gets
 * its place in the chain, `seq` and `hash`.
 */
const AuditEventSchema = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_events',
  properties: {
    id: p.uuid().primary(),
    kind: p.text(),
    at: p.datetime().defaultRaw('now()'),
    /** Whose account it concerns. It outlives the account. */
    userId: p.uuid().nullable(),
    /** Who did it: `user`, `admin:<id>`, `operator` (the command line), `service:<client id>` or `system`. */
    actor: p.text(),
    sessionId: p.uuid().nullable(),
    ip: p.text().nullable(),
    userAgent: p.text().nullable(),
    requestId: p.text().nullable(),
    details: p.json<Record<string, unknown>>().defaultRaw("'{}'"),
    /** The transaction that wrote it: it is sealed once no earlier one can write any more. */
    xact: p.bigint('bigint').defaultRaw('((pg_current_xact_id())::text)::bigint'),
    seq: p.bigint('bigint').nullable().unique('audit_events_seq_key'),
    hash: p.blob().nullable(),
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
      expression: ACCOUNT_TRIGGERS.auditKept,
    },
  ],
  checks: [
    { name: 'audit_events_sealed_with_hash', expression: '(seq is null) = (hash is null)' },
    { name: 'audit_events_hash_is_sha256', expression: 'length(hash) = 32' },
  ],
});

export class AuditEvent extends AuditEventSchema.class {}
AuditEventSchema.setClass(AuditEvent);
