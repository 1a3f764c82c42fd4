import { z } from 'zod';
import { AUDIT_KINDS, type AuditKind } from './audit-kinds.js';

/** The kind of an event. */
export const auditKindSchema = z
  .enum(Object.keys(AUDIT_KINDS) as [AuditKind, ...AuditKind[]], { error: 'must be a kind of event' })
  .meta({
    id: 'EventKind',
    description: 'The kind of event, as a stable word. Later versions can add kinds.',
  });
