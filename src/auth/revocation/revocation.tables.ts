import type { InferKyselyDB } from '@mikro-orm/sql';
import type { RevocationSchema } from './revocation.entity.js';

/** The table that this room writes. */
export type RevocationTables = InferKyselyDB<typeof RevocationSchema>;
