import { defineEntity, p } from '@mikro-orm/core';

/** Where the chain of audit events begins and ends, and the key of its links, encrypted under AUTH_SECRETS. One row. */
const AuditChainSchema = defineEntity({
  name: 'AuditChain',
  tableName: 'audit_chain',
  properties: {
    one: p.integer().primary().autoincrement(false),
    key: p.blob().hidden().lazy(),
    /** The last event that was deleted because its time was over; 0 and zeros for none. */
    firstSeq: p.bigint('bigint'),
    firstHash: p.blob(),
    headSeq: p.bigint('bigint'),
    headHash: p.blob(),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
  checks: [{ name: 'audit_chain_is_one', expression: 'one = 1' }],
});

export class AuditChain extends AuditChainSchema.class {}
AuditChainSchema.setClass(AuditChain);
