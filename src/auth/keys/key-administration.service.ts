import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../platform/database/database.js';
import { NOW } from '../../platform/database/sql-time.js';
import { noteKeyRevocation } from '../revocation/cut-off.js';
import { recordKeyRevocation, recordRotation } from './key-audit.js';
import { draftKey } from './key-pair.js';
import {
  fillCurrent,
  hasCurrent,
  is,
  type KeyChange,
  promotableFrom,
  promoteNext,
  publishNext,
  retire,
  underKeyLock,
} from './key-transitions.js';
import type { KeysTables } from './keys.tables.js';

export type RotationOutcome =
  | { readonly status: 'rotated'; readonly changes: readonly KeyChange[] }
  | { readonly status: 'too_early'; readonly next: string; readonly promotableFrom: Date }
  /** No node has started with JWT_ALGORITHM yet. */
  | { readonly status: 'no_current' };

export type KeyRevocationOutcome =
  | { readonly status: 'revoked'; readonly changes: readonly KeyChange[] }
  /** No token that it signed is accepted, and none names a session. */
  | { readonly status: 'revoked_before' }
  | { readonly status: 'unknown' };

/** Changes of signing keys by an operator. The nodes must have the same secrets as this process. */
@Injectable()
export class KeyAdministration {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Promotes the next key now, if it has been published for long enough, and publishes another one. */
  async rotate(): Promise<RotationOutcome> {
    const { JWT_ALGORITHM: algorithm, AUTH_SECRETS: secrets } = this.config;
    const draft = await draftKey(algorithm, secrets);
    return underKeyLock(this.database, async (tx): Promise<RotationOutcome> => {
      if (!(await hasCurrent(tx, algorithm))) return { status: 'no_current' };
      const promotions = await promoteNext(tx, this.config, sql<boolean>`true`);
      await recordRotation(tx, promotions, 'operator');
      const changes = [...promotions, ...(await publishNext(tx, draft))];
      if (promotions.length > 0) return { status: 'rotated', changes };
      const next = await tx
        .of<KeysTables>()
        .selectFrom('signing_keys')
        .select(['kid', promotableFrom(this.config).as('promotable_from')])
        .where(is('next', algorithm))
        .executeTakeFirstOrThrow();
      return { status: 'too_early', next: next.kid, promotableFrom: next.promotable_from };
    });
  }

  /**
   * Revokes a key, and with it every token that it signed. If it was the current key, the next one takes over
   * immediately, however long it has been published.
   */
  async revoke(kid: string): Promise<KeyRevocationOutcome> {
    const { JWT_ALGORITHM: algorithm, AUTH_SECRETS: secrets } = this.config;
    const draft = await draftKey(algorithm, secrets);
    return underKeyLock(this.database, async (tx): Promise<KeyRevocationOutcome> => {
      const keys = tx.of<KeysTables>();
      const key = await keys
        .selectFrom('signing_keys')
        .select(['algorithm', 'state', 'revoked_at'])
        .where('kid', '=', kid)
        .forUpdate()
        .executeTakeFirst();
      if (!key) return { status: 'unknown' };
      if (key.revoked_at !== null) return { status: 'revoked_before' };
      // Also for a key that rotation retired: its tokens still name sessions for a sign-out.
      const retirements = await retire(tx, sql<boolean>`kid = ${kid}`);
      await keys.updateTable('signing_keys').set({ revoked_at: NOW }).where('kid', '=', kid).execute();
      await noteKeyRevocation(tx);
      // Nodes that sign with another algorithm than this process replace their key as soon as they learn of it.
      const isMissed = key.state === 'current' && key.algorithm === algorithm;
      const changes = [...retirements, ...(isMissed ? await fillCurrent(tx, draft) : [])];
      await recordKeyRevocation(tx, kid, changes);
      return { status: 'revoked', changes };
    });
  }
}
