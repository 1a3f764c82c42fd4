import type { InferKyselyDB } from '@mikro-orm/sql';
import type { MfaChallengeSchema } from './mfa-challenge.entity.js';

/** The table that this room writes. */
export type AssuranceTables = InferKyselyDB<typeof MfaChallengeSchema>;
