import type { InferKyselyDB } from '@mikro-orm/sql';
import type { RefreshTokenSchema } from './refresh-token.entity.js';

/** The table that this room writes. */
export type JwtTables = InferKyselyDB<typeof RefreshTokenSchema>;
