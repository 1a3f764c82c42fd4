import argon2 from 'argon2';
import type { PasswordConfig } from '../../../config/password.config.js';

/** The parameters of a new hash. */
export interface HashParameters {
  readonly type: 2;
  readonly memoryCost: number;
  readonly timeCost: number;
  readonly parallelism: number;
}

/** The configured parameters of new hashes. */
export function hashParameters(config: PasswordConfig): HashParameters {
  return {
    type: argon2.argon2id,
    memoryCost: config.ARGON2_MEMORY_KIB,
    timeCost: config.ARGON2_PASSES,
    parallelism: config.ARGON2_PARALLELISM,
  };
}

/** Argon2id (RFC 9106) of a password in NFC, in the PHC string format. */
export function hashPassword(password: string, parameters: HashParameters): Promise<string> {
  return argon2.hash(password.normalize('NFC'), { ...parameters });
}

/** The cost of a hash with these parameters, in the units of `PasswordHash`. */
export function costOf({ memoryCost, timeCost }: HashParameters): { work: number; memory: number } {
  return { work: memoryCost * timeCost, memory: memoryCost * 1024 };
}
