import type { InferKyselyDB } from '@mikro-orm/sql';
import type { ServiceClientSchema } from './service-client.entity.js';

/** The table that this room writes. */
export type ServicesTables = InferKyselyDB<typeof ServiceClientSchema>;
