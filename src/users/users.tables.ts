import type { InferKyselyDB } from '@mikro-orm/sql';
import type { ImportSchema } from './import/import.entity.js';
import type { OneTimeTokenSchema } from './one-time-tokens/one-time-token.entity.js';
import type { PasswordFormatSchema } from './passwords/password-format.entity.js';
import type { UserSchema } from './user.entity.js';

/** The tables that this room writes. */
export type UsersTables = InferKyselyDB<
  typeof UserSchema | typeof PasswordFormatSchema | typeof ImportSchema | typeof OneTimeTokenSchema
>;
