import type { InferKyselyDB } from '@mikro-orm/sql';
import type { NodeSchema } from './node.entity.js';

/** The table that this room writes. */
export type ClusterTables = InferKyselyDB<typeof NodeSchema>;
