import type { InferKyselyDB } from '@mikro-orm/sql';
import type { SigningKeySchema } from './signing-key.entity.js';

/** The table that this room writes. */
export type KeysTables = InferKyselyDB<typeof SigningKeySchema>;
