import type { InferKyselyDB } from '@mikro-orm/sql';
import type { AuditChainSchema } from './audit-chain.entity.js';
import type { AuditCounterSchema } from './audit-counter.entity.js';
import type { AuditEventSchema } from './audit-event.entity.js';

/** The tables that this room writes. */
export type AuditTables = InferKyselyDB<
  typeof AuditEventSchema | typeof AuditChainSchema | typeof AuditCounterSchema
>;
