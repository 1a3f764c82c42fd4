import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig, SigningAlgorithm } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { recordEvent } from '../../audit/audit.service.js';
import { type ChainKeyRewrapping, rewrapChainKey } from '../../audit/chain-key.js';
import { Database } from '../../platform/database/database.js';
import { secondsFromNow } from '../../platform/database/sql-time.js';
import { KEY_PURPOSE } from './key-pair.js';
import { promotableFrom, underKeyLock } from './key-transitions.js';
import type { KeysTables } from './keys.tables.js';
import type { KeyState } from './signing-key.entity.js';
import { seal, sealedUnder, unseal } from '../../platform/secrets/secrets.js';

/** A key as an operator sees it. */
export interface KeyListing {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly state: KeyState;
  readonly publishedSince: Date;
  /** Null for a key that never signed. */
  readonly signsSince: Date | null;
  readonly signedUntil: Date | null;
  /** When the last token that nodes may have signed with it has expired; null for a key that never signed. */
  readonly tokensExpireAt: Date | null;
  readonly retiredAt: Date | null;
  /** When an operator revoked it; null otherwise. */
  readonly revokedAt: Date | null;
  /** When a next key can be promoted; null for other keys. */
  readonly promotableFrom: Date | null;
  /** Whether that time has come, by the database's clock. */
  readonly isPromotable: boolean;
  /**
   * Index of the secret in AUTH_SECRETS that encrypts the private key; null if none fits or the private key was
   * wiped.
   */
  readonly sealedUnder: number | null;
}

/** The result of re-encrypting the keys. */
export interface Rewrapping {
  /** Keys that were re-encrypted under the first secret. */
  readonly rewrapped: readonly string[];
  /** Keys that no secret decrypts; unchanged. */
  readonly unopened: readonly string[];
  /** The key of the audit chain. */
  readonly auditChain: ChainKeyRewrapping;
  /**
   * When the other secrets are no longer needed, if every node runs with this list; null while there are `unopened`
   * keys.
   */
  readonly othersMayLeaveAt: Date | null;
}

/** All signing keys, and the secrets that encrypt them. */
@Injectable()
export class KeyInventory {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Returns every key, the newest first. */
  async list(): Promise<KeyListing[]> {
    const from = promotableFrom(this.config);
    const rows = await this.database
      .of<KeysTables>()
      .selectFrom('signing_keys')
      .selectAll()
      .select((key) => [
        from.as('promotable_from'),
        sql<boolean>`${key('state', '=', 'next')} and ${from} < now()`.as('is_promotable'),
      ])
      .orderBy('created_at', 'desc')
      .orderBy('kid', 'desc')
      .execute();
    return rows.map((row) => ({
      kid: row.kid,
      algorithm: row.algorithm,
      state: row.state,
      publishedSince: row.created_at,
      signsSince: row.promoted_at,
      signedUntil: row.demoted_at,
      tokensExpireAt: row.tokens_expire_at,
      retiredAt: row.retired_at,
      revokedAt: row.revoked_at,
      promotableFrom: row.state === 'next' ? row.promotable_from : null,
      isPromotable: row.is_promotable,
      sealedUnder: sealedUnder(this.config.AUTH_SECRETS, KEY_PURPOSE, row.kid, row.private_key),
    }));
  }

  /** Re-encrypts every private key under the first of AUTH_SECRETS. */
  rewrap(): Promise<Rewrapping> {
    const { AUTH_SECRETS: secrets, REFRESH_REUSE_GRACE: grace } = this.config;
    return underKeyLock(this.database, async (tx) => {
      const table = tx.of<KeysTables>();
      const keys = await table
        .selectFrom('signing_keys')
        .select(['kid', 'private_key'])
        .where('state', '<>', 'retired')
        .forUpdate()
        .execute();
      const rewrapped: string[] = [];
      const unopened: string[] = [];
      for (const { kid, private_key: sealed } of keys) {
        if (sealedUnder(secrets, KEY_PURPOSE, kid, sealed) === 0) continue;
        const der = unseal(secrets, KEY_PURPOSE, kid, sealed);
        (der ? rewrapped : unopened).push(kid);
        if (!der) continue;
        const resealed = seal(secrets, KEY_PURPOSE, kid, der);
        await table
          .updateTable('signing_keys')
          .set({ private_key: resealed })
          .where('kid', '=', kid)
          .execute();
      }
      const auditChain = await rewrapChainKey(tx, secrets);
      const details = { keys: rewrapped, unopened, audit_chain: auditChain };
      await recordEvent(tx, { kind: 'secrets_rewrapped', userId: null, actor: 'operator', details });
      // The secrets of refresh tokens are needed until their grace period is over.
      const { at } = await table.selectNoFrom(secondsFromNow(grace).as('at')).executeTakeFirstOrThrow();
      const isAllOpen = unopened.length === 0 && auditChain !== 'unopened';
      const othersMayLeaveAt = isAllOpen ? at : null;
      return { rewrapped, unopened, auditChain, othersMayLeaveAt };
    });
  }
}
