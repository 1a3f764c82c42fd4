import { defineEntity, p } from '@mikro-orm/core';

/** Attempts in the minute that began at `beganAt`, counted per account, per network, and in total. */
export const AuditCounterSchema = defineEntity({
  name: 'AuditCounter',
  tableName: 'audit_counters',
  properties: {
    kind: p.text().primary(),
    subject: p.text().primary(),
    beganAt: p.datetime(),
    count: p.integer(),
  },
  indexes: [{ name: 'audit_counters_began_at_index', properties: ['beganAt'] }],
});

export class AuditCounter extends AuditCounterSchema.class {}
AuditCounterSchema.setClass(AuditCounter);
