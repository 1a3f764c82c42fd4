import type { InferKyselyDB } from '@mikro-orm/sql';
import type { GuessCounterSchema } from './guess-counter.entity.js';
import type { KnownDeviceSchema } from './known-device.entity.js';

/** The tables that this room writes. */
export type LockoutTables = InferKyselyDB<typeof GuessCounterSchema | typeof KnownDeviceSchema>;
