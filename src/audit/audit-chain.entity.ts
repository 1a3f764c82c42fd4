import { defineEntity, p } from '@mikro-orm/core';

/** The first and last place of the audit chain, and the key of its links, encrypted under AUTH_SECRETS. One row. */
export const AuditChainSchema = defineEntity({
  name: 'AuditChain',
  tableName: 'audit_chain',
  properties: {
    one: p.integer().primary().autoincrement(false),
    key: p.blob().$type<Buffer>().hidden().lazy(),
    /** The last event that retention deleted; 0 and zeros if none. */
    firstSeq: p.bigint('number'),
    firstHash: p.blob().$type<Buffer>(),
    headSeq: p.bigint('number'),
    headHash: p.blob().$type<Buffer>(),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
  checks: [{ name: 'audit_chain_is_one', expression: 'one = 1' }],
});

export class AuditChain extends AuditChainSchema.class {}
AuditChainSchema.setClass(AuditChain);
