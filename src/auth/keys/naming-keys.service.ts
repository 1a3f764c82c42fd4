import { createPublicKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { SigningAlgorithm } from '../../../config/auth.config.js';
import { Database } from '../../platform/database/database.js';
import type { KeysTables } from './keys.tables.js';

/** The public half of a signing key. */
export interface NamingKey {
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: KeyObject;
}

/**
 * The keys whose tokens name a session for a sign-out: all that ever signed, also those that rotation retired. Never
 * keys that an operator revoked: an attacker who stole one could end sessions with tokens of their own.
 */
@Injectable()
export class NamingKeys {
  constructor(private readonly database: Database) {}

  /** The key with this id, from its row: this node may not know yet that it was revoked. Null if there is none. */
  async find(kid: string): Promise<NamingKey | null> {
    const row = await this.database
      .of<KeysTables>()
      .selectFrom('signing_keys')
      .select(['algorithm', 'public_jwk'])
      .where('kid', '=', kid)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    if (!row) return null;
    return { algorithm: row.algorithm, publicKey: createPublicKey({ key: row.public_jwk, format: 'jwk' }) };
  }
}
