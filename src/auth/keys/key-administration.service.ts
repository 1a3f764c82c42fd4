import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig, SigningAlgorithm } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { recordKeyRevocation, recordRotation } from './key-audit.js';
import { draftKey } from './key-pair.js';
import {
  fillCurrent,
  is,
  type KeyChange,
  type KeyState,
  promotableFrom,
  promoteNext,
  publishNext,
  retire,
  underKeyLock,
} from './key-transitions.js';

export type RotationOutcome =
  | { readonly status: 'rotated'; readonly changes: readonly KeyChange[] }
  | { readonly status: 'too_early'; readonly next: string; readonly promotableFrom: Date }
  /** No node has started with JWT_ALGORITHM yet. */
  | { readonly status: 'no_current' };

export type KeyRevocationOutcome =
  | { readonly status: 'revoked'; readonly changes: readonly KeyChange[] }
  | { readonly status: 'retired_before' }
  | { readonly status: 'unknown' };

/** What an operator makes happen to keys out of turn. The nodes must have the same secrets as this process. */
@Injectable()
export class KeyAdministration {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Lets the next key sign now, if it has been published for long enough, and publishes the one after it. */
  async rotate(): Promise<RotationOutcome> {
    const { JWT_ALGORITHM: algorithm, AUTH_SECRETS: secrets } = this.config;
    const draft = await draftKey(algorithm, secrets);
    return underKeyLock(this.database, async (tx): Promise<RotationOutcome> => {
      const [current] = await tx.query(sql`select 1 from signing_keys where ${is('current', algorithm)}`);
      if (!current) return { status: 'no_current' };
      const promotions = await promoteNext(tx, this.config, sql<boolean>`true`);
      await recordRotation(tx, promotions, 'operator');
      const changes = [...promotions, ...(await publishNext(tx, draft))];
      if (promotions.length > 0) return { status: 'rotated', changes };
      const [next] = await tx.query(
        sql<{
          kid: string;
          promotable_from: Date | string;
        }>`select kid, ${promotableFrom(this.config)} as promotable_from
          from signing_keys where ${is('next', algorithm)}`,
      );
      if (!next) throw new Error('a key was published and is not there');
      return { status: 'too_early', next: next.kid, promotableFrom: new Date(next.promotable_from) };
    });
  }

  /**
   * Ends a key, and with it every token that it signed. If it was the one that signs, the next one takes over at once,
   * however long it has been published.
   */
  async revoke(kid: string): Promise<KeyRevocationOutcome> {
    const { JWT_ALGORITHM: algorithm, AUTH_SECRETS: secrets } = this.config;
    const draft = await draftKey(algorithm, secrets);
    return underKeyLock(this.database, async (tx): Promise<KeyRevocationOutcome> => {
      const [key] = await tx.query(
        sql<{
          algorithm: SigningAlgorithm;
          state: KeyState;
        }>`select algorithm, state from signing_keys where kid = ${kid} for update`,
      );
      if (!key) return { status: 'unknown' };
      if (key.state === 'retired') return { status: 'retired_before' };
      const retirements = await retire(tx, sql<boolean>`kid = ${kid}`);
      await tx.query(sql`update signing_keys set revoked_at = now() where kid = ${kid}`);
      await tx.query(
        sql`insert into revocations (kind, expires_at) values ('key', now() + interval '1 day')`,
      );
      // Nodes that sign with another algorithm than this process see to their key as soon as they hear of it.
      const isMissed = key.state === 'current' && key.algorithm === algorithm;
      const changes = [...retirements, ...(isMissed ? await fillCurrent(tx, draft) : [])];
      await recordKeyRevocation(tx, kid, changes);
      return { status: 'revoked', changes };
    });
  }
}
