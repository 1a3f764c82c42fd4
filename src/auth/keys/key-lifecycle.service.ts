import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../platform/database/database.js';
import { secondsFromNow } from '../../platform/database/sql-time.js';
import type { KeysTables } from './keys.tables.js';
import { recordRotation } from './key-audit.js';
import { draftKey } from './key-pair.js';
import { lastTokenAfter } from './key-times.js';
import {
  fillCurrent,
  hasPromotableNext,
  is,
  type KeyChange,
  promoteNext,
  publishNext,
  retire,
  underKeyLock,
  underKeyLockIfFree,
} from './key-transitions.js';

interface Due {
  retirement: boolean;
  promotion: boolean;
  publication: boolean;
}

/**
 * The life of a key: next → current → previous → retired. docs/adr/0013 has the rules and their reasons. The
 * database's clock decides.
 */
@Injectable()
export class KeyLifecycle {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Announces that this node signs for `leaseTime`, so that the key stays published until the last of these tokens
   * has expired.
   *
   * @returns the id of the current key; null without one.
   */
  async lease(): Promise<string | null> {
    const lastToken = secondsFromNow(lastTokenAfter(this.config));
    const key = await this.database
      .of<KeysTables>()
      .updateTable('signing_keys')
      .set({ tokens_expire_at: sql<Date>`greatest(tokens_expire_at, ${lastToken})` })
      .where(is('current', this.config.JWT_ALGORITHM))
      .returning('kid')
      .executeTakeFirst();
    return key?.kid ?? null;
  }

  /**
   * Makes sure that there is a current key. A new key signs immediately: without a current key, no other could sign
   * until it is known everywhere.
   */
  async ensureCurrent(): Promise<readonly KeyChange[]> {
    const draft = await draftKey(this.config.JWT_ALGORITHM, this.config.AUTH_SECRETS);
    return underKeyLock(this.database, async (tx) =>
      recordRotation(tx, await fillCurrent(tx, draft), 'system'),
    );
  }

  /**
   * Promotes, publishes and retires keys that are due. Of concurrent nodes, one does it.
   *
   * A next key is always published: if the current key must be revoked, every cache has the next one.
   */
  async advance(): Promise<readonly KeyChange[]> {
    const { JWT_ALGORITHM: algorithm, AUTH_SECRETS: secrets } = this.config;
    const [due] = await this.database.query(
      sql<Due>`select exists (select 1 from signing_keys k where ${this.isOver}) as retirement,
        exists (select 1 from signing_keys where ${is('current', algorithm)} and ${this.isDue}
          and ${hasPromotableNext(this.config)}) as promotion,
        not exists (select 1 from signing_keys where ${is('next', algorithm)}) as publication`,
    );
    if (!due || !Object.values(due).includes(true)) return [];
    // Generated before the transaction, so that no lock waits for it.
    const draft = due.promotion || due.publication ? await draftKey(algorithm, secrets) : null;
    const changes = await underKeyLockIfFree(this.database, async (tx) => [
      ...(await recordRotation(tx, await promoteNext(tx, this.config, this.isDue), 'system')),
      ...(draft ? await publishNext(tx, draft) : []),
      ...(await retire(tx, this.isOver)),
    ]);
    return changes ?? [];
  }

  /** Whether the current key has signed for long enough. */
  private get isDue(): RawBuilder<boolean> {
    return sql<boolean>`coalesce(promoted_at, created_at) <= now() - ${this.interval}`;
  }

  /**
   * Whether a row `k` can be retired: its last token has expired; or no node has signed with its algorithm for one
   * interval, in which JWT_ALGORITHM can be changed back to a key that is still published.
   */
  private get isOver(): RawBuilder<boolean> {
    const isForeign = sql`k.algorithm <> ${this.config.JWT_ALGORITHM}`;
    return sql<boolean>`((k.state = 'previous' and k.tokens_expire_at <= now())
      or (k.state = 'current' and ${isForeign} and k.tokens_expire_at <= now() - ${this.interval})
      or (k.state = 'next' and ${isForeign}
        and not exists (select 1 from signing_keys c where c.algorithm = k.algorithm and c.state = 'current')))`;
  }

  private get interval(): RawBuilder<unknown> {
    return sql`make_interval(secs => ${this.config.KEY_ROTATION_INTERVAL})`;
  }
}
