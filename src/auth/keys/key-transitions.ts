import { type RawBuilder, sql } from 'kysely';
import { type AuthConfig, publicationTime, type SigningAlgorithm } from '../../../config/auth.config.js';
import type { Database, Queries } from '../../database/database.js';
import type { KeyDraft } from './key-pair.js';

/** Any number will do, as long as every version takes the same: whoever moves keys on holds it. */
const KEY_LOCK = 7_236_339_204;

export type KeyState = 'next' | 'current' | 'previous' | 'retired';

/** What happened to a key. */
export interface KeyChange {
  readonly change: 'published' | 'promoted' | 'demoted' | 'retired';
  readonly kid: string;
}

type Condition = RawBuilder<boolean>;

/** The lock under which keys are moved on; waits for it. */
export function underKeyLock<T>(database: Database, work: (tx: Queries) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query(sql`select pg_advisory_xact_lock(${KEY_LOCK})`);
    return work(tx);
  });
}

/** The same, but null at once if somebody else holds it. */
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

/** Whether a row of `signing_keys` is the one of its algorithm in this state. */
export function is(state: 'next' | 'current', algorithm: SigningAlgorithm): Condition {
  return sql<boolean>`(state = ${state} and algorithm = ${algorithm})`;
}

/** From when on a row of `signing_keys` is in every cache of the key set that is still good. */
export function promotableFrom({ JWKS_MAX_AGE }: AuthConfig): RawBuilder<Date> {
  return sql<Date>`(created_at + make_interval(secs => ${publicationTime(JWKS_MAX_AGE)}))`;
}

/** Whether there is a next key that may sign. */
export function hasPromotableNext(config: AuthConfig): Condition {
  return sql<boolean>`exists (select 1 from signing_keys
    where ${is('next', config.JWT_ALGORITHM)} and ${promotableFrom(config)} < now())`;
}

/** Announces a key that will sign later, unless one stands by already. */
export async function publishNext(tx: Queries, draft: KeyDraft): Promise<readonly KeyChange[]> {
  return insert(tx, draft, 'next');
}

/** Lets the next key take over from a current one for which the condition holds, if it has been published for long enough. */
export async function promoteNext(
  tx: Queries,
  config: AuthConfig,
  condition: Condition,
): Promise<readonly KeyChange[]> {
  const { JWT_ALGORITHM: algorithm } = config;
  const [demoted] = await tx.query(
    // Without the announcement of a node, a version before such announcements signed: no token lives longer than a day.
    sql<{ kid: string }>`update signing_keys set state = 'previous', demoted_at = now(),
        tokens_expire_at = coalesce(tokens_expire_at, now() + interval '1 day')
      where ${is('current', algorithm)} and ${condition} and ${hasPromotableNext(config)} returning kid`,
  );
  if (!demoted) return [];
  return [{ change: 'demoted', kid: demoted.kid }, ...(await takeOver(tx, algorithm))];
}

/**
 * Where no key is current, makes the next one current, however long it has been published, and the draft the one after
 * it; where there is no next one either, the draft signs at once.
 */
export async function fillCurrent(tx: Queries, draft: KeyDraft): Promise<readonly KeyChange[]> {
  const [current] = await tx.query(sql`select 1 from signing_keys where ${is('current', draft.algorithm)}`);
  if (current) return [];
  const promotions = await takeOver(tx, draft.algorithm);
  if (promotions.length > 0) return [...promotions, ...(await publishNext(tx, draft))];
  return insert(tx, draft, 'current');
}

/** Takes keys for which the condition holds out of the key set for ever, and wipes their private halves. */
export async function retire(tx: Queries, condition: Condition): Promise<readonly KeyChange[]> {
  const retired = await tx.query(
    sql<{
      kid: string;
    }>`update signing_keys k set state = 'retired', retired_at = now(), private_key = ''::bytea,
        demoted_at = coalesce(k.demoted_at, case when k.promoted_at is not null then now() end),
        tokens_expire_at = least(k.tokens_expire_at, now())
      where k.state <> 'retired' and ${condition} returning kid`,
  );
  return retired.map(({ kid }) => ({ change: 'retired', kid }));
}

async function takeOver(tx: Queries, algorithm: SigningAlgorithm): Promise<readonly KeyChange[]> {
  const promoted = await tx.query(
    sql<{ kid: string }>`update signing_keys set state = 'current', promoted_at = now()
      where ${is('next', algorithm)} returning kid`,
  );
  return promoted.map(({ kid }) => ({ change: 'promoted', kid }));
}

async function insert(
  tx: Queries,
  { kid, algorithm, publicJwk, privateKey }: KeyDraft,
  state: 'next' | 'current',
): Promise<readonly KeyChange[]> {
  // now() is when the transaction began, maybe long before it got the lock.
  const promotedAt = state === 'current' ? sql`clock_timestamp()` : sql`null`;
  const inserted = await tx.query(
    sql`insert into signing_keys (kid, algorithm, state, public_jwk, private_key, created_at, promoted_at)
        values (${kid}, ${algorithm}, ${state}, ${JSON.stringify(publicJwk)}::jsonb, ${privateKey}, clock_timestamp(), ${promotedAt})
        on conflict do nothing returning kid`,
  );
  if (inserted.length === 0) return [];
  const published: KeyChange = { change: 'published', kid };
  return state === 'current' ? [published, { change: 'promoted', kid }] : [published];
}
