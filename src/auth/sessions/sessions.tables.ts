import type { InferKyselyDB } from '@mikro-orm/sql';
import type { SessionSchema } from './session.entity.js';

/** The table that this room writes. */
export type SessionsTables = InferKyselyDB<typeof SessionSchema>;
