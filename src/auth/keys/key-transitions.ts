import { type RawBuilder, sql } from 'kysely';
import { type AuthConfig, publicationTime, type SigningAlgorithm } from '../../../config/auth.config.js';
import type { Columns } from '../../platform/database/columns.js';
import type { Database, Queries } from '../../platform/database/database.js';
import { NOW } from '../../platform/database/sql-time.js';
import type { KeysTables } from './keys.tables.js';
import type { KeyDraft } from './key-pair.js';

/** Key of the advisory lock of key changes: any number, the same in every version. */
const KEY_LOCK = 7_236_339_204;

/** What happened to a key. */
export interface KeyChange {
  readonly change: 'published' | 'promoted' | 'demoted' | 'retired';
  readonly kid: string;
}

type Condition = RawBuilder<boolean>;

/** Runs `work` under the lock of key changes; waits for the lock. */
export function underKeyLock<T>(database: Database, work: (tx: Queries) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query(sql`select pg_advisory_xact_lock(${KEY_LOCK})`);
    return work(tx);
  });
}

/** The same, but returns null immediately if another node holds the lock. */
export function underKeyLockIfFree<T>(
  database: Database,
  work: (tx: Queries) => Promise<T>,
): Promise<T | null> {
  return database.transaction(async (tx) => {
    const [lock] = await tx.query(
      sql<{ is_held: boolean }>`select pg_try_advisory_xact_lock(${KEY_LOCK}) as is_held`,
    );
    return lock?.is_held ? work(tx) : null;
  });
}

/** Matches the row of `signing_keys` of an algorithm in this state. */
export function is(state: 'next' | 'current', algorithm: SigningAlgorithm): Condition {
  return sql<boolean>`(state = ${state} and algorithm = ${algorithm})`;
}

/** When every valid cache of the key set contains a row of `signing_keys`. */
export function promotableFrom({ JWKS_MAX_AGE }: AuthConfig): RawBuilder<Date> {
  return sql<Date>`(created_at + make_interval(secs => ${publicationTime(JWKS_MAX_AGE)}))`;
}

/** Whether there is a next key that can be promoted. */
export function hasPromotableNext(config: AuthConfig): Condition {
  return sql<boolean>`exists (select 1 from signing_keys
    where ${is('next', config.JWT_ALGORITHM)} and ${promotableFrom(config)} < now())`;
}

/** Whether a key of this algorithm is current. */
export async function hasCurrent(tx: Queries, algorithm: SigningAlgorithm): Promise<boolean> {
  const keys = tx.of<KeysTables>().selectFrom('signing_keys').select('kid').where(is('current', algorithm));
  return (await keys.execute()).length > 0;
}

/** Publishes a next key, unless there is one. */
export async function publishNext(tx: Queries, draft: KeyDraft): Promise<readonly KeyChange[]> {
  return insert(tx, draft, 'next');
}

/**
 * Promotes the next key in place of a current one that meets the condition, if it has been published for long enough.
 */
export async function promoteNext(
  tx: Queries,
  config: AuthConfig,
  condition: Condition,
): Promise<readonly KeyChange[]> {
  const { JWT_ALGORITHM: algorithm } = config;
  const demoted = await tx
    .of<KeysTables>()
    .updateTable('signing_keys')
    .set({
      state: 'previous',
      demoted_at: NOW,
      // Without a lease, an earlier version signed: no token lives longer than a day.
      tokens_expire_at: sql<Date>`coalesce(tokens_expire_at, now() + interval '1 day')`,
    })
    .where(is('current', algorithm))
    .where(condition)
    .where(hasPromotableNext(config))
    .returning('kid')
    .executeTakeFirst();
  if (!demoted) return [];
  return [{ change: 'demoted', kid: demoted.kid }, ...(await takeOver(tx, algorithm))];
}

/**
 * If no key is current, makes the next one current, however long it has been published, and the draft the next one;
 * without a next key, the draft becomes current.
 */
export async function fillCurrent(tx: Queries, draft: KeyDraft): Promise<readonly KeyChange[]> {
  if (await hasCurrent(tx, draft.algorithm)) return [];
  const promotions = await takeOver(tx, draft.algorithm);
  if (promotions.length > 0) return [...promotions, ...(await publishNext(tx, draft))];
  return insert(tx, draft, 'current');
}

/** Retires the keys that meet the condition and wipes their private keys. */
export async function retire(tx: Queries, condition: Condition): Promise<readonly KeyChange[]> {
  const retired = await tx.query(
    sql<
      Columns<KeysTables, 'signing_keys', 'kid'>
    >`update signing_keys k set state = 'retired', retired_at = now(), private_key = ''::bytea,
        demoted_at = coalesce(k.demoted_at, case when k.promoted_at is not null then now() end),
        tokens_expire_at = least(k.tokens_expire_at, now())
      where k.state <> 'retired' and ${condition} returning kid`,
  );
  return retired.map(({ kid }) => ({ change: 'retired', kid }));
}

async function takeOver(tx: Queries, algorithm: SigningAlgorithm): Promise<readonly KeyChange[]> {
  const promoted = await tx
    .of<KeysTables>()
    .updateTable('signing_keys')
    .set({ state: 'current', promoted_at: NOW })
    .where(is('next', algorithm))
    .returning('kid')
    .execute();
  return promoted.map(({ kid }) => ({ change: 'promoted', kid }));
}

async function insert(
  tx: Queries,
  { kid, algorithm, publicJwk, privateKey }: KeyDraft,
  state: 'next' | 'current',
): Promise<readonly KeyChange[]> {
  // now() is the start of the transaction, which can be long before it got the lock.
  const at = sql<Date>`clock_timestamp()`;
  const inserted = await tx
    .of<KeysTables>()
    .insertInto('signing_keys')
    .values({
      kid,
      algorithm,
      state,
      public_jwk: sql`${JSON.stringify(publicJwk)}::jsonb`,
      private_key: privateKey,
      created_at: at,
      promoted_at: state === 'current' ? at : null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('kid')
    .execute();
  if (inserted.length === 0) return [];
  const published: KeyChange = { change: 'published', kid };
  return state === 'current' ? [published, { change: 'promoted', kid }] : [published];
}
