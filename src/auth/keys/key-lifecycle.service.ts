import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
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
 * The life of a key as the nodes lead it: next → current → previous → retired. docs/adr/0013 has the rules and their
 * reasons. The database's clock decides all of it.
 */
@Injectable()
export class KeyLifecycle {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Announces that this node is going to sign for `leaseTime`, so that the key stays published until the last of these
   * tokens has died. Nobody has to find out later who signed what, and for how long.
   *
   * @returns the id of the current key; null if there is none.
   */
  async lease(): Promise<string | null> {
    const [row] = await this.database.query(
      sql<{ kid: string }>`update signing_keys
        set tokens_expire_at = greatest(tokens_expire_at, now() + make_interval(secs => ${lastTokenAfter(this.config)}))
        where ${is('current', this.config.JWT_ALGORITHM)} returning kid`,
    );
    return row?.kid ?? null;
  }

  /**
   * Makes sure that there is a current key. A new one signs at once: where there was none, no other could go on until
   * it is known everywhere.
   */
  async ensureCurrent(): Promise<readonly KeyChange[]> {
    const draft = await draftKey(this.config.JWT_ALGORITHM, this.config.AUTH_SECRETS);
    return underKeyLock(this.database, async (tx) =>
      recordRotation(tx, await fillCurrent(tx, draft), 'system'),
    );
  }

  /**
   * Promotes, publishes and retires whatever is due. Of many nodes that come at once, one does it.
   *
   * A next key always stands by: when the current one has to go at once, the next is in every cache already, and caches
   * behind caches have had all the time that they need.
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
    // Made before the transaction: nobody waits for it there.
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
   * Whether a row `k` is needed no more. Its last token has died; or nobody has signed with its algorithm for an
   * interval, the time in which JWT_ALGORITHM can be changed back to a key that is still published.
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
