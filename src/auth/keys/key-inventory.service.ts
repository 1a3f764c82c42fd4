import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig, SigningAlgorithm } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { recordEvent } from '../../audit/audit.service.js';
import { type ChainKeyRewrapping, rewrapChainKey } from '../../audit/chain-key.js';
import { Database } from '../../database/database.js';
import { KEY_PURPOSE, type SealedKey } from './key-pair.js';
import { type KeyState, promotableFrom, underKeyLock } from './key-transitions.js';
import { seal, sealedUnder, unseal } from '../../secrets/secrets.js';

/** A key as an operator sees it. */
export interface KeyListing {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly state: KeyState;
  readonly publishedSince: Date;
  /** Null for one that never signed. */
  readonly signsSince: Date | null;
  readonly signedUntil: Date | null;
  /** When the last token that nodes may have signed with it until now has died; null for one that never signed. */
  readonly tokensExpireAt: Date | null;
  readonly retiredAt: Date | null;
  /** When an operator ended it; null for one whose time was over, or is not. */
  readonly revokedAt: Date | null;
  /** From when on a next key may sign; null for any other. */
  readonly promotableFrom: Date | null;
  /** Whether that time has come, by the database's clock. */
  readonly isPromotable: boolean;
  /** Which of AUTH_SECRETS its private half is sealed under, counted from 0; null if none fits, or it was wiped. */
  readonly sealedUnder: number | null;
}

/** What sealing the keys anew came to. */
export interface Rewrapping {
  /** Keys that were under another secret, and are under the first one now. */
  readonly rewrapped: readonly string[];
  /** Keys that no secret opens: left as they are. */
  readonly unopened: readonly string[];
  /** The key of the audit trail. */
  readonly auditChain: ChainKeyRewrapping;
  /** From when on no other secret is needed, if every node runs with this list; null while there are `unopened`. */
  readonly othersMayLeaveAt: Date | null;
}

interface ListingRow extends SealedKey {
  state: KeyState;
  created_at: Date | string;
  promoted_at: Date | string | null;
  demoted_at: Date | string | null;
  tokens_expire_at: Date | string | null;
  retired_at: Date | string | null;
  revoked_at: Date | string | null;
  promotable_from: Date | string;
  is_promotable: boolean;
}

/** All signing keys, and the secrets that they are sealed under. */
@Injectable()
export class KeyInventory {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Every key there ever was, the newest first. */
  async list(): Promise<KeyListing[]> {
    const from = promotableFrom(this.config);
    const rows = await this.database.query(
      sql<ListingRow>`select kid, algorithm, state, created_at, promoted_at, demoted_at, tokens_expire_at, retired_at, revoked_at,
          ${from} as promotable_from, state = 'next' and ${from} < now() as is_promotable, private_key
        from signing_keys order by created_at desc, kid desc`,
    );
    return rows.map((row) => ({
      kid: row.kid,
      algorithm: row.algorithm,
      state: row.state,
      publishedSince: new Date(row.created_at),
      signsSince: toDate(row.promoted_at),
      signedUntil: toDate(row.demoted_at),
      tokensExpireAt: toDate(row.tokens_expire_at),
      retiredAt: toDate(row.retired_at),
      revokedAt: toDate(row.revoked_at),
      promotableFrom: row.state === 'next' ? new Date(row.promotable_from) : null,
      isPromotable: row.is_promotable,
      sealedUnder: sealedUnder(this.config.AUTH_SECRETS, KEY_PURPOSE, row.kid, Buffer.from(row.private_key)),
    }));
  }

  /** Seals every private key under the first of AUTH_SECRETS that is under another one. */
  rewrap(): Promise<Rewrapping> {
    const { AUTH_SECRETS: secrets, REFRESH_REUSE_GRACE: grace } = this.config;
    return underKeyLock(this.database, async (tx) => {
      const keys = await tx.query(
        sql<SealedKey>`select kid, algorithm, private_key from signing_keys where state <> 'retired' for update`,
      );
      const rewrapped: string[] = [];
      const unopened: string[] = [];
      for (const { kid, private_key } of keys) {
        const sealed = Buffer.from(private_key);
        if (sealedUnder(secrets, KEY_PURPOSE, kid, sealed) === 0) continue;
        const der = unseal(secrets, KEY_PURPOSE, kid, sealed);
        (der ? rewrapped : unopened).push(kid);
        if (!der) continue;
        const resealed = seal(secrets, KEY_PURPOSE, kid, der);
        await tx.query(sql`update signing_keys set private_key = ${resealed} where kid = ${kid}`);
      }
      const auditChain = await rewrapChainKey(tx, secrets);
      const details = { keys: rewrapped, unopened, audit_chain: auditChain };
      await recordEvent(tx, { kind: 'secrets_rewrapped', userId: null, actor: 'operator', details });
      // What refresh tokens were derived under is needed while their grace time lasts.
      const [row] = await tx.query(
        sql<{ at: Date | string }>`select now() + make_interval(secs => ${grace}) as at`,
      );
      const isAllOpen = unopened.length === 0 && auditChain !== 'unopened';
      const othersMayLeaveAt = isAllOpen && row ? new Date(row.at) : null;
      return { rewrapped, unopened, auditChain, othersMayLeaveAt };
    });
  }
}

function toDate(value: Date | string | null): Date | null {
  return value === null ? null : new Date(value);
}
